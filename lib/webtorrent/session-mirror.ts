/**
 * Keeps the state that WebTorrent's torrent shows (`pieces`, `bitfield`, `files`, `done`) in line with a task's
 * session, and emits the session's events. Made by torrent.ts, one for each session.
 */
import type { EventEmitter } from 'node:events'
import type { TaskWires } from '../connections/task-wires.ts'
import type { SessionEvents } from '../session/events.ts'
import type { SessionHost } from '../session/work-session.ts'
import { isLogEvent } from '../store/log-entries.ts'
import { PieceLog } from '../store/piece-log.ts'
import type { PieceLogOptions } from '../store/piece-log.ts'
import type { FinishedFile } from '../store/types.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { InternalTorrent } from './internals.ts'
import { ResultsWriter, labelOf } from './results-writer.ts'
import type { WrittenTorrent } from './results-writer.ts'
import type { Sealing } from './sealing.ts'
import type { TaskFileView } from './task-file-view.ts'
import type { TorrentPiece, Wire } from './types.ts'

/** In `torrent.pieces`, a missing piece; null is a stored one, as in WebTorrent. */
const MISSING = Object.freeze({ missing: true })

/** The initial `torrent.pieces`. */
export function missingPieces (pieceCount: number): TorrentPiece[] {
  return Array.from({ length: pieceCount }, () => MISSING)
}

/** The part of ComputeTorrent that is read and written. */
export interface MirroredTorrent extends InternalTorrent {
  readonly _taskWires: TaskWires
  readonly _sealing: Sealing
  readonly _session: (WrittenTorrent['_session'] & { readonly hasUnmergedFiles: boolean }) | null
  readonly _options: {
    readonly results?: boolean
    readonly log?: boolean
    readonly labels?: ReadonlyMap<string, string>
  }
  _folderOf (task: Task): string
  readonly _policy: { unjudged (why: 'stopped' | 'broken'): boolean }
  readonly _control: { readonly isStarting: boolean, banned (wire: Wire): void }
}

/** The session's host: applies its events to the torrent. */
export class SessionMirror implements SessionHost {
  readonly #torrent: MirroredTorrent
  readonly #task: Task
  /** null: the results are not written */
  readonly #results: ResultsWriter | null
  /** null: nothing is logged */
  readonly #log: PieceLog | null

  constructor (torrent: MirroredTorrent, task: Task) {
    this.#torrent = torrent
    this.#task = task
    this.#results = torrent._options.results === true ? new ResultsWriter(torrent, task.pieceCount) : null
    this.#log = torrent._options.log === true ? new PieceLog(this.#logOptions()) : null
  }

  #logOptions (): PieceLogOptions {
    const { infoHash } = this.#task
    return { path: this.#torrent._folderOf(this.#task), infoHash, onError: err => { this.warn(err) } }
  }

  report<K extends keyof SessionEvents> (event: K, payload: SessionEvents[K]): void {
    if (event === 'computed' || event === 'downloaded') {
      this.#results?.came((payload as SessionEvents['computed' | 'downloaded']).piece, event)
    }
    if (isLogEvent(event)) this.#log?.add(event, payload)
    ;(this.#torrent as EventEmitter).emit(event, 'key' in payload ? this.#labelled(payload) : payload)
  }

  #labelled<T extends { key: string | null, trustedKey?: string }> (event: T): T & { label?: string } {
    const label = labelOf(this.#torrent._options.labels, event)
    return label === undefined ? event : { ...event, label }
  }

  stored (index: number): void {
    const torrent = this.#torrent
    torrent.pieces[index] = null
    torrent.bitfield.set(index, true)
    torrent.emit('verified', index)
    for (const { from, to, notify } of torrent._selections) if (from <= index && index <= to) notify?.()
  }

  lost (index: number): void {
    const torrent = this.#torrent
    torrent.pieces[index] = MISSING
    torrent.bitfield.set(index, false)
    torrent.done = false
    this.#results?.changed()
    torrent._sealing.break()
    ;(torrent.files[locate(this.#task, index).file] as TaskFileView | undefined)?.reopen()
  }

  fileFinished (index: number, finished: FinishedFile | null): void {
    const torrent = this.#torrent
    if (torrent.destroyed) return
    const file = torrent.files[index] as TaskFileView
    const isKnown = finished !== null && file._finished?.length === finished.length
    file.finish(finished)
    // it was only checked again
    if (isKnown) return
    if (finished !== null) torrent.emit('file', finished)
    file.emit('done')
  }

  done (): void {
    const torrent = this.#torrent
    if (torrent.destroyed || torrent.done) return
    // complete commands will be allowed in a moment: without them there are parts, but no files
    if (torrent._control.isStarting && torrent._session?.hasUnmergedFiles === true) return
    if (!torrent.ready) return void torrent.once('ready', () => { this.done() })
    if (this.#results?.isDue === true) return this.#results.write(() => { this.done() })
    torrent.done = true
    torrent.emit('done')
    torrent.emit('idle')
    // a 'done' listener may have destroyed the torrent
    if (!torrent.destroyed) torrent.discovery?.complete()
  }

  ban (wire: Wire): void {
    this.#torrent._taskWires.ban(wire)
    this.#torrent._control.banned(wire)
  }

  unjudged (why: 'stopped' | 'broken'): boolean { return this.#torrent._policy.unjudged(why) }

  warn (err: Error): void { if (!this.#torrent.destroyed) this.#torrent.emit('warning', err) }

  ended (): void { this.#log?.close() }

  broken (err: Error): void { if (!this.#torrent.destroyed) this.#torrent._destroy(err) }
}

/**
 * A torrent that finds out whether it is a task: from the argument of `client.add`, or from the metadata of peers or
 * servers. torrent.ts builds on it.
 */
import { announceWhileAlone } from '../discovery/dht-retry.ts'
import { SourceAnswers } from '../discovery/source-answers.ts'
import { magnetOf } from '../task/magnet.ts'
import { magnetProblem } from '../task/magnet-check.ts'
import { encodeTask, isTask, isTaskObject, parseTask, usableTrackers } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { InternalPeer } from '../connections/internals.ts'
import { GuardedTorrent } from './guarded-torrent.ts'
import type { InternalClient, ParsedTorrent } from './internals.ts'
import type { TaskTorrentOptions } from './options.ts'
import { fromMetadata, loadTorrent, toParsedTorrent } from './parsed-torrent.ts'
import { bytesOf, harmlessId, isRemoteId } from './torrent-id.ts'
import type { RemoteId } from './torrent-id.ts'

/**
 * The torrents of a BitWorker client until their metadata is known. WebTorrent's constructor calls _onTorrentId before
 * our own fields exist: the code before its first await must not use them.
 */
export abstract class IdentifiedTorrent extends GuardedTorrent {
  /** the task, once its metadata is known; null for an ordinary torrent */
  task: Task | null = null
  readonly _options: TaskTorrentOptions
  /** its metadata is here; `metadata` is set once the task can be asked for its pieces and inputs */
  #isStarting = false
  readonly _sources = new SourceAnswers(this)

  constructor (torrentId: unknown, client: InternalClient, opts: TaskTorrentOptions) {
    super(torrentId, client, opts)
    this._options = opts
  }

  /** The metadata is a task. */
  abstract _startTask (task: Task): Promise<void>

  /** Total size of all files in bytes, as far as known. */
  abstract _taskLength (task: Task): number

  override async _onTorrentId (torrentId: unknown): Promise<void> {
    if (this.destroyed) return
    const problem = magnetProblem(torrentId)
    if (problem !== undefined) return queueMicrotask(() => { this._destroy(problem) })
    if (isTaskObject(torrentId)) {
      queueMicrotask(() => { this._onTask(() => torrentId) })
    } else if (ArrayBuffer.isView(torrentId) && isTask(bytesOf(torrentId))) {
      queueMicrotask(() => { this._onTask(() => parseTask(bytesOf(torrentId), this._options)) })
    } else if (isRemoteId(torrentId)) {
      await this._load(torrentId)
    } else {
      await super._onTorrentId(harmlessId(torrentId))
    }
  }

  async _load (torrentId: RemoteId): Promise<void> {
    const parsed = await loadTorrent(torrentId, this._options).catch((err: unknown) => { this._destroy(err as Error) })
    if (parsed !== undefined) this._onParsedTorrent(parsed)
  }

  _onTask (read: () => Task): void {
    try {
      this._onParsedTorrent(toParsedTorrent(read()))
    } catch (err) {
      this._destroy(err as Error)
    }
  }

  override _processParsedTorrent (parsed: ParsedTorrent): void {
    super._processParsedTorrent(parsed)
    if (this.task === null) return
    // trackers that were added are included in the task file
    const task = { ...this.task, announce: usableTrackers(this.announce) }
    this.torrentFile = encodeTask(task)
    this.magnetURI = magnetOf(task)
    // sizes vary: WebTorrent's own property would be constant
    Object.defineProperty(this, 'length', {
      get: () => this._taskLength(task), configurable: true, enumerable: true
    })
  }

  override _startDiscovery (): void {
    const isFirst = this.discovery === null || this.discovery === undefined
    super._startDiscovery()
    if (this.destroyed) return
    // if there was a discovery before, it goes on
    if (isFirst) this._sources.begun()
    const { dht } = this.client
    const isOrdinary = this.task === null && this.metadata !== null
    if (!isFirst || isOrdinary || !dht || this.private === true) return
    this.once(
      'close',
      announceWhileAlone({
        dht,
        infoHash: this.infoHash,
        port: this.client.torrentPort,
        isAlone: () => this.wires.length === 0 && this.private !== true
      })
    )
  }

  override _addPeer (peer: unknown, type: string, source?: string): InternalPeer | null {
    const added = super._addPeer(peer, type, source)
    if (added !== null && typeof peer === 'string') this._sources.named(peer, source)
    return added
  }

  override async _onMetadata (metadata: unknown): Promise<void> {
    if (this.metadata !== null || this.#isStarting || this.destroyed) return
    try {
      const parsed = fromMetadata(metadata, this)
      if (parsed !== null) this._processParsedTorrent(parsed)
    } catch (err) {
      return this._destroy(err as Error)
    }
    if (this.task === null) return super._onMetadata(metadata)
    this.#isStarting = true
    return this._startTask(this.task)
  }
}

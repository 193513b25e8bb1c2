/**
 * A file of a task, with the interface of a WebTorrent file: sizes vary, and reading waits for parts that are not there yet.
 */
import { open } from 'node:fs/promises'
import WebTorrentFile from 'webtorrent/lib/file.js'
import type { TaskFile } from './task.ts'
import type { FinishedFile } from './task-events.ts'
import type { ByteRange, TorrentFile } from './webtorrent-types.ts'
import type { WorkSession } from './work-session.ts'

/** Parts are read in slices of at most this many bytes, so that a large one is not held in memory whole. */
const SLICE_BYTES = 1 << 20

/** Parts that are fetched or computed before all others: the one a reader waits for, and those it will want next. */
const READ_AHEAD = 3

const Base = WebTorrentFile as unknown as new (torrent: object, file: object) => TorrentFile & {
  _destroyed: boolean
  [Symbol.asyncIterator] (opts?: ByteRange): AsyncIterableIterator<Uint8Array>
}

/** One file of a task. Underscores for what is private: see ComputeTorrent. */
export class TaskFileView extends Base {
  readonly _session: WorkSession
  readonly _index: number
  /** what is on disk, once the file is finished */
  _finished: FinishedFile | undefined

  /** @param torrent the ComputeTorrent that WebTorrent's file refers to */
  constructor (torrent: object, session: WorkSession, file: TaskFile, index: number) {
    super(torrent, file)
    this._session = session
    this._index = index
  }

  /** Index of the file in the task. */
  get index (): number { return this._index }

  /** True when all parts are here and the file is finished: `length` is exact. */
  get isFinished (): boolean { return this._finished !== undefined }

  /** All parts are here; null: they are all there is, since the complete command may not run here. */
  finish (finished: FinishedFile | null): void {
    this._finished = finished ?? undefined
    this.done = true
  }

  /** A part was lost. */
  reopen (): void {
    this._finished = undefined
    this.done = false
  }

  /** Bytes: exact when the file is finished, an upper bound before. */
  override get length (): number {
    // WebTorrent's constructor asks before there is an answer
    if (this._session === undefined) return Infinity
    return this._finished?.length ?? this._session.progress.length(this._index)
  }

  // WebTorrent's constructor assigns what it believes the length to be
  override set length (_: number) { /* it follows from the parts */ }

  override get size (): number { return this.length }

  override set size (_: number) { /* as above */ }

  override get downloaded (): number {
    return this._destroyed ? 0 : this._session.progress.tally(this._index).bytes
  }

  override get progress (): number {
    return this._destroyed ? 0 : this._session.progress.fraction(this._index)
  }

  override [Symbol.asyncIterator] (opts: ByteRange = {}): AsyncIterableIterator<Uint8Array> {
    const { start = 0, end = Infinity } = opts ?? {}
    return this._finished === undefined ? this._readParts(start, end) : this._readFinished(this._finished, start, end)
  }

  override async arrayBuffer (opts: ByteRange = {}): Promise<ArrayBuffer> {
    if (this._destroyed) throw new Error('File is destroyed')
    const chunks: Uint8Array[] = []
    for await (const chunk of this[Symbol.asyncIterator](opts)) chunks.push(chunk)
    const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
    let offset = 0
    for (const chunk of chunks) {
      bytes.set(chunk, offset)
      offset += chunk.length
    }
    return bytes.buffer
  }

  /** What is on disk under the file's name. */
  async * _readFinished ({ path, length }: FinishedFile, start: number, end: number): AsyncIterableIterator<Uint8Array> {
    const last = Math.min(end, length - 1)
    const handle = await open(path)
    try {
      for (let at = start; at <= last && !this._destroyed;) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(SLICE_BYTES, last - at + 1)), { position: at })
        if (bytesRead === 0) return
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      await handle.close()
    }
  }

  /**
   * The parts one after another. Where a byte is depends on the sizes of all parts before it, and what peers say of those
   * proves nothing: a range waits for everything before its end.
   */
  async * _readParts (start: number, end: number): AsyncIterableIterator<Uint8Array> {
    const { firstPiece, parts } = this._session.task.files[this._index]!
    let offset = 0
    for (let index = firstPiece; index < firstPiece + parts && offset <= end; index++) {
      for (let ahead = index; ahead < Math.min(index + READ_AHEAD, firstPiece + parts); ahead++) this._session.urge(ahead)
      await this._session.waitFor(index)
      const size = this._session.results.ownSize(index)
      if (size === undefined || this._destroyed) return
      const last = Math.min(end - offset, size - 1)
      for (let at = Math.max(0, start - offset); at <= last && !this._destroyed; at += SLICE_BYTES) {
        yield await this._session.read(index, at, Math.min(SLICE_BYTES, last - at + 1))
      }
      offset += size
    }
  }
}

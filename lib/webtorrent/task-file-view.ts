/** A file of a task, with the interface of a WebTorrent file: sizes vary, and reading waits for missing parts. */
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import WebTorrentFile from 'webtorrent/lib/file.js'
import { equalBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import type { WorkSession } from '../session/work-session.ts'
import type { FinishedFile } from '../store/types.ts'
import type { TaskFile } from '../task/task.ts'
import { isConcatenation, unsupportedProblem } from '../task/unsupported.ts'
import type { ByteRange, TorrentFile } from './types.ts'
import { shortRead } from './whole-reads.ts'

/** Parts are read in slices of at most this many bytes, so that a large part is never in memory as a whole. */
const SLICE_BYTES = 1 << 20

/**
 * Number of parts that are downloaded or computed before all others: the one that a reader waits for, and the next
 * ones.
 */
const READ_AHEAD = 3

const Base = WebTorrentFile as unknown as new (torrent: object, file: object) => TorrentFile & {
  _destroyed: boolean
  readonly _fileStreams: Set<{ destroy (err: Error): void }>
  _destroy (): void
  [Symbol.asyncIterator] (opts?: ByteRange): AsyncIterableIterator<Uint8Array>
}

/** One file of a task. Private members have underscores: see ComputeTorrent. */
export class TaskFileView extends Base {
  readonly _session: WorkSession
  readonly _index: number
  /** the file on disk, once it is finished */
  _finished: FinishedFile | undefined
  /** all parts are stored, but the complete command that makes the file may not run */
  _isUnmerged = false
  /** aborted, with the reason, when nothing can be read any more */
  readonly _end = new AbortController()

  /** @param torrent the ComputeTorrent that WebTorrent's file refers to */
  constructor (torrent: object, session: WorkSession, file: TaskFile, index: number) {
    super(torrent, file)
    this._session = session
    this._index = index
  }

  /** Index of the file in the task. */
  get index (): number { return this._index }

  /** True if all parts are stored and the file is finished: `length` is exact. */
  get isFinished (): boolean { return this._finished !== undefined }

  /** All parts are stored. null: the file cannot be made, because the complete command may not run here. */
  finish (finished: FinishedFile | null): void {
    this._finished = finished ?? undefined
    this._isUnmerged = finished === null
    this.done = true
  }

  /** A part was lost. */
  reopen (): void {
    this._finished = undefined
    this._isUnmerged = false
    this.done = false
  }

  /** Readers receive an error: what they have read is not the whole file. */
  override _destroy (): void {
    const reason = this._session.endReason
    this._end.abort(reason)
    for (const stream of this._fileStreams) stream.destroy(reason)
    super._destroy()
  }

  /** Bytes: exact if the file is finished, otherwise an upper bound. */
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

  /**
   * Yields the bytes in order, as they become available. Throws BW_ERR_DESTROYED (the torrent was removed; if it
   * failed, `cause` says why), BW_ERR_PIECE_LOST, BW_ERR_SHORT_READ, BW_ERR_UNMERGED, BW_ERR_TASK_REQUIRES. It never
   * ends silently before the last byte.
   */
  override [Symbol.asyncIterator] (opts: ByteRange = {}): AsyncIterableIterator<Uint8Array> {
    const { start = 0, end = Infinity } = opts ?? {}
    if (this._finished !== undefined) return this._readFinished(this._finished, start, end)
    return isConcatenation(this._session.task) ? this._readParts(start, end) : this._readMade(start, end)
  }

  override async arrayBuffer (opts: ByteRange = {}): Promise<ArrayBuffer> {
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

  /** Reads the finished file on disk. */
  async * _readFinished (
    { path, length }: FinishedFile, start: number, end: number
  ): AsyncIterableIterator<Uint8Array> {
    const last = Math.min(end, length - 1)
    const handle = await open(path)
    try {
      if ((await handle.stat()).size !== length) throw shortRead(this.path)
      for (let at = start; at <= last;) {
        this._end.signal.throwIfAborted()
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(Math.min(SLICE_BYTES, last - at + 1)), {
          position: at
        })
        if (bytesRead === 0) throw shortRead(this.path)
        at += bytesRead
        yield buffer.subarray(0, bytesRead)
      }
    } finally {
      await handle.close()
    }
  }

  /**
   * Reads the parts one after another. The position of a byte depends on the sizes of all parts before it, and sizes
   * that peers announce prove nothing: a range waits for everything before its end.
   */
  async * _readParts (start: number, end: number): AsyncIterableIterator<Uint8Array> {
    const { firstPiece, parts } = this._session.task.files[this._index]!
    let offset = 0
    for (let index = firstPiece; index < firstPiece + parts && offset <= end; index++) {
      await this._waitFor(index)
      const result = this._session.results.own(index)!
      const last = Math.min(end - offset, result.size - 1)
      for (let at = Math.max(0, start - offset); at <= last; at += SLICE_BYTES) {
        const slice = await this._session.read(index, at, Math.min(SLICE_BYTES, last - at + 1))
        const now = this._session.results.own(index)
        // it was lost and replaced in the meantime, perhaps by another result
        if (now === undefined || !equalBytes(now.digest, result.digest)) throw lostPiece(index)
        yield slice
      }
      offset += result.size
    }
  }

  /** Reads a file that is made by a complete command, or in an unknown way: nothing can be read before it is made. */
  async * _readMade (start: number, end: number): AsyncIterableIterator<Uint8Array> {
    const problem = unsupportedProblem(this._session.task)
    if (problem !== null) throw problem
    const { firstPiece, parts } = this._session.task.files[this._index]!
    for (let index = firstPiece; index < firstPiece + parts; index++) await this._waitFor(index)
    while (this._finished === undefined) {
      if (this._isUnmerged) throw unmerged(this.path)
      await once(this, 'done', { signal: this._end.signal }).catch(() => { throw this._session.endReason })
    }
    yield * this._readFinished(this._finished, start, end)
  }

  /** Resolves when the piece is stored. It goes before all others, followed by the pieces that will be read next. */
  async _waitFor (index: number): Promise<void> {
    const { firstPiece, parts } = this._session.task.files[this._index]!
    for (let ahead = index; ahead < Math.min(index + READ_AHEAD, firstPiece + parts); ahead++) this._session.urge(ahead)
    await this._session.waitFor(index)
  }
}

function lostPiece (index: number): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_PIECE_LOST', 'system', `Piece ${index} was lost while it was read, and replaced. Read the file again.`
  )
}

function unmerged (path: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_UNMERGED',
    'usage',
    `${path}: All parts are stored, but the complete command that makes the file from them has not run. Compute the task, or get the file elsewhere.`
  )
}

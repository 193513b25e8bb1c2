/**
 * Files of ordinary torrents are read to their end, or the reader receives an error. In WebTorrent 3.0.21, a read that
 * fails, or whose torrent is removed in the meantime, ends silently or never: `arrayBuffer` then resolves with zeros in
 * place of missing data. Importing this file guards WebTorrent's class. If the class has changed, that is an error at
 * start-up.
 */
import type { EventEmitter } from 'node:events'
import WebTorrentFile from 'webtorrent/lib/file.js'
import { BitWorkerError } from '../base/errors.ts'

/** The bytes from `start` to `end`, both included. */
interface ByteRange { start?: number, end?: number }

interface InternalFile {
  readonly path: string
  readonly length: number
  readonly _destroyed: boolean
  _destroy: (this: InternalFile) => void
  [Symbol.asyncIterator]: (this: InternalFile, opts?: ByteRange) => InternalIterator
  createReadStream: (this: InternalFile, opts?: ByteRange) => EventEmitter
}

type InternalIterator = AsyncIterator<Uint8Array> & { destroy? (): void }

/** The readers of each file. */
const readers = new WeakMap<InternalFile, Set<WholeRead>>()

/** Yields all bytes of a range, or throws an error. */
class WholeRead implements AsyncIterableIterator<Uint8Array> {
  readonly #file: InternalFile
  readonly #inner: InternalIterator
  #missing: number
  #settle: (end: IteratorResult<Uint8Array, undefined> | Promise<never>) => void = () => {}
  /** our own end of the stream; WebTorrent's iterators never settle for readers that wait for bytes */
  readonly #end: Promise<IteratorResult<Uint8Array, undefined>>
  #isLeft = false

  constructor (file: InternalFile, inner: InternalIterator, bytes: number) {
    this.#file = file
    this.#inner = inner
    this.#missing = bytes
    this.#end = new Promise(resolve => { this.#settle = resolve })
    this.#end.catch(() => {})
    if (file._destroyed) this.breakOff()
    else readers.set(file, (readers.get(file) ?? new Set()).add(this))
  }

  [Symbol.asyncIterator] (): this { return this }

  async next (): Promise<IteratorResult<Uint8Array, undefined>> {
    const result = await Promise.race([this.#end, this.#inner.next()])
    if (result.done !== true) {
      this.#missing -= result.value.length
      return result
    }
    this.#forget()
    if (this.#missing > 0 && !this.#isLeft) throw shortRead(this.#file.path)
    return { done: true, value: undefined }
  }

  async return (): Promise<IteratorResult<Uint8Array, undefined>> {
    this.destroy()
    await this.#inner.return?.()
    return { done: true, value: undefined }
  }

  /** The reader needs no more. */
  destroy (): void {
    this.#isLeft = true
    this.#settle({ done: true, value: undefined })
    this.#forget()
    this.#inner.destroy?.()
  }

  /** The torrent is gone. */
  breakOff (): void {
    const err = new BitWorkerError(
      'BW_ERR_DESTROYED', 'usage', `${this.#file.path}: The torrent was removed before the file was read to its end. Add it again.`
    )
    this.#settle(Promise.reject(err))
  }

  #forget (): void { readers.get(this.#file)?.delete(this) }
}

/** Makes the error for a file on disk that is too short or cannot be read. */
export function shortRead (path: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_SHORT_READ', 'system', `${path}: The file could not be read to its end, because it was changed or removed on disk.`
  )
}

function guardReads (prototype: InternalFile): void {
  const { [Symbol.asyncIterator]: iterate, _destroy: destroy, createReadStream } = prototype
  if ([iterate, destroy, createReadStream].some(each => typeof each !== 'function')) {
    throw new Error('WebTorrent has changed: its reading of files cannot be guarded.')
  }
  prototype[Symbol.asyncIterator] = function (opts) {
    // as WebTorrent interprets the range
    const { start = 0, end = 0 } = opts ?? {}
    const last = end > 0 && end < this.length ? end : this.length - 1
    return new WholeRead(this, iterate.call(this, opts), last - start + 1)
  }
  prototype.createReadStream = function (opts) {
    // WebTorrent's streams never fail: without a listener for errors, 'close' without 'end' follows, and the process
    // continues
    return createReadStream.call(this, opts).on('error', () => {})
  }
  prototype._destroy = function () {
    // first, because WebTorrent then ends its streams as if the reader had asked for it
    for (const reader of readers.get(this) ?? []) reader.breakOff()
    destroy.call(this)
  }
}

guardReads((WebTorrentFile as unknown as { prototype: InternalFile }).prototype)

/**
 * The data of an input torrent on disk, as WebTorrent's chunk store: files in a cache that are written as they arrive,
 * or the author's own files, which are only read, and are rejected if they change.
 */
import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs'
import type { Stats } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../base/errors.ts'
import { PieceCache, WINDOW_BYTES } from '../base/piece-cache.ts'
import { isGone, readAt, writeAt } from '../system/file-io.ts'
import { errnoOf, ioError } from '../system/io-errors.ts'
import { OpenFiles } from '../system/open-files.ts'
import type { InputLayout } from './metainfo.ts'
import { stampAt, statsOf } from './stamps.ts'

type Callback = (err: Error | null, bytes?: Buffer) => void

/** Options of the store. */
export interface FileStoreOptions {
  layout: InputLayout
  /** absolute path of the folder, or of the single file */
  root: string
  isWritable: boolean
  /** called before a file is made; it is not if this throws */
  beforeNew? (): void
  /** whether a torrent piece has been verified, so that it must be on disk; default: nothing is known */
  isHere?: (piece: number) => boolean
  /** what a file must be to be read, see stamps.ts; undefined: we write to it ourselves. Default: always undefined */
  mustBe? (file: number): string | undefined
  /** called if a file has changed or is gone */
  onChange? (path: string): void
}

/** The region of a file for a range of the torrent: the bytes `from` to `to` of the range are at `at` in the file. */
interface Span { file: number, at: number, from: number, to: number }

/**
 * Reads and writes blocks of a torrent that may span several files. Padding (BEP 47) is zeros, and is not on disk.
 * Peers are served from windows in memory. A window is only kept if its file was unchanged after it was read.
 */
export class FileStore {
  readonly chunkLength: number
  readonly #opts: FileStoreOptions
  readonly #files: OpenFiles
  readonly #windows: PieceCache
  /** windows that are being read, by piece and number */
  readonly #reads = new Map<string, Promise<Buffer>>()
  /** the state of files when they were first used, by path */
  readonly #known = new Map<string, string>()
  /** files written to since `doubt` */
  readonly #written = new Set<number>()
  /** the content is being checked, so it is not sent to peers */
  #isDoubted = false

  constructor (opts: FileStoreOptions) {
    this.chunkLength = opts.layout.pieceLength
    this.#opts = opts
    this.#files = new OpenFiles(at => this.#openFile(at))
    this.#windows = new PieceCache(this.chunkLength)
  }

  /** The path of a file of the layout. */
  pathOf (file: number): string { return filePath(this.#opts.root, this.#opts.layout, file) }

  put (index: number, bytes: Uint8Array, cb: Callback = () => {}): void {
    this.#windows.forget(index)
    this.#write(index * this.chunkLength, bytes).then(() => { cb(null) }, cb)
  }

  get (index: number, opts?: { offset?: number, length?: number } | Callback | null, cb: Callback = () => {}): void {
    if (typeof opts === 'function') return this.get(index, null, opts)
    const start = index * this.chunkLength
    const { offset = 0, length = this.#lengthOf(index) - offset } = opts ?? {}
    // a peer's request: WebTorrent itself reads whole pieces, to check them
    if (this.#isDoubted && opts?.offset !== undefined) return queueMicrotask(() => { cb(inDoubt()) })
    const cached = this.#windows.slice(index, offset, length)
    if (cached !== undefined) return queueMicrotask(() => { cb(null, cached) })
    const window = Math.floor(offset / WINDOW_BYTES)
    // an unverified piece may still be written, so it is not cached
    const isInWindow = offset + length <= (window + 1) * WINDOW_BYTES && this.#opts.isHere?.(index) === true
    const read = isInWindow
      ? this.#window(index, window).then(bytes => bytes.subarray(offset - window * WINDOW_BYTES).subarray(0, length))
      : this.read(start + offset, length)
    read.then(bytes => {
      if (this.#isDoubted && opts?.offset !== undefined) cb(inDoubt())
      else cb(null, bytes)
    }, cb)
  }

  close (cb: Callback = () => {}): void {
    this.#forget()
    cb(null)
  }

  destroy (cb: Callback = () => {}): void { this.close(cb) }

  /**
   * The files may have been changed, removed or replaced: opens them again, and sends nothing to peers until `trust` is
   * called, when everything has been checked.
   */
  doubt (): void {
    this.#isDoubted = true
    this.#written.clear()
    this.#forget()
  }

  trust (): void { this.#isDoubted = false }

  /** Whether the file was written to since `doubt`. */
  hasWritten (file: number): boolean { return this.#written.has(file) }

  #forget (): void {
    this.#files.close()
    this.#windows.clear()
    this.#reads.clear()
    this.#known.clear()
  }

  /**
   * Reads bytes from position `start` in the torrent. Rejects with BW_ERR_INPUT if they are missing or the file has
   * changed, and with errors of the file system.
   */
  async read (start: number, length: number): Promise<Buffer> {
    const spans = [...this.#spans(start, length)]
    const [only] = spans
    if (only !== undefined && only.from === 0 && only.to === length) return this.#readSpan(only)
    const bytes = Buffer.alloc(length)
    for (const span of spans) bytes.set(await this.#readSpan(span), span.from)
    return bytes
  }

  #lengthOf (index: number): number {
    return Math.min(this.chunkLength, this.#opts.layout.torrentLength - index * this.chunkLength)
  }

  async #window (index: number, window: number): Promise<Buffer> {
    const key = `${index}.${window}`
    const known = this.#reads.get(key)
    if (known !== undefined) return known
    const offset = window * WINDOW_BYTES
    const read = this.read(index * this.chunkLength + offset, Math.min(WINDOW_BYTES, this.#lengthOf(index) - offset))
    this.#reads.set(key, read)
    try {
      const bytes = await read
      // false if `doubt` was called meanwhile
      if (this.#reads.get(key) === read) this.#windows.set(index, window, bytes)
      return bytes
    } finally {
      if (this.#reads.get(key) === read) this.#reads.delete(key)
    }
  }

  async #readSpan ({ file, at, from, to }: Span): Promise<Buffer> {
    const where = this.pathOf(file)
    const isExpected = !this.#opts.isWritable || this.#isExpected(file, at, at + to - from)
    try {
      const bytes = await this.#files.use(where, async fd => readAt(fd, at, to - from))
      // checked afterwards, so that a change during the read is noticed
      if (bytes.length === to - from && this.#isSame(file, where)) return bytes
    } catch (err) {
      if (!isGone(err)) throw err
    }
    if (isExpected) this.#changed(where)
    throw this.#notThere(where)
  }

  /** Whether any of these bytes of a file have been verified. */
  #isExpected (file: number, start: number, end: number): boolean {
    const { isHere } = this.#opts
    if (isHere === undefined) return false
    const { offset } = this.#opts.layout.files[file]!
    const last = Math.floor((offset + end - 1) / this.chunkLength)
    let piece = Math.floor((offset + start) / this.chunkLength)
    while (piece <= last && !isHere(piece)) piece++
    return piece <= last
  }

  async #write (start: number, bytes: Uint8Array): Promise<void> {
    if (!this.#opts.isWritable) throw new Error('it is only read')
    for (const { file, at, from, to } of this.#spans(start, bytes.length)) {
      const where = this.pathOf(file)
      try {
        this.#makeFile(file, where)
        this.#written.add(file)
        await this.#files.use(where, async fd => { await writeAt(fd, at, bytes.subarray(from, to)) })
      } catch (err) {
        throw ioError(err, where)
      }
    }
  }

  /** Creates the file if necessary. If it is not the file that verified data was written to, that data is lost. */
  #makeFile (file: number, where: string): void {
    const stamp = identityOf(statsOf(where))
    const known = this.#known.get(where)
    if (stamp !== '' && stamp === known) return
    const isLost = known !== undefined || (stamp === '' && this.#isExpected(file, 0, this.#opts.layout.files[file]!.length))
    if (isLost) this.#changed(where)
    if (stamp !== '') return
    this.#opts.beforeNew?.()
    mkdirSync(path.dirname(where), { recursive: true, mode: 0o755 })
    closeSync(openSync(where, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600))
  }

  /** The regions of files for a range of the torrent. */
  * #spans (start: number, length: number): Generator<Span> {
    const { files } = this.#opts.layout
    let file = firstBefore(files, start)
    for (; file < files.length && files[file]!.offset < start + length; file++) {
      const { offset, length: size } = files[file]!
      const [from, to] = [Math.max(start, offset), Math.min(start + length, offset + size)]
      if (from < to) yield { file, at: from - offset, from: from - start, to: to - start }
    }
  }

  #openFile (at: string): number {
    const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants
    const fd = this.#opts.isWritable
      ? openOr(at, O_RDWR | O_NOFOLLOW | O_NONBLOCK, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      : openSync(at, O_RDONLY | O_NONBLOCK)
    if (!this.#known.has(at)) this.#known.set(at, identityOf(fstatSync(fd)))
    return fd
  }

  #isSame (file: number, at: string): boolean {
    const stamp = this.#isDoubted ? undefined : this.#opts.mustBe?.(file)
    return stamp === undefined ? identityOf(statsOf(at)) === this.#known.get(at) : stampAt(at) === stamp
  }

  #changed (at: string): void {
    this.#files.forget(at)
    this.#known.delete(at)
    this.#windows.clear()
    this.#opts.onChange?.(at)
  }

  #notThere (at: string): BitWorkerError {
    return new BitWorkerError('BW_ERR_INPUT', 'system', `${at} is incomplete or has changed, and is checked again.`)
  }
}

function inDoubt (): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT', 'system', 'The input has changed, and is being checked.')
}

/** The identity of a file; '' if it does not exist. */
function identityOf (stats: Stats | undefined): string {
  return stats === undefined ? '' : `${stats.dev} ${stats.ino}`
}

/** Opens a file; a complete one is read-only, and is opened with the other flags. */
function openOr (at: string, flags: number, otherwise: number): number {
  try {
    return openSync(at, flags)
  } catch (err) {
    if (errnoOf(err) !== 'EACCES') throw err
    return openSync(at, otherwise)
  }
}

/** The path of a file of an input. */
export function filePath (root: string, { isFolder, files }: InputLayout, file: number): string {
  return isFolder ? path.join(root, files[file]!.path) : root
}

/** The last file that begins at `position` or before; 0 if there is none. */
export function firstBefore (files: InputLayout['files'], position: number): number {
  let [low, high] = [0, files.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (files[middle]!.offset <= position) low = middle
    else high = middle - 1
  }
  return low
}

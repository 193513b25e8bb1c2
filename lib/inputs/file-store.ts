/**
 * The data of an input torrent on disk, as WebTorrent's chunk store: files in a cache that are written as they arrive,
 * or the author's own files, which are only read, and are rejected if they change.
 */
import { constants, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { BitWorkerError } from '../base/errors.ts'
import type { InputLayout } from './metainfo.ts'

/** Number of unused files that stay open. */
const MAX_OPEN = 16

type Callback = (err: Error | null, bytes?: Buffer) => void

/** Options of the store. */
export interface FileStoreOptions {
  layout: InputLayout
  /** absolute path of the folder, or of the single file */
  root: string
  isWritable: boolean
  /** a file that is only read has changed */
  onChange?: (path: string) => void
}

/** `isStale`: it is closed when it is no longer used. */
interface Opened { handle: Promise<FileHandle>, users: number, isStale: boolean }

/** Reads and writes blocks of a torrent that may span several files. Padding (BEP 47) is zeros, and is not on disk. */
export class FileStore {
  readonly chunkLength: number
  readonly #opts: FileStoreOptions
  /** by index, the least recently used first */
  readonly #open = new Map<number, Opened>()
  /** for files that are only read: their state when they were first opened */
  readonly #known = new Map<number, string>()

  constructor (opts: FileStoreOptions) {
    this.chunkLength = opts.layout.pieceLength
    this.#opts = opts
  }

  /** The path of a file of the layout. */
  pathOf (file: number): string { return filePath(this.#opts.root, this.#opts.layout, file) }

  put (index: number, bytes: Uint8Array, cb: Callback = () => {}): void {
    this.#write(index * this.chunkLength, bytes).then(() => { cb(null) }, cb)
  }

  get (index: number, opts?: { offset?: number, length?: number } | Callback | null, cb: Callback = () => {}): void {
    if (typeof opts === 'function') return this.get(index, null, opts)
    const { torrentLength } = this.#opts.layout
    const start = index * this.chunkLength
    const { offset = 0, length = Math.min(this.chunkLength, torrentLength - start) - offset } = opts ?? {}
    this.read(start + offset, length).then(bytes => { cb(null, bytes) }, cb)
  }

  close (cb: Callback = () => {}): void {
    Promise.all(Array.from(this.#open.values(), async ({ handle }) => (await handle).close()))
      .then(() => { cb(null) }, cb)
    this.#open.clear()
  }

  destroy (cb: Callback = () => {}): void { this.close(cb) }

  /** The files may have been removed or replaced: closes them, so that they are opened again. */
  forget (): void {
    for (const opened of this.#open.values()) {
      opened.isStale = true
      if (opened.users === 0) closeSoon(opened)
    }
    this.#open.clear()
  }

  /**
   * Reads bytes from position `start` in the torrent. Rejects with errors of the file system, and for a file that is
   * too short.
   */
  async read (start: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    for (const { file, at, from, to } of this.#spans(start, length)) {
      await this.#use(file, async handle => {
        if (!this.#opts.isWritable) await this.#checkSame(file, handle)
        const { bytesRead } = await handle.read(bytes, from, to - from, at)
        if (bytesRead < to - from) throw new Error(`${this.pathOf(file)} is too short`)
      })
    }
    return bytes
  }

  async #write (start: number, bytes: Uint8Array): Promise<void> {
    if (!this.#opts.isWritable) throw new Error('it is only read')
    for (const { file, at, from, to } of this.#spans(start, bytes.length)) {
      await this.#use(file, async handle => {
        for (let done = from; done < to;) {
          done += (await handle.write(bytes, done, to - done, at + done - from)).bytesWritten
        }
      })
    }
  }

  /** The regions of files for a range of the torrent: the bytes `from` to `to` of the range are at `at` in the file. */
  * #spans (start: number, length: number): Generator<{ file: number, at: number, from: number, to: number }> {
    const { files } = this.#opts.layout
    let file = firstBefore(files, start)
    for (; file < files.length && files[file]!.offset < start + length; file++) {
      const { offset, length: size } = files[file]!
      const [from, to] = [Math.max(start, offset), Math.min(start + length, offset + size)]
      if (from < to) yield { file, at: from - offset, from: from - start, to: to - start }
    }
  }

  async #use<T> (file: number, use: (handle: FileHandle) => Promise<T>): Promise<T> {
    const opened = this.#open.get(file) ?? { handle: this.#openFile(file), users: 0, isStale: false }
    this.#open.delete(file)
    this.#open.set(file, opened)
    opened.users++
    try {
      return await use(await opened.handle)
    } catch (err) {
      // it may be another file by now, or none
      if (this.#open.get(file) === opened) this.#open.delete(file)
      opened.isStale = true
      throw err
    } finally {
      opened.users--
      if (opened.isStale && opened.users === 0) closeSoon(opened)
      this.#closeUnused()
    }
  }

  async #openFile (file: number): Promise<FileHandle> {
    const at = this.pathOf(file)
    if (!this.#opts.isWritable) return open(at, constants.O_RDONLY)
    await mkdir(path.dirname(at), { recursive: true, mode: 0o755 })
    return open(at, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
      // complete, so it is read-only
      .catch(async err => (err as NodeJS.ErrnoException).code === 'EACCES' ? open(at, constants.O_RDONLY) : Promise.reject(err))
  }

  #closeUnused (): void {
    for (const [file, opened] of this.#open) {
      if (this.#open.size <= MAX_OPEN) return
      if (opened.users > 0) continue
      this.#open.delete(file)
      closeSoon(opened)
    }
  }

  async #checkSame (file: number, handle: FileHandle): Promise<void> {
    const stamp = stampOf(await handle.stat())
    const known = this.#known.get(file) ?? stamp
    this.#known.set(file, known)
    if (stamp === known && stampOf(statSync(this.pathOf(file), { throwIfNoEntry: false })) === known) return
    this.#opts.onChange?.(this.pathOf(file))
    throw new BitWorkerError('BW_ERR_INPUT', 'system', `${this.pathOf(file)} has changed, and is not shared any more.`)
  }
}

function closeSoon ({ handle }: Opened): void { void handle.then(async opened => opened.close()).catch(() => {}) }

/** The path of a file of an input. */
export function filePath (root: string, { isFolder, files }: InputLayout, file: number): string {
  return isFolder ? path.join(root, files[file]!.path) : root
}

/** A text that changes with a file's content. */
function stampOf (stats: Stats | undefined): string {
  return stats === undefined ? '' : `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs}`
}

/** The last file that begins at `position` or before; 0 if there is none. */
function firstBefore (files: InputLayout['files'], position: number): number {
  let [low, high] = [0, files.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (files[middle]!.offset <= position) low = middle
    else high = middle - 1
  }
  return low
}

/**
 * The finished files of a sealed task as a store for WebTorrent (abstract-chunk-store). The files are read in place,
 * and never written. Each read checks that the file has not changed since it was sealed. Called by
 * webtorrent/sealing.ts.
 */
import { concatBytes } from '../base/bencode.ts'
import { readUnchanged } from '../store/finished-files.ts'
import type { Seal, SealedFile } from './seal.ts'

type Callback = (err: Error | null, bytes?: Uint8Array) => void

/** Where each file begins, as an offset in bytes into all files together. */
interface Start { file: SealedFile, start: number }

/** A store that has all pieces from the start. */
export class SealedStore {
  /** bytes per piece */
  readonly chunkLength: number
  readonly #folder: string
  readonly #starts: Start[] = []
  readonly #length: number

  /** @param folder the output folder of the task */
  constructor ({ files, pieceLength }: Seal, folder: string) {
    this.chunkLength = pieceLength
    this.#folder = folder
    let start = 0
    for (const file of files) {
      if (file.length > 0) this.#starts.push({ file, start })
      start += file.length
    }
    this.#length = start
  }

  /** Errors: BW_ERR_NOT_FINISHED if a file has changed since it was sealed; those of the file system. */
  get (index: number, opts: { offset?: number, length?: number } | null | Callback, cb: Callback = () => {}): void {
    if (typeof opts === 'function') return this.get(index, null, opts)
    const first = index * this.chunkLength
    const size = Math.min(this.chunkLength, this.#length - first)
    const { offset = 0, length = size - offset } = opts ?? {}
    const end = Math.min(first + offset + length, first + size)
    this.#read(first + offset, end).then(
      bytes => queueMicrotask(() => { cb(null, bytes) }), (err: Error) => queueMicrotask(() => { cb(err) })
    )
  }

  async #read (from: number, to: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = []
    for (let at = this.#indexOf(from); at < this.#starts.length && this.#starts[at]!.start < to; at++) {
      const { file, start } = this.#starts[at]!
      const begin = Math.max(from, start) - start
      const end = Math.min(to, start + file.length) - start
      const where = { folder: this.#folder, path: file.path }
      parts.push(await readUnchanged(where, file.mark, begin, end - begin))
    }
    return concatBytes(parts)
  }

  /** The last file that begins at or before the byte. */
  #indexOf (byte: number): number {
    let low = 0
    let high = this.#starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.#starts[middle]!.start <= byte) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Does nothing: WebTorrent calls it for a piece that it found damaged, and the task's own peers repair that. */
  put (_index: number, _bytes: Uint8Array, cb: (err: Error | null) => void = () => {}): void {
    queueMicrotask(() => { cb(new Error('a sealed file is never written to')) })
  }

  close (cb: (err: Error | null) => void = () => {}): void { queueMicrotask(() => { cb(null) }) }

  /** The files are kept: they belong to the task. */
  destroy (cb: (err: Error | null) => void = () => {}): void { this.close(cb) }
}

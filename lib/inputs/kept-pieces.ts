/**
 * Records which pieces of an input are in the cache, as they arrive, and makes complete files read-only. Used by
 * lib/webtorrent/shared-input.ts.
 */
import { traceOf } from '../base/trace.ts'
import type { CacheEntry } from './cache.ts'
import { filePath, firstBefore } from './file-store.ts'
import type { InputLayout } from './metainfo.ts'
import { torrentPiecesOf } from './slices.ts'
import { SharedCheck, stampAt } from './stamps.ts'

const trace = traceOf('inputs')

/** Interval at which the stored pieces are recorded. */
const STATE_MS = 5_000

/** The torrent pieces of one input in the cache. */
export class KeptPieces {
  readonly #entry: CacheEntry
  readonly #layout: InputLayout
  readonly #has: (piece: number) => boolean
  /** files that are complete, and how they were then */
  readonly #sealed = new Map<number, string>()
  readonly #all = new SharedCheck(() => this.#sealed.keys(), file => this.#isIntact(file))
  #timer: NodeJS.Timeout | undefined

  /** @param has whether a torrent piece is stored */
  constructor (entry: CacheEntry, layout: InputLayout, has: (piece: number) => boolean) {
    this.#entry = entry
    this.#layout = layout
    this.#has = has
  }

  /** Checks all files. Returns false if a file that should be stored is not. */
  check (): boolean {
    this.#sealed.clear()
    const isWhole = this.#layout.files.every((_, file) => this.#seal(file))
    this.write()
    return isWhole
  }

  /** A torrent piece has arrived. Returns false if a file that should be stored is not. */
  add (piece: number): boolean {
    const { files, pieceLength } = this.#layout
    this.#timer ??= setTimeout(() => { this.write() }, STATE_MS).unref()
    let isWhole = true
    for (let file = firstBefore(files, piece * pieceLength); file < files.length; file++) {
      const { offset, length } = files[file]!
      if (offset >= (piece + 1) * pieceLength) break
      if (offset + length > piece * pieceLength) isWhole = this.#seal(file) && isWhole
    }
    return isWhole
  }

  /** What the file was when it was complete; undefined: it is not. */
  stampOf (file: number): string | undefined { return this.#sealed.get(file) }

  /** A file, or all that are complete, are what they were then. */
  async isIntact (file: number | 'all'): Promise<boolean> {
    return file === 'all' ? this.#all.run() : this.#isIntact(file)
  }

  #isIntact (file: number): boolean {
    const stamp = this.#sealed.get(file)
    return stamp === undefined || stampAt(filePath(this.#entry.root, this.#layout, file)) === stamp
  }

  /** Nothing of it is sure any more. Never throws: the folder may be gone, or the disk full. */
  doubt (): void {
    this.#entry.forgetPieces()
    this.#sealed.clear()
    for (const file of this.#layout.files.keys()) this.#entry.unseal(this.#layout, file)
  }

  /** Records the stored pieces. Never throws: if it fails, everything is checked the next time. */
  write (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const count = Math.ceil(this.#layout.torrentLength / this.#layout.pieceLength)
    const bits = new Uint8Array(Math.ceil(count / 8))
    for (let piece = 0; piece < count; piece++) if (this.#has(piece)) bits[piece >> 3]! |= 0x80 >> (piece & 7)
    try {
      this.#entry.writePieces(this.#layout, bits)
    } catch (err) {
      trace('the state of the cache cannot be recorded: %s', (err as Error).message)
    }
  }

  close (): void { clearTimeout(this.#timer) }

  /** Makes the file read-only if it is complete. */
  #seal (file: number): boolean {
    if (this.#sealed.has(file)) return true
    const pieces = torrentPiecesOf(this.#layout, { file, start: 0, end: this.#layout.files[file]!.length })
    for (let piece = pieces?.first ?? 0; piece <= (pieces?.last ?? -1); piece++) if (!this.#has(piece)) return true
    try {
      this.#entry.seal(this.#layout, file)
      this.#sealed.set(file, stampAt(filePath(this.#entry.root, this.#layout, file)))
      if (this.#sealed.size === this.#layout.files.length) this.#entry.sealFolders(this.#layout)
      return true
    } catch {
      return false
    }
  }
}

/** The bitfield (BEP 3) of all pieces. */
export function allPieces ({ torrentLength, pieceLength }: InputLayout): Uint8Array {
  const count = Math.ceil(torrentLength / pieceLength)
  const bits = new Uint8Array(Math.ceil(count / 8)).fill(0xff)
  if (count % 8 > 0) bits[bits.length - 1] = 0xff << (8 - count % 8)
  return bits
}

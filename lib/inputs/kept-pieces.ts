/**
 * Records which pieces of an input are in the cache, as they arrive, and makes complete files read-only. Used by
 * lib/webtorrent/shared-input.ts.
 */
import { traceOf } from '../base/trace.ts'
import type { CacheEntry } from './cache.ts'
import { filePath, firstBefore } from './file-store.ts'
import { isLinkThere } from './links.ts'
import type { InputLink } from './links.ts'
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
  /** BEP 3's bitfield, since `check` */
  #bits: Uint8Array | null = null
  /** of each file: torrent pieces that it lacks, and how it was when that was recorded */
  #lacks: number[] = []
  #stamps: string[] = []
  /** files that have got more since they were recorded */
  readonly #touched = new Set<number>()
  readonly #all = new SharedCheck(() => this.#present(), each => this.#isIntact(each))
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
    this.#touched.clear()
    const bits = this.#bits = noPieces(this.#layout)
    for (let piece = 0; piece < pieceCount(this.#layout); piece++) if (this.#has(piece)) setBit(bits, piece)
    this.#lacks = this.#layout.files.map((_, file) => this.#countLacks(file, bits))
    const isWhole = [...this.#layout.files.keys()].reduce((isSound, file) => this.#seal(file) && isSound, true)
    this.#stamps = this.#layout.files.map((_, file) => this.#stampNow(file))
    this.write()
    return isWhole
  }

  /** A torrent piece has arrived. Returns false if a file that should be stored is not. */
  add (piece: number): boolean {
    const bits = this.#bits
    if (bits === null || hasBit(bits, piece)) return true
    setBit(bits, piece)
    const { files, pieceLength } = this.#layout
    this.#timer ??= setTimeout(() => { this.write() }, STATE_MS).unref()
    let isWhole = true
    for (let file = firstBefore(files, piece * pieceLength); file < files.length; file++) {
      const { offset, length } = files[file]!
      if (offset >= (piece + 1) * pieceLength) break
      if (offset + length <= piece * pieceLength || length === 0) continue
      this.#lacks[file]!--
      this.#touched.add(file)
      isWhole = this.#seal(file) && isWhole
    }
    return isWhole
  }

  #countLacks (file: number, bits: Uint8Array): number {
    const pieces = torrentPiecesOf(this.#layout, { file, start: 0, end: this.#layout.files[file]!.length })
    let lacks = 0
    for (let piece = pieces?.first ?? 0; piece <= (pieces?.last ?? -1); piece++) if (!hasBit(bits, piece)) lacks++
    return lacks
  }

  #stampNow (file: number): string {
    return this.#sealed.get(file) ?? stampAt(filePath(this.#entry.root, this.#layout, file))
  }

  /** What the file was when it was complete; undefined: it is not. */
  stampOf (file: number): string | undefined { return this.#sealed.get(file) }

  /** A file, or all that are complete, are what they were then; if all are, so are the links. */
  async isIntact (file: number | 'all'): Promise<boolean> {
    return file === 'all' ? this.#all.run() : this.#isIntact(file)
  }

  #present (): Array<number | InputLink> {
    const isWhole = this.#sealed.size === this.#layout.files.length
    return [...this.#sealed.keys(), ...(isWhole ? this.#layout.links : [])]
  }

  #isIntact (file: number | InputLink): boolean {
    if (typeof file === 'object') return isLinkThere(this.#entry.root, file)
    const stamp = this.#sealed.get(file)
    return stamp === undefined || stampAt(filePath(this.#entry.root, this.#layout, file)) === stamp
  }

  /** Nothing of it is sure any more. Never throws: the folder may be gone, or the disk full. */
  doubt (): void {
    this.close()
    this.#bits = null
    this.#entry.forgetPieces()
    this.#sealed.clear()
    for (const file of this.#layout.files.keys()) this.#entry.unseal(this.#layout, file)
  }

  /** Records the stored pieces. Never throws: if it fails, everything is checked the next time. */
  write (): void {
    this.close()
    if (this.#bits === null) return
    for (const file of this.#touched) this.#stamps[file] = this.#stampNow(file)
    this.#touched.clear()
    try {
      this.#entry.writePieces(this.#bits, this.#stamps)
    } catch (err) {
      trace('the state of the cache cannot be recorded: %s', (err as Error).message)
    }
  }

  close (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Makes the file read-only if it is complete. */
  #seal (file: number): boolean {
    if (this.#sealed.has(file) || this.#lacks[file]! > 0) return true
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
export function allPieces (layout: InputLayout): Uint8Array {
  const count = pieceCount(layout)
  const bits = noPieces(layout).fill(0xff)
  if (count % 8 > 0) bits[bits.length - 1] = 0xff << (8 - count % 8)
  return bits
}

function pieceCount ({ torrentLength, pieceLength }: InputLayout): number {
  return Math.ceil(torrentLength / pieceLength)
}

function noPieces (layout: InputLayout): Uint8Array { return new Uint8Array(Math.ceil(pieceCount(layout) / 8)) }

function hasBit (bits: Uint8Array, piece: number): boolean { return (bits[piece >> 3]! & 0x80 >> (piece & 7)) !== 0 }

function setBit (bits: Uint8Array, piece: number): void { bits[piece >> 3]! |= 0x80 >> (piece & 7) }

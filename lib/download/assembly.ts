/**
 * Assembles a piece from its blocks: which blocks to request, and where their bytes go. Called by downloader.ts.
 *
 * Bytes are collected in windows of 1 MiB, and hashed window by window. The windows of a piece of up to a few MiB stay
 * in memory until its digest has been checked. Those of a larger piece are written as they arrive, and if they arrive
 * out of order, they are read back from disk and hashed at the end. Memory use therefore does not depend on the size of
 * the piece.
 */
import { incrementalSha256 } from '../base/digest.ts'
import type { PieceDraft } from '../store/types.ts'

/** BEP 3: bytes per request. */
export const BLOCK_BYTES = 16 * 1024
const WINDOW_BYTES = 1 << 20
/** Larger pieces are not kept in memory. */
const MAX_BYTES_IN_MEMORY = 4 << 20
const BLOCKS_PER_WINDOW = WINDOW_BYTES / BLOCK_BYTES

/** Where a piece is written. */
export type PieceSink = Omit<PieceDraft, 'commit'>

const FREE = 0
const RESERVED = 1
const HERE = 2

/** One piece that is being downloaded. */
export class Assembly {
  readonly size: number
  /** bytes received so far */
  received = 0
  readonly #sink: PieceSink
  readonly #blocks: Uint8Array
  /** the blocks before it are reserved, except those in `#freed` */
  #next = 0
  readonly #freed: number[] = []
  #missing: number
  readonly #windows = new Map<number, { bytes: Buffer, missing: number }>()
  readonly #complete = new Map<number, Buffer>()
  readonly #digest = incrementalSha256()
  /** the windows before it have been hashed */
  #hashed = 0
  readonly #writes: Array<Promise<void>> = []

  /** @param size bytes */
  constructor (size: number, sink: PieceSink) {
    this.size = size
    this.#sink = sink
    this.#blocks = new Uint8Array(Math.ceil(size / BLOCK_BYTES))
    this.#missing = this.#blocks.length
  }

  get isComplete (): boolean { return this.#missing === 0 }

  /** Reserves a block to request; −1 if there is no unreserved one. */
  reserve (): number {
    const block = this.#freed.pop() ?? this.#next
    if (block === this.#next) {
      if (block === this.#blocks.length) return -1
      this.#next++
    }
    this.#blocks[block] = RESERVED
    return block
  }

  /** The blocks that were requested and have not arrived. */
  reserved (): number[] {
    const blocks: number[] = []
    for (let block = 0; block < this.#next; block++) if (this.#blocks[block] === RESERVED) blocks.push(block)
    return blocks
  }

  /** The block will not arrive from the peer that it was requested from. */
  cancel (block: number): void {
    if (this.#blocks[block] !== RESERVED) return
    this.#blocks[block] = FREE
    this.#freed.push(block)
  }

  offset (block: number): number { return block * BLOCK_BYTES }

  length (block: number): number { return Math.min(BLOCK_BYTES, this.size - block * BLOCK_BYTES) }

  /** Stores a block; ignores one that has already arrived. */
  set (block: number, data: Uint8Array): void {
    if (this.#blocks[block] === HERE) return
    const at = this.#freed.indexOf(block) // the block was given up, but arrived after all
    if (at !== -1) this.#freed.splice(at, 1)
    this.#blocks[block] = HERE
    this.#missing--
    this.received += data.length
    const index = Math.floor(block / BLOCKS_PER_WINDOW)
    const window = this.#windows.get(index) ?? this.#openWindow(index)
    window.bytes.set(data, this.offset(block) - index * WINDOW_BYTES)
    if (--window.missing > 0) return
    this.#windows.delete(index)
    this.#closeWindow(index, window.bytes)
  }

  /**
   * To be called when all blocks have arrived. Resolves with the piece's SHA-256. Rejects with errors of the file
   * system.
   */
  async digest (): Promise<Uint8Array> {
    await Promise.all(this.#writes)
    for (let at = this.#hashed * WINDOW_BYTES; at < this.size; at += WINDOW_BYTES) {
      await this.#sink.hashInto(this.#digest, at, Math.min(WINDOW_BYTES, this.size - at))
    }
    return this.#digest.digest()
  }

  /** Writes the bytes that were kept in memory until the digest was known. */
  async write (): Promise<void> {
    if (this.size === 0) this.#write(0, Buffer.alloc(0)) // an empty piece has a file, too
    for (const [index, bytes] of this.#complete) this.#write(index, bytes)
    this.#complete.clear()
    await Promise.all(this.#writes)
  }

  /** Gives up the piece. */
  discard (): void {
    this.#windows.clear()
    this.#complete.clear()
    if (this.#writes.length === 0) this.#sink.discard()
    // not while bytes are still being written
    else void Promise.allSettled(this.#writes).then(() => { this.#sink.discard() })
  }

  #openWindow (index: number): { bytes: Buffer, missing: number } {
    const start = index * WINDOW_BYTES
    const bytes = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, this.size - start))
    const window = { bytes, missing: Math.ceil(bytes.length / BLOCK_BYTES) }
    this.#windows.set(index, window)
    return window
  }

  #closeWindow (index: number, bytes: Buffer): void {
    const isInMemory = this.size <= MAX_BYTES_IN_MEMORY
    if (isInMemory) this.#complete.set(index, bytes)
    if (index === this.#hashed) this.#hash(bytes)
    if (!isInMemory) this.#write(index, bytes)
  }

  #write (index: number, bytes: Buffer): void {
    const write = this.#sink.write(index * WINDOW_BYTES, bytes)
    write.catch(() => {}) // handled by the code that awaits all writes
    this.#writes.push(write)
  }

  #hash (bytes: Buffer): void {
    for (let next: Buffer | undefined = bytes; next !== undefined; next = this.#complete.get(this.#hashed)) {
      this.#digest.update(next)
      this.#hashed++
    }
  }
}

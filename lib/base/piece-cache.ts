/**
 * Caches recently read bytes: a peer requests a piece in blocks of 16 KiB, and one read of the disk serves many of
 * them. Contains only bytes that were checked.
 */

/** Size of a window in bytes, the unit in which pieces are read for peers. */
export const WINDOW_BYTES = 1 << 20
/**
 * Enough for sixteen peers that fetch different pieces. A small window keeps the whole memory pool that it was cut
 * from.
 */
const MAX_BYTES = 16 * WINDOW_BYTES

/** A limited set of windows. The least recently used one is dropped first. */
export class PieceCache {
  readonly #windows = new Map<number, Buffer>()
  readonly #perPiece: number
  #bytes = 0

  /** @param pieceLength the largest size of a piece in bytes */
  constructor (pieceLength: number) {
    this.#perPiece = Math.ceil(pieceLength / WINDOW_BYTES)
  }

  /** Returns a view of the piece's bytes if all of them are cached; read-only. */
  slice (index: number, offset: number, length: number): Buffer | undefined {
    if (!Number.isInteger(offset) || !(offset >= 0 && length > 0)) return undefined
    const window = Math.floor(offset / WINDOW_BYTES)
    const start = offset - window * WINDOW_BYTES
    const bytes = this.#windows.get(index * this.#perPiece + window)
    if (bytes === undefined || start + length > bytes.length) return undefined
    return bytes.subarray(start, start + length)
  }

  /** Caches a window of a piece. */
  set (index: number, window: number, bytes: Buffer): void {
    const key = index * this.#perPiece + window
    this.#drop(key)
    this.#windows.set(key, bytes)
    this.#bytes += costOf(bytes)
    for (const oldest of this.#windows.keys()) {
      if (this.#bytes <= MAX_BYTES) return
      this.#drop(oldest)
    }
  }

  /** The bytes of the piece have changed, or may have changed. */
  forget (index: number): void {
    if (this.#windows.size === 0) return
    for (let window = 0; window < this.#perPiece; window++) this.#drop(index * this.#perPiece + window)
  }

  clear (): void {
    this.#windows.clear()
    this.#bytes = 0
  }

  #drop (key: number): void {
    const bytes = this.#windows.get(key)
    if (bytes === undefined) return
    this.#windows.delete(key)
    this.#bytes -= costOf(bytes)
  }
}

function costOf ({ length }: Buffer): number { return Math.max(length, Buffer.poolSize) }

/**
 * The pieces of the ordinary torrents that BitWorker makes: inputs and sealed tasks. One rule for both, so that equal
 * content has the same info-hash. Pure.
 */
import { concatBytes } from './bencode.ts'
import { incrementalSha1 } from './digest.ts'

/**
 * WebTorrent walks through all pieces for every `have` of every connection: beyond this number, pieces cost more than
 * they help.
 */
const MAX_PIECES = 2048
const MIN_BYTES = 16 * 1024
/** A piece is in memory while it is served. */
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Bytes per piece: the smallest power of two from 16 KiB to 16 MiB that gives at most 2048 pieces (more, if 16 MiB are
 * not enough). BEP 3.
 *
 * @param length total size of all files in bytes
 */
export function pieceLengthOf (length: number): number {
  let pieceLength = MIN_BYTES
  while (pieceLength < MAX_BYTES && pieceLength * MAX_PIECES < length) pieceLength *= 2
  return pieceLength
}

/** Computes the SHA-1 of each piece of data that is added in chunks. */
export class PieceHashes {
  /** bytes */
  readonly pieceLength: number
  /** bytes added so far */
  length = 0
  readonly #done: Uint8Array[] = []
  #hash = incrementalSha1()

  constructor (pieceLength: number) {
    this.pieceLength = pieceLength
  }

  add (bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + this.pieceLength - this.length % this.pieceLength)
      this.#hash.update(part)
      at += part.length
      this.length += part.length
      if (this.length % this.pieceLength === 0) this.#endPiece()
    }
  }

  /** Ends the last piece, which may be shorter. Returns 20 bytes per piece. Nothing can be added afterwards. */
  end (): Uint8Array {
    if (this.length % this.pieceLength > 0) this.#endPiece()
    return concatBytes(this.#done)
  }

  #endPiece (): void {
    this.#done.push(this.#hash.digest())
    this.#hash = incrementalSha1()
  }
}

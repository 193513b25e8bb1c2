/**
 * The pieces of ordinary torrents that are made here, inputs and sealed tasks: by one rule, equal content has one
 * info-hash. Pure.
 */
import { concatBytes } from './bencode.ts'
import { incrementalSha1 } from './digest.ts'

/** WebTorrent walks all pieces for every `have` of every connection: more than this many cost more than they help. */
const MAX_PIECES = 2048
const MIN_BYTES = 16 * 1024
/** A piece is in memory while it is served. */
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Bytes a piece: the power of two that gives at most 2048 pieces, at least 16 KiB, at most 16 MiB. BEP 3.
 *
 * @param length bytes of all files together
 */
export function pieceLengthOf (length: number): number {
  let pieceLength = MIN_BYTES
  while (pieceLength < MAX_BYTES && pieceLength * MAX_PIECES < length) pieceLength *= 2
  return pieceLength
}

/** The SHA-1 of each piece of what is added bit by bit. */
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

  /** Ends the last piece, which may be shorter, and returns 20 bytes a piece. Nothing is added after it. */
  end (): Uint8Array {
    if (this.length % this.pieceLength > 0) this.#endPiece()
    return concatBytes(this.#done)
  }

  #endPiece (): void {
    this.#done.push(this.#hash.digest())
    this.#hash = incrementalSha1()
  }
}

/** The piece length of ordinary torrents that are made here: by one rule, equal content has one info-hash. Pure. */

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

/** The states of pieces, and how they are sent to the page: four bits each. Imported by both sides. Pure. */

/** The state of a piece: the index of its name is the code, of four bits. */
export const PIECE_STATES = [
  /** nobody has it, and nobody computes it */
  'missing',
  /** the same, and it waits for its inputs */
  'waiting',
  /** a connected peer has it: it is, or will be, downloaded */
  'announced',
  /** another peer computes it */
  'claimed',
  /** it is computed here */
  'running',
  /** given up here after failures; others may compute it */
  'failed',
  /** it is missing, and the user does not want it */
  'unwanted',
  /** stored, from other peers; results are not verified */
  'stored',
  /** stored, and computed here */
  'own',
  /** stored, from other peers, and accepted: trusted, confirmed or attested */
  'accepted',
  /** stored, and found right by the verify command */
  'verified',
  /** stored, but not accepted yet: disputed, or to be checked */
  'disputed'
] as const

/** The name of a state. */
export type PieceStateName = typeof PIECE_STATES[number]

/** Of an answer to `pieces`: which deltas are in it. Those of a higher version come after it. */
export const PIECES_VERSION_HEADER = 'bitworker-version'

/** Packs codes of four bits, two in a byte: that of an even index is in the lower four bits. */
export function packStates (codes: Uint8Array): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array((codes.length + 1) >> 1)
  for (let i = 0; i < codes.length; i++) packed[i >> 1]! |= (codes[i]! & 15) << ((i & 1) * 4)
  return packed
}

/** The codes of `count` pieces; those that are not in `packed` are 0. */
export function unpackStates (packed: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const codes = new Uint8Array(count)
  for (let i = 0; i < count; i++) codes[i] = (packed[i >> 1] ?? 0) >> ((i & 1) * 4) & 15
  return codes
}

/** Of a run of pieces with one state: the first, their number, the code. */
export type Run = [first: number, count: number, code: number]

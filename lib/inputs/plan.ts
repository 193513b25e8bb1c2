/** Decides how far ahead inputs are downloaded. Pure. Called by supply.ts. */

/** The inputs for this much work should be stored before it starts. */
const AHEAD_MS = 2_000
/** Minimum number of pieces per slot: the next one, and one more in case other peers take it first. */
const AHEAD_PER_SLOT = 2
/** Others may compute a piece before its turn comes: at most this share of what was computed here is spent on that. */
const AHEAD_SHARE = 0.1
const MAX_AHEAD = 256

/**
 * The number of pieces whose inputs should be stored or on their way.
 * @param paceMs duration of a piece, milliseconds; 0: unknown
 * @param share number of pieces that are likely to be computed here: inputs of others would be downloaded in vain
 * @param started number of pieces whose inputs were used here
 */
export function piecesAhead (slots: number, paceMs: number, share: number, started: number): number {
  const inTime = paceMs > 0 ? Math.ceil((AHEAD_MS / paceMs) * slots) : 0
  const bounded = Math.min(inTime, MAX_AHEAD, Math.floor(AHEAD_SHARE * started))
  return Math.min(Math.max(bounded, AHEAD_PER_SLOT * slots), Math.max(slots, share))
}

/** A piece whose inputs are not known to be stored. */
export interface WaitingPiece {
  index: number
  /** units of its input that it needs and that are not stored; null: not known yet */
  lacks: number[] | null
  /** how likely another peer computes it: 1 if another one comes first, 2 if another one has downloaded its slice */
  doubt: 0 | 1 | 2
}

/**
 * Chooses what to download for the next pieces.
 * @param waiting the next pieces, in order; not all of them are read
 * @param room the largest number of pieces to download for, or to become ready
 * @param idle the number among them that may be doubtful
 */
export function choosePieces (
  waiting: Iterable<WaitingPiece>, room: number, idle: number
): { wanted: Set<number>, ready: number[] } {
  const [wanted, ready] = [new Set<number>(), [] as number[]]
  const doubtful: WaitingPiece[] = []
  let left = room
  for (const piece of waiting) {
    if (left <= 0) break
    const { index, lacks, doubt } = piece
    if (doubt > 0 && lacks !== null && lacks.length > 0) {
      doubtful.push(piece)
      continue
    }
    left--
    for (const unit of lacks ?? []) wanted.add(unit)
    if (lacks?.length === 0) ready.push(index)
  }
  const rest = Math.max(0, Math.min(left, idle - (room - left)))
  for (const { lacks } of doubtful.toSorted((a, b) => a.doubt - b.doubt).slice(0, rest)) {
    for (const unit of lacks!) wanted.add(unit)
  }
  return { wanted, ready }
}

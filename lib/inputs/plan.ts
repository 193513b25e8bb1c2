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

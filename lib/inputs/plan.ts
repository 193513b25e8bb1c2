/** Decides how far ahead inputs are downloaded. Pure. Called by supply.ts. */

/** The inputs for this much work should be stored before it starts. */
const AHEAD_MS = 2_000
/** Minimum number of pieces per slot: the next one, and one more in case other peers take it first. */
const AHEAD_PER_SLOT = 2
/** Others may compute a piece before its turn comes, so the number is limited. */
const MAX_AHEAD = 256

/**
 * The number of pieces whose inputs should be stored or on their way.
 * @param paceMs duration of a piece, milliseconds; 0: unknown
 * @param share number of pieces that are likely to be computed here: inputs of others would be downloaded in vain
 */
export function piecesAhead (slots: number, paceMs: number, share: number): number {
  const inTime = paceMs > 0 ? Math.ceil((AHEAD_MS / paceMs) * slots) : 0
  return Math.min(Math.max(Math.min(inTime, MAX_AHEAD), AHEAD_PER_SLOT * slots), Math.max(slots, share))
}

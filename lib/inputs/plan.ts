/**
 * How far ahead inputs are fetched. Pure. Called by supply.ts.
 */

/** Commands of so long are to find their inputs here when their turn comes. */
const AHEAD_MS = 2_000
/** Pieces for each slot at least: the next one, and one that others may take first. */
const AHEAD_PER_SLOT = 2
/** What is fetched ahead may be computed elsewhere before its turn comes. */
const MAX_AHEAD = 256

/**
 * Pieces whose inputs are to be here or on their way.
 * @param paceMs what a piece takes, milliseconds; 0: unknown
 * @param share how many more are likely to be computed here: what others compute is fetched in vain
 */
export function piecesAhead (slots: number, paceMs: number, share: number): number {
  const inTime = paceMs > 0 ? Math.ceil((AHEAD_MS / paceMs) * slots) : 0
  return Math.min(Math.max(Math.min(inTime, MAX_AHEAD), AHEAD_PER_SLOT * slots), Math.max(slots, share))
}

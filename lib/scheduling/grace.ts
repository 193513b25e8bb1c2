/**
 * Pieces that were announced just now, and are not computed here for a moment: who has them can show that it delivers.
 * Pure: times are handed in. Called by scheduler.ts.
 */

/**
 * What is announced is not computed before this part of a piece's time has passed, within bounds: who has it can show
 * that it delivers.
 */
const GRACE_SHARE = 0.25
export const MIN_GRACE_MS = 500
const MAX_GRACE_MS = 30_000
/** The fresh announcements of one task. */
export class Grace {
  /** pieces by since when they are announced, oldest first */
  readonly #since = new Map<number, number>()
  /** 1: the piece was announced before; a promise that was broken and made again is as old as the first one */
  readonly #wasAnnounced: Uint8Array

  constructor (pieceCount: number) {
    this.#wasAnnounced = new Uint8Array(pieceCount)
  }

  has (index: number): boolean { return this.#since.has(index) }

  /** The piece is announced by somebody. @param isOpen it is missing, wanted and not given up here */
  announced (index: number, isOpen: boolean, now: number): void {
    if (!isOpen) this.#since.delete(index)
    else if (this.#wasAnnounced[index] === 0) this.#since.set(index, now)
    this.#wasAnnounced[index] = 1
  }

  /** It is announced by nobody. */
  withdrawn (index: number): void { this.#since.delete(index) }

  /** The piece is here: the next announcement of it is the first again. */
  forget (index: number): void { this.#wasAnnounced[index] = 0 }

  /** Pieces that were not delivered in time; each is told once. */
  * over (ms: number, now: number): Generator<number> {
    for (const [index, since] of this.#since) {
      if (since + ms > now) break
      this.#since.delete(index)
      yield index
    }
  }

  /** Since when the oldest is announced, or Infinity. */
  get oldest (): number {
    const [since = Infinity] = this.#since.values()
    return since
  }
}

/**
 * For how long an announcement is fresh, milliseconds.
 * @param paceMs what a piece takes here
 * @param allowanceMs for what comes late because we look late
 */
export function graceMs (paceMs: number, allowanceMs: number): number {
  const ms = Math.max(MIN_GRACE_MS, GRACE_SHARE * paceMs)
  return Math.min(MAX_GRACE_MS, ms + Math.min(ms, allowanceMs))
}

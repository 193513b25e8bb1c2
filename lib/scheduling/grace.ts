/**
 * Freshly announced pieces, which are not computed here for a moment, so that their holders can show that they deliver.
 * Pure: times are arguments. Called by scheduler.ts.
 */

/** The length of that moment as a share of a piece's duration, within bounds. */
const GRACE_SHARE = 0.25
export const MIN_GRACE_MS = 500
const MAX_GRACE_MS = 30_000
/** The fresh announcements of one task. */
export class Grace {
  /** time of the announcement by piece, oldest first */
  readonly #since = new Map<number, number>()
  /** 1: the piece was announced before; a promise that was broken and renewed counts from the first one */
  readonly #wasAnnounced: Uint8Array

  constructor (pieceCount: number) {
    this.#wasAnnounced = new Uint8Array(pieceCount)
  }

  has (index: number): boolean { return this.#since.has(index) }

  /** A connected peer has announced the piece. @param isOpen it is missing, wanted and not given up here */
  announced (index: number, isOpen: boolean, now: number): void {
    if (!isOpen) this.#since.delete(index)
    else if (this.#wasAnnounced[index] === 0) this.#since.set(index, now)
    this.#wasAnnounced[index] = 1
  }

  /** No connected peer announces the piece any more. */
  withdrawn (index: number): void { this.#since.delete(index) }

  /** The piece is stored: its next announcement counts as the first one. */
  forget (index: number): void { this.#wasAnnounced[index] = 0 }

  /** Yields the pieces that were not delivered in time, each once. */
  * over (ms: number, now: number): Generator<number> {
    for (const [index, since] of this.#since) {
      if (since + ms > now) break
      this.#since.delete(index)
      yield index
    }
  }

  /** The time of the oldest announcement, or Infinity. */
  get oldest (): number {
    const [since = Infinity] = this.#since.values()
    return since
  }
}

/**
 * How long an announcement is fresh, milliseconds.
 * @param paceMs duration of a piece here
 * @param allowanceMs extra time, because we may notice deliveries late
 */
export function graceMs (paceMs: number, allowanceMs: number): number {
  const ms = Math.max(MIN_GRACE_MS, GRACE_SHARE * paceMs)
  return Math.min(MAX_GRACE_MS, ms + Math.min(ms, allowanceMs))
}

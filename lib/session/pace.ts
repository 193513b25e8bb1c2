/** The duration of a piece here, by the most recent pieces. Pure. Called by compute-slots.ts. */

/** The pace is averaged over about this many recent pieces. */
const PACE_PIECES = 32

/** The pace of one round of computing. */
export class Pace {
  #ms = 0
  #completed = 0

  /** Average in milliseconds; 0: unknown. */
  get ms (): number { return this.#ms }

  /** The estimate for claims: whole milliseconds. */
  get estimateMs (): number { return Math.ceil(this.#ms) }

  /** A piece took this many milliseconds. */
  add (ms: number): void {
    this.#completed++
    this.#ms += (ms - this.#ms) / Math.min(this.#completed, PACE_PIECES)
  }
}

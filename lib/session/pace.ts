/** What a piece takes here, as the latest ones took. Pure. Called by compute-slots.ts. */

/** The pace follows about this many of the latest pieces. */
const PACE_PIECES = 32

/** The pace of one round of computing. */
export class Pace {
  #ms = 0
  #completed = 0

  /** Milliseconds on average; 0: unknown. */
  get ms (): number { return this.#ms }

  /** As claims say it: whole milliseconds. */
  get estimateMs (): number { return Math.ceil(this.#ms) }

  /** A piece took so many milliseconds. */
  add (ms: number): void {
    this.#completed++
    this.#ms += (ms - this.#ms) / Math.min(this.#completed, PACE_PIECES)
  }
}

/**
 * By how much everything is late here: whatever this process waits for comes later when it does not get to look. Pure:
 * the clock is handed in, and whoever owns it calls `tick` at a steady pace.
 */

/** Between two ticks. */
export const TICK_MS = 250
/** What is left of a lag after each tick without one: half of it after two seconds. */
const KEEP = 0.917

/** How late the ticks of one process come. */
export class Lag {
  readonly #now: () => number
  #tickedAt: number
  #ms = 0

  /** @param now milliseconds on any steady clock */
  constructor (now: () => number) {
    this.#now = now
    this.#tickedAt = now()
  }

  /** The latest lags, and the one that lasts, milliseconds. */
  get ms (): number { return Math.max(this.#ms, this.#now() - this.#tickedAt - TICK_MS) }

  /** To be called every TICK_MS. */
  tick (): void {
    const now = this.#now()
    this.#ms = Math.max(now - this.#tickedAt - TICK_MS, KEEP * this.#ms)
    this.#tickedAt = now
  }
}

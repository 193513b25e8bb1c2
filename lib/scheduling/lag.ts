/**
 * Measures how late this process is: when it does not get processor time, everything that it waits for is late. Pure:
 * the clock is an argument, and the owner calls `tick` at a steady pace.
 */

/** Interval between two ticks. */
export const TICK_MS = 250
/** The share of a lag that remains after each tick without lag: half of it remains after two seconds. */
const KEEP = 0.917

/** The lag of one process. */
export class Lag {
  readonly #now: () => number
  #tickedAt: number
  #ms = 0

  /** @param now milliseconds on any steady clock */
  constructor (now: () => number) {
    this.#now = now
    this.#tickedAt = now()
  }

  /** The lag in milliseconds: recent lags, which decay, or the current one if it is longer. */
  get ms (): number { return Math.max(this.#ms, this.#now() - this.#tickedAt - TICK_MS) }

  /** To be called every TICK_MS. */
  tick (): void {
    const now = this.#now()
    this.#ms = Math.max(now - this.#tickedAt - TICK_MS, KEEP * this.#ms)
    this.#tickedAt = now
  }
}

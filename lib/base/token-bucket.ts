/**
 * Counts what somebody may use up: so much a second, and so much at once. Pure: the time is an argument. Called by
 * wire-limits.ts.
 */

/** A token bucket that may go into debt: how long it takes to get out again is what the debtor has to wait. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #left: number
  #at: number

  /**
   * @param perSecond units that come back each second
   * @param burst units that can be used at once, and what it starts with
   * @param now milliseconds on any steady clock
   */
  constructor (perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#left = burst
    this.#at = now
  }

  /** Uses the units up; the milliseconds until what is left is not below zero any more, 0 if it is not. */
  take (units: number, now: number): number {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMs) - units
    this.#at = now
    return this.#left >= 0 ? 0 : -this.#left / this.#perMs
  }
}

/**
 * A rate limit: so many units per second, and so many at once. Pure: the time is an argument. Called by wire-limits.ts.
 */

/** A token bucket that may go into debt. The caller must wait until the debt is paid off. */
export class TokenBucket {
  readonly #perMs: number
  readonly #burst: number
  #left: number
  #at: number

  /**
   * @param perSecond units that are added each second
   * @param burst units that can be used at once; the bucket starts with them
   * @param now milliseconds on any steady clock
   */
  constructor (perSecond: number, burst: number, now: number) {
    this.#perMs = perSecond / 1000
    this.#burst = burst
    this.#left = burst
    this.#at = now
  }

  /**
   * Uses the units. Returns how many milliseconds it takes until the balance is no longer negative; 0 if it is not
   * negative.
   */
  take (units: number, now: number): number {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMs) - units
    this.#at = now
    return this.#left >= 0 ? 0 : -this.#left / this.#perMs
  }
}

/**
 * A rate limit: so many units per second, and so many at once. Pure: the time is an argument. Called by wire-limits.ts,
 * ut_bitworker and lib/peers/.
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
    this.#refill(now)
    this.#left -= units
    return this.#left >= 0 ? 0 : -this.#left / this.#perMs
  }

  /** Uses as many of the units as there are, in whole numbers, without going into debt. Returns their number. */
  takeUpTo (units: number, now: number): number {
    this.#refill(now)
    const taken = Math.max(0, Math.min(units, Math.floor(this.#left)))
    this.#left -= taken
    return taken
  }

  /** Uses the units if all of them are there. Returns whether they were. */
  takeAll (units: number, now: number): boolean {
    this.#refill(now)
    if (this.#left < units) return false
    this.#left -= units
    return true
  }

  #refill (now: number): void {
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) * this.#perMs)
    this.#at = now
  }
}

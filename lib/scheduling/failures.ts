/**
 * What failed here: how often, when it is tried again, and what is left to other peers. Pure. Called by scheduler.ts.
 */

/** Runs of one piece's command here before it is left to other peers. */
export const MAX_ATTEMPTS = 3
/** Wait before a failed piece is tried again here, times four for each failure: others go first. */
export const RETRY_MS = 1_000

/** The failures of one task's pieces. */
export class Failures {
  /** so far, by piece */
  readonly #counts = new Map<number, number>()
  /**
   * pieces that wait to be tried again, by when, soonest first; one map for each number of failures, whose wait is the
   * same
   */
  readonly #retries = Array.from({ length: MAX_ATTEMPTS - 1 }, () => new Map<number, number>())
  #givenUp = 0

  /** Pieces that failed so often that they are left to other peers. */
  get givenUp (): number { return this.#givenUp }

  /** Pieces that failed, given up or not. */
  get pieces (): Iterable<number> { return this.#counts.keys() }

  /** When the next piece is to be tried again, or Infinity. */
  get soonest (): number {
    return Math.min(...this.#retries.map(retries => retries.values().next().value ?? Infinity))
  }

  /** It failed so often that it is left to other peers. */
  isFinal (index: number): boolean { return this.#count(index) >= MAX_ATTEMPTS }

  /** It waits to be tried again. */
  isWaiting (index: number): boolean { return this.#retries[this.#count(index) - 1]?.has(index) === true }

  /** True when the piece is given up. */
  add (index: number, now: number): boolean {
    const count = this.#count(index) + 1
    this.#counts.set(index, count)
    if (count < MAX_ATTEMPTS) this.#retries[count - 1]!.set(index, now + RETRY_MS * 4 ** (count - 1))
    else this.#givenUp++
    return count >= MAX_ATTEMPTS
  }

  /** The piece is here. */
  forget (index: number): void {
    const count = this.#count(index)
    if (count === 0) return
    if (count >= MAX_ATTEMPTS) this.#givenUp--
    else this.#retries[count - 1]!.delete(index)
    this.#counts.delete(index)
  }

  /** Pieces whose wait is over; each is told once. */
  * due (now: number): Generator<number> {
    for (const retries of this.#retries) {
      for (const [index, retryAt] of retries) {
        if (retryAt > now) break
        retries.delete(index)
        yield index
      }
    }
  }

  #count (index: number): number { return this.#counts.get(index) ?? 0 }
}

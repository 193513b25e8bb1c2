/**
 * Failed pieces: how often they failed, when they are tried again, and which are left to other peers. Pure. Called by
 * scheduler.ts.
 */

/** Attempts to compute one piece here before it is left to other peers. */
export const MAX_ATTEMPTS = 3
/** Delay before the first retry of a failed piece, four times as long for each further failure: others go first. */
export const RETRY_MS = 1_000

/** The failures of one task's pieces. */
export class Failures {
  /** number of failures by piece */
  readonly #counts = new Map<number, number>()
  /**
   * pieces that wait for a retry, with its time, soonest first; one map for each number of failures, because these have
   * the same delay
   */
  readonly #retries = Array.from({ length: MAX_ATTEMPTS - 1 }, () => new Map<number, number>())
  #givenUp = 0

  /** The number of pieces that failed so often that they are left to other peers. */
  get givenUp (): number { return this.#givenUp }

  /** The pieces that failed, given up or not. */
  get pieces (): Iterable<number> { return this.#counts.keys() }

  /** The time of the next retry, or Infinity. */
  get soonest (): number {
    return Math.min(...this.#retries.map(retries => retries.values().next().value ?? Infinity))
  }

  /** True if it failed so often that it is left to other peers. */
  isFinal (index: number): boolean { return this.#count(index) >= MAX_ATTEMPTS }

  /** True if it waits for a retry. */
  isWaiting (index: number): boolean { return this.#retries[this.#count(index) - 1]?.has(index) === true }

  /** Records a failure, `isLast`: after which it is not tried again. Returns true if the piece is given up. */
  add (index: number, now: number, isLast = false): boolean {
    const count = isLast ? MAX_ATTEMPTS : this.#count(index) + 1
    this.#counts.set(index, count)
    if (count < MAX_ATTEMPTS) this.#retries[count - 1]!.set(index, now + RETRY_MS * 4 ** (count - 1))
    else this.#givenUp++
    return count >= MAX_ATTEMPTS
  }

  /** The piece is stored: forgets its failures. */
  forget (index: number): void {
    const count = this.#count(index)
    if (count === 0) return
    if (count >= MAX_ATTEMPTS) this.#givenUp--
    else this.#retries[count - 1]!.delete(index)
    this.#counts.delete(index)
  }

  /** Yields the pieces whose delay is over, each once. */
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

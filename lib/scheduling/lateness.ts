/**
 * How late work ends in this swarm, against what its peers expected: only what is later than most is late. On machines
 * that are all overloaded at once, everything takes longer than estimated, and copies of it would make that worse.
 * Pure.
 */

/** Of the latest work items, those of others and our own. */
const SAMPLES = 32
/** What ends later than this share of them is late. */
const SHARE = 0.9
/** By this much: those that are late together are not later than most. */
const MARGIN = 1.25
/** Where fewer are known, the rest is taken to be in time: one that is late is no rule. */
const LEAST_SAMPLES = 10

/** The latest samples. */
export class Lateness {
  readonly #samples: number[] = []
  #next = 0

  /** A piece was done so many milliseconds after it should have been; negative: before. */
  add (ms: number): void {
    this.#samples[this.#next] = ms
    this.#next = (this.#next + 1) % SAMPLES
  }

  /**
   * By how much most are late, milliseconds; 0: unknown, or by nothing.
   * @param running how late those are that have not ended: when all are late at once, none has ended
   */
  usual (running: readonly number[]): number {
    const known = [...this.#samples, ...running]
    const rest = Array.from({ length: Math.max(0, LEAST_SAMPLES - known.length) }, () => 0)
    const sorted = [...rest, ...known].sort((a, b) => a - b)
    return MARGIN * Math.max(0, sorted[Math.floor(SHARE * (sorted.length - 1))]!)
  }
}

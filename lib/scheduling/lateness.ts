/**
 * Measures how much later than expected work usually ends in this swarm. Only work that is later than most is late:
 * when all machines are overloaded at once, everything takes longer than estimated, and backups would make that worse.
 * Pure.
 */

/** Number of the latest work items, ours and those of others. */
const SAMPLES = 32
/** Work that ends later than this share of them is late, */
const SHARE = 0.9
/** by this factor: pieces that are late together are not later than most. */
const MARGIN = 1.25
/** If fewer are known, the rest is assumed to be on time: a single late item is no rule. */
const LEAST_SAMPLES = 10

/** The latest samples. */
export class Lateness {
  readonly #samples: number[] = []
  #next = 0

  /** A piece was finished this many milliseconds later than expected; negative: earlier. */
  add (ms: number): void {
    this.#samples[this.#next] = ms
    this.#next = (this.#next + 1) % SAMPLES
  }

  /**
   * How late most work is, milliseconds; 0: on time, or unknown.
   * @param running how late the unfinished items are: when all are late at once, none has ended yet
   */
  usual (running: readonly number[]): number {
    const known = [...this.#samples, ...running]
    const rest = Array.from({ length: Math.max(0, LEAST_SAMPLES - known.length) }, () => 0)
    const sorted = [...rest, ...known].sort((a, b) => a - b)
    return MARGIN * Math.max(0, sorted[Math.floor(SHARE * (sorted.length - 1))]!)
  }
}

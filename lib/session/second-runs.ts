/**
 * Whether a result that contradicts others is certain enough to be told: the piece is computed again until two runs
 * agree. Pure. Called by believing.ts.
 */
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'

/** After this many pieces whose second run gave the same, one run is enough. */
const PROVEN = 2
/** Runs of one piece that all differ show that results cannot be compared. */
const MAX_RUNS = 3

/** `sure`: to be told; `unsure`: compute it once more; `unequal`: no two runs of the piece agree. */
export type Verdict = 'sure' | 'unsure' | 'unequal'

/** The runs of one task's pieces. */
export class SecondRuns {
  readonly #earlier = new Map<number, Result[]>()
  /** pieces of which one run differs */
  readonly #differing = new Set<number>()
  #isProven: boolean
  #proven = 0

  /** @param isProven equal runs are known to give equal bytes */
  constructor (isProven: boolean) {
    this.#isProven = isProven
  }

  /** A run of the piece gave this result. @param isContested others say that another one is right */
  ended (index: number, result: Result, isContested: boolean): Verdict {
    const earlier = this.#earlier.get(index) ?? []
    if (this.#isProven || (!isContested && earlier.length === 0)) return 'sure'
    if (earlier.some(other => sameResult(other, result))) {
      this.#earlier.delete(index)
      this.#isProven = ++this.#proven >= PROVEN
      return 'sure'
    }
    earlier.push(result)
    this.#earlier.set(index, earlier)
    return earlier.length < MAX_RUNS ? 'unsure' : 'unequal'
  }

  /**
   * With a compare command, which says that a run of the piece differs from what others say. Returns whether that is
   * sure: an earlier run did as well.
   */
  differs (index: number): boolean {
    if (this.#isProven) return true
    if (!this.#differing.delete(index)) {
      this.#differing.add(index)
      return false
    }
    this.#isProven = ++this.#proven >= PROVEN
    return true
  }

  /** It says that a run of the piece does not differ. */
  forget (index: number): void { this.#differing.delete(index) }
}

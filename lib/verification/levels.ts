/** How easily new peers are believed: rises with the results that were believed and turned out wrong. Pure. */
import type { KeyRecord } from './ledger.ts'

/** Results that were believed and turned out wrong, before the next level. */
const WRONG_PER_LEVEL = 3
/** Keys that attested them: one bad key is excluded, and is no reason to doubt the others. */
const KEYS_PER_LEVEL = 2
const MAX_LEVEL = 2

/** The level of a task, which never falls. */
export class Levels {
  #level = 0
  #wrong = 0
  readonly #keys = new Set<KeyRecord>()

  get level (): number { return this.#level }

  /** The level of an earlier run. */
  restore (level: number): void { this.#level = level }

  /**
   * Counts a result that was believed and is wrong. Returns the reason if the level has risen.
   *
   * @param hasMembers without a trusted key, level 2 would make every peer compute everything
   */
  found (record: KeyRecord, hasMembers: boolean): string | null {
    this.#wrong++
    if (this.#keys.size < KEYS_PER_LEVEL) this.#keys.add(record)
    if (this.#level >= (hasMembers ? MAX_LEVEL : MAX_LEVEL - 1)) return null
    if (this.#wrong < WRONG_PER_LEVEL || this.#keys.size < KEYS_PER_LEVEL) return null
    const reason = `${this.#wrong} wrong results believed so far`
    this.#level++
    this.#wrong = 0
    this.#keys.clear()
    return reason
  }
}

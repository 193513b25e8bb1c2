/**
 * In a small task, records of keys have no time to grow, and a few lies may be missed by every lot. There, each result
 * that is accepted on the word of one stranger, or that somebody contradicts, is computed by one more peer before it is
 * made into files. Pure. Called by verification.ts.
 */
import type { Known } from './known.ts'
import { hasRecord } from './ledger.ts'

/** A task of at most so many pieces is small. */
export const SMALL_TASK = 256
/** A peer takes no more second looks once it has computed so many times its part of the pieces. */
const WORK = 2.5
/** The same if members take part, whose results need none. */
const WORK_WITH_MEMBERS = 1.2

/** What a piece needs: nothing; to be computed by one more peer; to be computed here, whatever that costs. */
const NONE = 0
const ALONE = 1
const CONTESTED = 2

/** The second looks of one task. */
export class SecondLooks {
  readonly #known: Known
  readonly #items: () => number
  /** of each piece, one of the numbers below; empty: the task is not small */
  readonly #needs: Uint8Array
  #may = true

  /** @param items number of items that gave a result here */
  constructor (known: Known, items: () => number) {
    this.#known = known
    this.#items = items
    const { policy, comparison, pieceCount } = known
    const isSmall = policy.kind === 'audit' && comparison === 'bytes' && pieceCount <= SMALL_TASK
    this.#needs = new Uint8Array(isSmall ? pieceCount : 0)
  }

  /** Whether somebody is to compute the piece once more, though a result is accepted. */
  needs (index: number): boolean {
    const needs = this.#needs[index]
    return needs === CONTESTED || (needs === ALONE && this.#may)
  }

  /** What is known of the piece may have changed. Returns whether `needs` has. */
  update (index: number): boolean {
    if (index >= this.#needs.length) return false
    const before = this.needs(index)
    this.#needs[index] = this.#needOf(index)
    return before !== this.needs(index)
  }

  /** Much may have changed. Returns the pieces for which `needs` has, because of what this peer may do. */
  updateAll (): number[] {
    const may = this.#isWithinCap
    if (may === this.#may) return []
    this.#may = may
    return Array.from(this.#needs.keys()).filter(index => this.#needs[index] === ALONE)
  }

  #needOf (index: number): number {
    if (this.#known.rechecks.isAbandoned(index)) return NONE
    const { variant, by } = this.#known.belief(index)
    if (by !== 'attested' && by !== 'confirmed') return NONE
    if (this.#isContested(index, variant)) return CONTESTED
    return by === 'attested' ? ALONE : NONE
  }

  /** By a key that may well be right: not by a new one, which costs nothing, if a key with a record stands for it. */
  #isContested (index: number, variant: number): boolean {
    const voices = this.#known.heard(index)
    const others = voices.filter(entry => entry.variant !== variant && entry.key.state === 'ok')
    if (others.length === 0 || others.some(({ key }) => hasRecord(key))) return others.length > 0
    return !voices.some(entry => entry.variant === variant && hasRecord(entry.key))
  }

  /** Nobody was found to lie yet; or this peer has not done much more than its part, if one of all keys is a liar's. */
  get #isWithinCap (): boolean {
    const { ledger, pieceCount } = this.#known
    if (!ledger.hasCulprit) return true
    const honest = Math.max(1, ledger.active + (ledger.hasExcluded ? 1 : 0))
    return this.#items() < (ledger.members > 0 ? WORK_WITH_MEMBERS : WORK) * pieceCount / honest
  }
}

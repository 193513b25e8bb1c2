/**
 * The distinct results of each piece, numbered from 1. Each is kept while any peer announces it. A piece seldom has
 * more than one. Pure. Called by result-table.ts.
 */
import { FurtherResults } from './further-results.ts'
import { PackedResults } from './packed-results.ts'
import type { Result } from './result.ts'

/**
 * The limit for results after the first of each piece is the number of pieces, but at least this many in a small task.
 */
const MIN_FURTHER_RESULTS = 65_536

/** The variants of all pieces. */
export class Variants {
  /** number 1 of each piece */
  readonly #first: PackedResults
  readonly #firstCounts: Uint16Array
  /** number 2 and up */
  readonly #further: FurtherResults
  readonly #furtherLimit: number

  constructor (pieceCount: number) {
    this.#first = new PackedResults(pieceCount)
    this.#firstCounts = new Uint16Array(pieceCount)
    this.#furtherLimit = Math.max(MIN_FURTHER_RESULTS, pieceCount)
    // one more per piece: there is always room for our own results
    this.#further = new FurtherResults(pieceCount, this.#furtherLimit + pieceCount)
  }

  /** True if there is no room for the peer's result: it would be a further variant, and the limit is reached. */
  isFullFor (index: number, result: Result): boolean {
    return this.#further.size >= this.#furtherLimit && this.#first.has(index) && this.#numberOf(index, result) === 0
  }

  get (index: number, number: number): Result | undefined {
    return number === 1 ? this.#first.get(index) : this.#further.get(index, number)
  }

  sizeOf (index: number, number: number): number | undefined {
    return number === 1 ? this.#first.sizeOf(index) : this.#further.sizeOf(index, number)
  }

  /** True if the variant is this very result. */
  matches (index: number, number: number, result: Result): boolean {
    return number === 1 ? this.#first.matches(index, result) : this.#further.matches(index, number, result)
  }

  /**
   * Counts one more announcement of the result, and returns its number. Returns 0, and stores nothing, if the number
   * would exceed `limit`.
   */
  add (index: number, result: Result, limit: number): number {
    const known = this.#numberOf(index, result)
    const number = known === 0 ? this.#freeNumber(index) : known
    if (number > limit) return 0
    if (known === 0) this.#put(index, number, result)
    this.#count(index, number, 1)
    return number
  }

  /** Counts one announcement less. */
  drop (index: number, number: number): void {
    if (number !== 0) this.#count(index, number, -1)
  }

  /** 0 if nobody announces it. */
  #numberOf (index: number, result: Result): number {
    return this.#first.matches(index, result) ? 1 : this.#further.numberOf(index, result)
  }

  #freeNumber (index: number): number { return this.#first.has(index) ? this.#further.freeNumber(index, 2) : 1 }

  #put (index: number, number: number, result: Result): void {
    if (number === 1) this.#first.set(index, result)
    else this.#further.put(index, number, result)
  }

  #count (index: number, number: number, step: number): void {
    if (number > 1) return this.#further.count(index, number, step)
    this.#firstCounts[index]! += step
    if (this.#firstCounts[index] === 0) this.#first.delete(index)
  }
}

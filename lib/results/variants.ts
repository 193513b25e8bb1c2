/**
 * The distinct results of each piece, numbered from 1, each kept for as long as somebody says it. There is seldom more
 * than one. Pure. Called by result-table.ts.
 */
import { FurtherResults } from './further-results.ts'
import { PackedResults } from './packed-results.ts'
import type { Result } from './result.ts'

/** Results beyond the first of each piece: as many as there are pieces, in all, but room for these in a small task. */
const MIN_FURTHER_RESULTS = 65_536

/** The variants of all pieces. */
export class Variants {
  /** number 1 of each piece */
  readonly #first: PackedResults
  readonly #firstCounts: Uint16Array
  /** from number 2 on */
  readonly #further: FurtherResults
  readonly #furtherLimit: number

  constructor (pieceCount: number) {
    this.#first = new PackedResults(pieceCount)
    this.#firstCounts = new Uint16Array(pieceCount)
    this.#furtherLimit = Math.max(MIN_FURTHER_RESULTS, pieceCount)
    // one more each: our own results have room whatever others say
    this.#further = new FurtherResults(pieceCount, this.#furtherLimit + pieceCount)
  }

  /**
   * There is no room for what a peer says of the piece: it would be one more beyond the first, and there are as many as
   * may be.
   */
  isFullFor (index: number, result: Result): boolean {
    return this.#further.size >= this.#furtherLimit && this.#first.has(index) && this.#numberOf(index, result) === 0
  }

  get (index: number, number: number): Result | undefined {
    return number === 1 ? this.#first.get(index) : this.#further.get(index, number)
  }

  sizeOf (index: number, number: number): number | undefined {
    return number === 1 ? this.#first.sizeOf(index) : this.#further.sizeOf(index, number)
  }

  /** True when the variant is this very result. */
  matches (index: number, number: number, result: Result): boolean {
    return number === 1 ? this.#first.matches(index, result) : this.#further.matches(index, number, result)
  }

  /** Somebody says this result: its number; 0, and nothing is kept, if that would be more than `limit`. */
  add (index: number, result: Result, limit: number): number {
    const known = this.#numberOf(index, result)
    const number = known === 0 ? this.#freeNumber(index) : known
    if (number > limit) return 0
    if (known === 0) this.#put(index, number, result)
    this.#count(index, number, 1)
    return number
  }

  /** Somebody says it no longer. */
  drop (index: number, number: number): void {
    if (number !== 0) this.#count(index, number, -1)
  }

  /** 0: nobody says it. */
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

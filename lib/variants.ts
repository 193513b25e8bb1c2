/**
 * The distinct results of each piece, numbered from 1, each kept for as long as somebody says it. There is seldom more than
 * one, which is packed; only further ones are objects. Pure. Called by results.ts.
 */
import { PackedResults } from './packed-results.ts'
import type { Result } from './results.ts'

/** A result and how many say it. */
interface Variant { readonly result: Result, count: number }

/** True when both are the same result. */
export function sameResult (a: Result, b: Result): boolean {
  return a === b || (a.size === b.size && Buffer.compare(a.digest, b.digest) === 0)
}

/** The variants of all pieces. */
export class Variants {
  /** number 1 of each piece */
  readonly #first: PackedResults
  readonly #firstCounts: Uint16Array
  /** from number 2 on */
  readonly #others = new Map<number, Array<Variant | undefined>>()

  constructor (pieceCount: number) {
    this.#first = new PackedResults(pieceCount)
    this.#firstCounts = new Uint16Array(pieceCount)
  }

  get (index: number, number: number): Result | undefined {
    return number === 1 ? this.#first.get(index) : this.#others.get(index)?.[number - 2]?.result
  }

  sizeOf (index: number, number: number): number | undefined {
    return number === 1 ? this.#first.sizeOf(index) : this.#others.get(index)?.[number - 2]?.result.size
  }

  /** True when the variant is this very result. */
  matches (index: number, number: number, result: Result): boolean {
    if (number === 1) return this.#first.matches(index, result)
    const variant = this.#others.get(index)?.[number - 2]
    return variant !== undefined && sameResult(variant.result, result)
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

  #numberOf (index: number, result: Result): number {
    if (this.#first.matches(index, result)) return 1
    const found = this.#others.get(index)?.findIndex(variant => variant !== undefined && sameResult(variant.result, result)) ?? -1
    return found === -1 ? 0 : found + 2
  }

  #freeNumber (index: number): number {
    if (!this.#first.has(index)) return 1
    const others = this.#others.get(index) ?? []
    const gap = others.indexOf(undefined)
    return (gap === -1 ? others.length : gap) + 2
  }

  #put (index: number, number: number, result: Result): void {
    if (number === 1) return this.#first.set(index, result)
    const others = this.#others.get(index) ?? []
    others[number - 2] = { result, count: 0 }
    this.#others.set(index, others)
  }

  #count (index: number, number: number, step: number): void {
    if (number === 1) {
      this.#firstCounts[index]! += step
      if (this.#firstCounts[index] === 0) this.#first.delete(index)
      return
    }
    const others = this.#others.get(index)!
    const variant = others[number - 2]!
    variant.count += step
    if (variant.count > 0) return
    others[number - 2] = undefined
    if (others.every(known => known === undefined)) this.#others.delete(index)
  }
}

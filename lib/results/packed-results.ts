/**
 * Results by piece in typed memory: 40 bytes for each piece that has one, a tenth of an object with its digest and its
 * entry in a Map. Memory that was never written costs nothing. Pure.
 */
import type { Result } from './result.ts'

const DIGEST_BYTES = 32

/**
 * A map from piece index to result. Results are copied when they are set and read. Iterates in the order of the pieces.
 */
export class PackedResults implements Iterable<[index: number, result: Result]> {
  /** size plus one; 0: no result */
  readonly #sizes: Float64Array
  readonly #digests: Uint8Array
  #count = 0

  /** @param capacity indices are from 0 to capacity − 1 */
  constructor (capacity: number) {
    this.#sizes = new Float64Array(capacity)
    this.#digests = new Uint8Array(capacity * DIGEST_BYTES)
  }

  /** The number of results. */
  get size (): number { return this.#count }

  has (index: number): boolean { return (this.#sizes[index] ?? 0) !== 0 }

  get (index: number): Result | undefined {
    if (!this.has(index)) return undefined
    return {
      size: this.#sizes[index]! - 1, digest: this.#digests.slice(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES)
    }
  }

  /** The size of a result in bytes, without copying its digest. */
  sizeOf (index: number): number | undefined { return this.has(index) ? this.#sizes[index]! - 1 : undefined }

  /** True if this very result is stored. */
  matches (index: number, { size, digest }: Result): boolean {
    if (this.#sizes[index] !== size + 1) return false
    for (let i = 0; i < DIGEST_BYTES; i++) if (this.#digests[index * DIGEST_BYTES + i] !== digest[i]) return false
    return true
  }

  set (index: number, { size, digest }: Result): void {
    if (!this.has(index)) this.#count++
    this.#sizes[index] = size + 1
    this.#digests.set(digest, index * DIGEST_BYTES)
  }

  delete (index: number): void {
    if (!this.has(index)) return
    this.#count--
    this.#sizes[index] = 0
  }

  * keys (): Generator<number> {
    for (let index = 0; index < this.#sizes.length; index++) if (this.has(index)) yield index
  }

  * [Symbol.iterator] (): Generator<[index: number, result: Result]> {
    for (const index of this.keys()) yield [index, this.get(index)!]
  }
}

/** Read-only access. */
export type ReadonlyResults = Omit<PackedResults, 'set' | 'delete'>

/**
 * The results of pieces after the first of each, in typed memory that grows on demand up to a limit, 50 bytes each. The
 * results of a piece form a list, which is found by the piece's index. Pure. Called by variants.ts.
 */
import type { Result } from './result.ts'

const DIGEST_BYTES = 32
/** The initial capacity. */
const INITIAL = 64

/** A list of numbered results for each piece. */
export class FurtherResults {
  readonly #limit: number
  /** index plus one of the first entry of each piece's list, and of the next entry in each list; 0: none */
  readonly #heads: Uint32Array
  #next = new Uint32Array(INITIAL)
  #numbers = new Uint8Array(INITIAL)
  #counts = new Uint16Array(INITIAL)
  #sizes = new Float64Array(INITIAL)
  #digests = new Uint8Array(INITIAL * DIGEST_BYTES)
  /** free entries, as a list */
  #free = 0
  #used = 0
  #size = 0

  /** @param limit the largest number of results to keep, for all pieces together */
  constructor (pieceCount: number, limit: number) {
    this.#limit = limit
    this.#heads = new Uint32Array(pieceCount)
  }

  /** The number of results. */
  get size (): number { return this.#size }

  get (index: number, number: number): Result | undefined {
    const place = this.#place(index, number)
    if (place === -1) return undefined
    return { size: this.#sizes[place]!, digest: this.#digests.slice(place * DIGEST_BYTES, (place + 1) * DIGEST_BYTES) }
  }

  sizeOf (index: number, number: number): number | undefined { return this.#sizes[this.#place(index, number)] }

  matches (index: number, number: number, result: Result): boolean {
    const place = this.#place(index, number)
    return place !== -1 && this.#isAt(place, result)
  }

  /** The number of this result; 0 if it is not stored. */
  numberOf (index: number, result: Result): number {
    for (let at = this.#heads[index]!; at !== 0; at = this.#next[at - 1]!) {
      if (this.#isAt(at - 1, result)) return this.#numbers[at - 1]!
    }
    return 0
  }

  /** The lowest free number that is at least `first`. */
  freeNumber (index: number, first: number): number {
    const taken = new Set<number>()
    for (let at = this.#heads[index]!; at !== 0; at = this.#next[at - 1]!) taken.add(this.#numbers[at - 1]!)
    let number = first
    while (taken.has(number)) number++
    return number
  }

  /**
   * Stores a result that no peer announces yet. The caller must ensure that the limit is not reached, and that the
   * number is free.
   */
  put (index: number, number: number, { size, digest }: Result): void {
    const place = this.#take()
    this.#next[place] = this.#heads[index]!
    this.#heads[index] = place + 1
    this.#numbers[place] = number
    this.#counts[place] = 0
    this.#sizes[place] = size
    this.#digests.set(digest, place * DIGEST_BYTES)
    this.#size++
  }

  /** Adds `step` to the number of peers that announce the result. At zero, the result is forgotten. */
  count (index: number, number: number, step: number): void {
    const place = this.#place(index, number)
    this.#counts[place]! += step
    if (this.#counts[place] === 0) this.#remove(index, place)
  }

  #place (index: number, number: number): number {
    for (let at = this.#heads[index]!; at !== 0; at = this.#next[at - 1]!) {
      if (this.#numbers[at - 1] === number) return at - 1
    }
    return -1
  }

  #isAt (place: number, { size, digest }: Result): boolean {
    if (this.#sizes[place] !== size) return false
    for (let i = 0; i < DIGEST_BYTES; i++) if (this.#digests[place * DIGEST_BYTES + i] !== digest[i]) return false
    return true
  }

  #remove (index: number, place: number): void {
    let before = 0
    for (let at = this.#heads[index]!; at !== place + 1; at = this.#next[at - 1]!) before = at
    if (before === 0) this.#heads[index] = this.#next[place]!
    else this.#next[before - 1] = this.#next[place]!
    this.#next[place] = this.#free
    this.#free = place + 1
    this.#size--
  }

  #take (): number {
    if (this.#free !== 0) {
      const place = this.#free - 1
      this.#free = this.#next[place]!
      return place
    }
    if (this.#used === this.#next.length) this.#grow(Math.min(this.#limit, 2 * this.#used))
    return this.#used++
  }

  #grow (room: number): void {
    const [next, numbers, counts] = [new Uint32Array(room), new Uint8Array(room), new Uint16Array(room)]
    const [sizes, digests] = [new Float64Array(room), new Uint8Array(room * DIGEST_BYTES)]
    next.set(this.#next)
    numbers.set(this.#numbers)
    counts.set(this.#counts)
    sizes.set(this.#sizes)
    digests.set(this.#digests)
    this.#next = next
    this.#numbers = numbers
    this.#counts = counts
    this.#sizes = sizes
    this.#digests = digests
  }
}

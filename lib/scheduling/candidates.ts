/**
 * The pieces that may be computed, lowest rank first, any of them within a rank. Pure; constant time a piece, whatever
 * the number of pieces, since the scheduler asks after every change.
 *
 * Pieces wait in one list a rank. One that is no candidate any more stays in its list until it is met there.
 */

/** Longer between two sortings: the order is a hint, and members of a large swarm come and go all the time. */
const SORT_MS = 1_000

/** What the order is by. */
export interface Order {
  /** from 0; changes in `catchUp` alone */
  rank (index: number): number
  /** takes in what was changed; false if there is more to do another time */
  catchUp (): boolean
}

/** A set of piece indices with an order. */
export class Candidates {
  readonly #order: Order
  readonly #isMember: Uint8Array
  /** it stands in a list, as a candidate or not */
  readonly #isListed: Uint8Array
  #lists: number[][] = []
  /** no list before this one has anything */
  #first = 0
  #size = 0
  #isStale = false
  #sortedAt = -Infinity

  constructor (pieceCount: number, order: Order) {
    this.#order = order
    this.#isMember = new Uint8Array(pieceCount)
    this.#isListed = new Uint8Array(pieceCount)
  }

  get size (): number { return this.#size }

  has (index: number): boolean { return this.#isMember[index] === 1 }

  set (index: number, isMember: boolean): void {
    if (isMember === this.has(index)) return
    this.#isMember[index] = isMember ? 1 : 0
    this.#size += isMember ? 1 : -1
    if (isMember && this.#isListed[index] === 0) this.#list(index)
  }

  /** The order has something to catch up with. */
  outdate (): void { this.#isStale = true }

  /**
   * One of those with the lowest rank, each with the same probability. It stays in the set.
   * @param random gives numbers in [0, 1)
   * @param now milliseconds
   */
  pick (random: () => number, now: number): number | undefined {
    if (this.#isStale && now - this.#sortedAt >= SORT_MS) this.#sort(now)
    for (; this.#first < this.#lists.length; this.#first++) {
      const list = this.#lists[this.#first]!
      while (list.length > 0) {
        const at = Math.floor(random() * list.length)
        const index = list[at]!
        if (this.has(index)) return index
        this.#isListed[index] = 0
        list[at] = list.at(-1)!
        list.pop()
      }
    }
    return undefined
  }

  /** Those that `pick` would give first, as many as are asked for, lowest rank first. They stay in the set. */
  * first (count: number, now: number): Generator<number> {
    if (this.#isStale && now - this.#sortedAt >= SORT_MS) this.#sort(now)
    for (let rank = this.#first; rank < this.#lists.length && count > 0; rank++) {
      for (const index of this.#lists[rank]!) {
        if (!this.has(index)) continue
        yield index
        if (--count === 0) return
      }
    }
  }

  #list (index: number): void {
    const rank = this.#order.rank(index)
    while (this.#lists.length <= rank) this.#lists.push([])
    this.#lists[rank]!.push(index)
    this.#isListed[index] = 1
    this.#first = Math.min(this.#first, rank)
  }

  #sort (now: number): void {
    this.#isStale = !this.#order.catchUp()
    this.#sortedAt = now
    this.#lists = []
    this.#first = 0
    this.#isListed.fill(0)
    for (let index = 0; index < this.#isMember.length; index++) if (this.has(index)) this.#list(index)
  }
}

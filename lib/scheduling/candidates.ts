/**
 * The pieces that may be computed, ordered by rank; random within a rank. Pure. Takes constant time per operation,
 * whatever the number of pieces, because the scheduler calls it after every change.
 *
 * Each rank has a list of pieces. A piece that is no longer a candidate stays in its list until the list is read.
 */

/** Shortest interval between two sorts: the order is a hint, and members of a large swarm come and go all the time. */
const SORT_MS = 1_000

/** The order of the pieces. */
export interface Order {
  /** at least 0; changes only in `catchUp` */
  rank (index: number): number
  /** applies pending changes; false if some remain for the next call */
  catchUp (): boolean
}

/** A set of piece indices with an order. */
export class Candidates {
  readonly #order: Order
  readonly #isMember: Uint8Array
  /** 1: the piece is in a list, whether or not it is a candidate */
  readonly #isListed: Uint8Array
  #lists: number[][] = []
  /** all lists before this one are empty */
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

  /** The order has pending changes. */
  outdate (): void { this.#isStale = true }

  /**
   * Returns a random piece of the lowest rank. It stays in the set.
   * @param random returns numbers in [0, 1)
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

  /**
   * Yields up to `count` pieces, lowest rank first. They stay in the set. Those in which another peer comes first are
   * taken from the end: that peer begins at the front.
   */
  * first (count: number, now: number): Generator<number> {
    if (this.#isStale && now - this.#sortedAt >= SORT_MS) this.#sort(now)
    for (let rank = this.#first; rank < this.#lists.length && count > 0; rank++) {
      const list = this.#lists[rank]!
      for (let at = 0; at < list.length; at++) {
        const index = rank === 0 ? list[at]! : list.at(-1 - at)!
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

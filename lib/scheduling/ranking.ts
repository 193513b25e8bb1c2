/**
 * Rendezvous order (highest random weight): for every piece, the peers known to be alive stand in an order that
 * everybody computes alike, and each peer begins with the pieces for which it comes first. So peers seldom take the
 * same piece even before they have heard of each other's claims (docs/scheduling.md, "Which piece"). Pure.
 *
 * Memory: two bytes a piece. A member that comes or goes costs one pass over the pieces, about a millisecond for 100
 * 000; `catchUp` makes these passes, some at a time, however often peers say that somebody came or went.
 */

/** The order is only a hint: more members than this make it no better, and cost time. */
const MAX_MEMBERS = 256
/** Weights compared in one `catchUp`: some 20 ms. */
const MAX_WEIGHTS = 2_000_000

/** The ranks of one peer. */
export class Ranking {
  readonly #self: number
  /** what of a piece the weights are taken of; null: its index */
  #groups: ArrayLike<number> | null = null
  readonly #ranks: Uint16Array
  readonly #members = new Set<string>()
  /** those of them that the ranks know */
  readonly #ranked = new Set<string>()
  /** members that came or went since the ranks were true */
  readonly #changed = new Set<string>()

  /** @param peerId hex, 40 digits; our own */
  constructor (pieceCount: number, peerId: string) {
    this.#self = seedOf(peerId)
    this.#ranks = new Uint16Array(pieceCount)
  }

  /** Peers that are alive, as far as they are counted, without ourselves. */
  get members (): number { return this.#members.size }

  /** How many members came before us for this piece when `catchUp` was last called. */
  rank (index: number): number { return this.#ranks[index]! }

  /** A peer (hex peer id) is alive, or is not any more. True when `catchUp` has something to do. */
  setMember (peerId: string, isAlive: boolean): boolean {
    if (isAlive === this.#members.has(peerId) || (isAlive && this.#members.size >= MAX_MEMBERS)) return false
    if (isAlive) this.#members.add(peerId)
    else this.#members.delete(peerId)
    if (isAlive === this.#ranked.has(peerId)) this.#changed.delete(peerId)
    else this.#changed.add(peerId)
    return this.#changed.size > 0
  }

  /**
   * Pieces of one group have one rank from now on: `groups` has a number for each piece. `catchUp` has all to do again.
   */
  setGroups (groups: ArrayLike<number>): void {
    this.#groups = groups
    this.#ranks.fill(0)
    this.#ranked.clear()
    this.#changed.clear()
    for (const peerId of this.#members) this.#changed.add(peerId)
  }

  /**
   * Changes the ranks as the members have changed, or as far as that takes no longer than it may; false if there is
   * more to do.
   */
  catchUp (): boolean {
    let passes = Math.max(1, Math.floor(MAX_WEIGHTS / this.#ranks.length))
    for (const peerId of this.#changed) {
      if (passes-- === 0) return false
      this.#changed.delete(peerId)
      this.#pass(peerId)
    }
    return true
  }

  #pass (peerId: string): void {
    const isAlive = this.#members.has(peerId)
    if (isAlive) this.#ranked.add(peerId)
    else this.#ranked.delete(peerId)
    const seed = seedOf(peerId)
    const step = isAlive ? 1 : -1
    for (let index = 0; index < this.#ranks.length; index++) {
      const group = this.#groups === null ? index : this.#groups[index]!
      if (rendezvousWeight(seed, group) > rendezvousWeight(this.#self, group)) this.#ranks[index]! += step
    }
  }
}

/** The weight of a peer for a piece, u32; the highest comes first. The finalizer of MurmurHash3 over seed and index. */
export function rendezvousWeight (seed: number, index: number): number {
  let h = seed ^ Math.imul(index, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The last four bytes of a peer id (hex), the random part of it. */
export function seedOf (peerId: string): number {
  return Number.parseInt(peerId.slice(-8), 16) | 0
}

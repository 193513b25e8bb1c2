/**
 * Rendezvous order (highest random weight): for each piece, all peers compute the same order of the peers that are
 * alive, and each peer starts with the pieces where it comes first. Two peers therefore seldom start the same piece,
 * even before their claims have arrived (docs/scheduling.md, "Which piece"). Pure.
 *
 * Memory: two bytes per piece. A member that comes or goes costs one pass over the pieces, about a millisecond for 100
 * 000. `catchUp` makes a limited number of these passes at a time, however often members come and go.
 */

/** The order is only a hint: more members than this do not improve it, and cost time. */
const MAX_MEMBERS = 256
/** Weights computed in one `catchUp`: about 20 ms. */
const MAX_WEIGHTS = 2_000_000

/** The ranks of one peer. */
export class Ranking {
  readonly #self: number
  /** the number of each piece that its weights are computed from; null: its index */
  #groups: ArrayLike<number> | null = null
  readonly #ranks: Uint16Array
  readonly #members = new Set<string>()
  /** the members that the ranks include */
  readonly #ranked = new Set<string>()
  /** members that came or went since the ranks were computed */
  readonly #changed = new Set<string>()

  /** @param peerId hex, 40 digits; our own */
  constructor (pieceCount: number, peerId: string) {
    this.#self = seedOf(peerId)
    this.#ranks = new Uint16Array(pieceCount)
  }

  /** The number of other peers that are alive, up to the limit. */
  get members (): number { return this.#members.size }

  /** How many members came before us for this piece at the last `catchUp`. */
  rank (index: number): number { return this.#ranks[index]! }

  /** A peer (hex peer id) has joined or left. Returns true if `catchUp` has work to do. */
  setMember (peerId: string, isAlive: boolean): boolean {
    if (isAlive === this.#members.has(peerId) || (isAlive && this.#members.size >= MAX_MEMBERS)) return false
    if (isAlive) this.#members.add(peerId)
    else this.#members.delete(peerId)
    if (isAlive === this.#ranked.has(peerId)) this.#changed.delete(peerId)
    else this.#changed.add(peerId)
    return this.#changed.size > 0
  }

  /**
   * Gives the pieces of one group the same rank: `groups` has a number for each piece. `catchUp` must recompute all
   * ranks.
   */
  setGroups (groups: ArrayLike<number>): void {
    this.#groups = groups
    this.#ranks.fill(0)
    this.#ranked.clear()
    this.#changed.clear()
    for (const peerId of this.#members) this.#changed.add(peerId)
  }

  /** Updates the ranks for members that came or went, as far as its time allows; false if some remain. */
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

/** The weight of a peer for a piece, u32; the highest comes first. It is MurmurHash3's finalizer of seed and index. */
export function rendezvousWeight (seed: number, index: number): number {
  let h = seed ^ Math.imul(index, 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** The last four bytes of a peer id (hex), which are random. */
export function seedOf (peerId: string): number {
  return Number.parseInt(peerId.slice(-8), 16) | 0
}

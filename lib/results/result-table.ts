/**
 * Records which peer has which result. Pure: no clock, no wire, no file.
 *
 * A result is (piece index, size, SHA-256 digest). A command need not be deterministic, so a piece can have several
 * results in a swarm. Each distinct one is a *variant* of the piece, and is stored once, however many peers announce
 * it. A peer *holds* a piece when it has both announced its result (`results`) and set the piece's bit (`have`,
 * `bitfield`).
 *
 * Our own result is a variant like any other. Called by piece-flow.ts and its parts. Memory: 1 byte per piece and peer,
 * 49 per piece, and 50 per further variant, of which there are at most as many as pieces (variants.ts). A variant that
 * no peer announces any more is removed; otherwise peers that come and go would use up all numbers.
 */
import type { Result } from './result.ts'
import { Variants } from './variants.ts'

/** The effect of a record passed to `PeerResults.announce`. */
export type Announcement = 'new' | 'same' | 'changed' | 'ignored'

/**
 * In a peer's byte for a piece, the bit that means "its have bit is set". The other seven bits are the variant's
 * number.
 */
const HAVE = 0x80
const VARIANT = 0x7f
/** One more than for peers, so that a peer that floods us with variants cannot prevent us from having one. */
const OWN_LIMIT = VARIANT + 1

/** What one connected peer has announced. Made by `ResultTable.addPeer`. */
export class PeerResults {
  readonly #table: ResultTable
  readonly #flags: Uint8Array
  #held = 0
  #further = 0
  /** pieces whose have bit is set, but whose result is not known yet */
  #unexplained = 0

  constructor (table: ResultTable) {
    this.#table = table
    this.#flags = new Uint8Array(table.pieceCount)
  }

  /** The number of pieces for which it announced another result than the first peer did. */
  get further (): number { return this.#further }

  /** The number of pieces it holds. */
  get held (): number { return this.#held }

  /** The number of have bits whose result has not arrived (a snapshot is on its way, or the peer lies). */
  get unexplained (): number { return this.#unexplained }

  /** True if the piece can be downloaded from this peer. */
  holds (index: number): boolean {
    return this.#flags[index]! > HAVE
  }

  /** The result it announced for the piece, whether or not the bit is set. */
  result (index: number): Result | undefined {
    return this.#table.variants.get(index, this.#flags[index]! & VARIANT)
  }

  /** The size in bytes of that result. */
  size (index: number): number | undefined { return this.#table.variants.sizeOf(index, this.#flags[index]! & VARIANT) }

  /** True if the piece can be downloaded from this peer, and is this very result. */
  holdsResult (index: number, result: Result): boolean {
    return this.holds(index) && this.#table.variants.matches(index, this.#flags[index]! & VARIANT, result)
  }

  /**
   * Records the result that the peer announced. A result is final: 'changed' is a violation of the protocol, and has no
   * effect.
   */
  announce (index: number, result: Result): Announcement {
    const flags = this.#flags[index]!
    const known = flags & VARIANT
    if (known !== 0) return this.#table.variants.matches(index, known, result) ? 'same' : 'changed'
    const variant = this.#table.makeRoom(this, index, result) ? this.#table.variants.add(index, result, VARIANT) : 0
    if (variant === 0) return 'ignored'
    if (variant > 1) this.#further++
    if ((flags & HAVE) !== 0) this.#unexplained--
    this.#update(index, flags | variant)
    return 'new'
  }

  /** The peer's have bit for the piece. */
  setHave (index: number): void {
    const flags = this.#flags[index]!
    if ((flags & HAVE) !== 0) return
    if ((flags & VARIANT) === 0) this.#unexplained++
    this.#update(index, flags | HAVE)
  }

  /** The peer no longer has the piece, or is no longer believed: forgets its bit and result. */
  forget (index: number): void {
    const flags = this.#flags[index]!
    if (flags === HAVE) this.#unexplained--
    this.#update(index, 0)
    if ((flags & VARIANT) > 1) this.#further--
    this.#table.variants.drop(index, flags & VARIANT)
  }

  /** Forgets all results that differ from the first announced one. Returns the indices of these pieces. */
  forgetFurther (): number[] {
    const pieces: number[] = []
    for (let index = 0; this.#further > 0 && index < this.#flags.length; index++) {
      if ((this.#flags[index]! & VARIANT) <= 1) continue
      this.forget(index)
      pieces.push(index)
    }
    return pieces
  }

  /** The peer has disconnected: forgets everything. Returns the indices of the pieces that no other peer holds. */
  clear (): number[] {
    this.#table.removePeer(this)
    const orphans: number[] = []
    for (let index = 0; index < this.#flags.length; index++) {
      const held = this.holds(index)
      this.forget(index)
      if (held && this.#table.holders(index) === 0) orphans.push(index)
    }
    return orphans
  }

  #update (index: number, flags: number): void {
    const before = this.holds(index) ? 1 : 0
    this.#flags[index] = flags
    const after = this.holds(index) ? 1 : 0
    this.#held += after - before
    this.#table.count(index, after - before)
  }
}

/** All known results of one task: our own and those of the connected peers. */
export class ResultTable {
  readonly pieceCount: number
  /** @internal the results that any peer announced, including our own */
  readonly variants: Variants
  readonly #peers = new Map<PeerResults, (pieces: number[]) => void>()
  /** the number of the variant stored here; 0: none */
  readonly #own: Uint8Array
  readonly #holders: Uint16Array

  constructor (pieceCount: number) {
    this.pieceCount = pieceCount
    this.variants = new Variants(pieceCount)
    this.#own = new Uint8Array(pieceCount)
    this.#holders = new Uint16Array(pieceCount)
  }

  /** @param dropped called with the pieces whose result was forgotten for lack of room: the peer does not hold them */
  addPeer (dropped: (pieces: number[]) => void = () => {}): PeerResults {
    const peer = new PeerResults(this)
    this.#peers.set(peer, dropped)
    return peer
  }

  /** @internal */
  removePeer (peer: PeerResults): void { this.#peers.delete(peer) }

  /**
   * @internal Whether there is room for a result that a peer announces. If necessary, makes room by forgetting the
   * results of the peer that differs most often from the first announcement, because that peer floods us.
   */
  makeRoom (peer: PeerResults, index: number, result: Result): boolean {
    while (this.variants.isFullFor(index, result)) {
      let most = peer
      for (const other of this.#peers.keys()) if (other.further > most.further) most = other
      if (most === peer) return false
      this.#peers.get(most)!(most.forgetFurther())
    }
    return true
  }

  /** The number of connected peers that the piece can be downloaded from. */
  holders (index: number): number {
    return this.#holders[index]!
  }

  /** True if we, or a connected peer, have a result of any piece. */
  get hasAny (): boolean {
    return this.#own.some(variant => variant !== 0) || this.#holders.some(holders => holders > 0)
  }

  /** True if the piece is stored here. */
  has (index: number): boolean {
    return (this.#own[index] ?? 0) !== 0
  }

  /** The result stored here. */
  own (index: number): Result | undefined {
    return this.has(index) ? this.variants.get(index, this.#own[index]!) : undefined
  }

  /** The size in bytes of the result stored here. */
  ownSize (index: number): number | undefined {
    return this.has(index) ? this.variants.sizeOf(index, this.#own[index]!) : undefined
  }

  setOwn (index: number, result: Result | undefined): void {
    const before = this.#own[index]!
    this.#own[index] = result === undefined ? 0 : this.variants.add(index, result, OWN_LIMIT)
    this.variants.drop(index, before)
  }

  /** @internal */
  count (index: number, delta: number): void {
    this.#holders[index] = this.#holders[index]! + delta
  }
}

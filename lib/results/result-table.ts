/**
 * Who has which result. Pure: no clock, no wire, no file.
 *
 * A result is (piece index, size, SHA-256 digest). A command need not be deterministic, so one piece can have several
 * results in a swarm; each distinct one is a *variant* of the piece, kept once however many peers announce it. A peer
 * *holds* a piece when it has both said which result it has (`results`) and set the piece's bit (`have`, `bitfield`).
 *
 * Our own result is a variant like any other. Called by piece-flow.ts and what it hosts. Memory: one byte per piece and
 * peer, 49 per piece, and 50 per further variant, of which there are no more than pieces (variants.ts): what nobody
 * says any more makes room, or peers that come and go would use up all numbers.
 */
import type { Result } from './result.ts'
import { Variants } from './variants.ts'

/** What `PeerResults.announce` made of a record. */
export type Announcement = 'new' | 'same' | 'changed' | 'ignored'

/** The bit of a peer's byte for a piece that says "its have bit is set"; the other seven number the variant. */
const HAVE = 0x80
const VARIANT = 0x7f
/** Peers that flood with variants cannot keep us from having one. */
const OWN_LIMIT = VARIANT + 1

/** What one connected peer has announced. Made by `ResultTable.addPeer`. */
export class PeerResults {
  readonly #table: ResultTable
  readonly #flags: Uint8Array
  #held = 0
  #further = 0
  /** pieces whose have bit is set but whose result is not known yet */
  #unexplained = 0

  constructor (table: ResultTable) {
    this.#table = table
    this.#flags = new Uint8Array(table.pieceCount)
  }

  /** Of how many pieces it says another result than whoever was first. */
  get further (): number { return this.#further }

  /** How many pieces it holds. */
  get held (): number { return this.#held }

  /** How many have bits came without their result so far (a snapshot is on its way, or the peer is lying). */
  get unexplained (): number { return this.#unexplained }

  /** True when the piece can be downloaded from this peer. */
  holds (index: number): boolean {
    return this.#flags[index]! > HAVE
  }

  /** The result it announced for the piece, whether or not the bit is set. */
  result (index: number): Result | undefined {
    return this.#table.variants.get(index, this.#flags[index]! & VARIANT)
  }

  /** The size in bytes of that result. */
  size (index: number): number | undefined { return this.#table.variants.sizeOf(index, this.#flags[index]! & VARIANT) }

  /** True when the piece can be downloaded from this peer, and is this very result. */
  holdsResult (index: number, result: Result): boolean {
    return this.holds(index) && this.#table.variants.matches(index, this.#flags[index]! & VARIANT, result)
  }

  /** The peer says which result it has. A result is final: 'changed' is a violation, and changes nothing here. */
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

  /** The peer no longer has the piece, or is no longer believed: bit and result are forgotten. */
  forget (index: number): void {
    const flags = this.#flags[index]!
    if (flags === HAVE) this.#unexplained--
    this.#update(index, 0)
    if ((flags & VARIANT) > 1) this.#further--
    this.#table.variants.drop(index, flags & VARIANT)
  }

  /** Forgets all that it says otherwise than whoever was first; these pieces. */
  forgetFurther (): number[] {
    const pieces: number[] = []
    for (let index = 0; this.#further > 0 && index < this.#flags.length; index++) {
      if ((this.#flags[index]! & VARIANT) <= 1) continue
      this.forget(index)
      pieces.push(index)
    }
    return pieces
  }

  /** The peer is gone: forgets everything; the indices whose last holder this peer was. */
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

/** All results known for one task: our own and the connected peers'. */
export class ResultTable {
  readonly pieceCount: number
  /** @internal what anybody says, ourselves included */
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

  /**
   * @param dropped called with pieces whose result by this peer was forgotten, because there was no room: it does not
   * hold them
   */
  addPeer (dropped: (pieces: number[]) => void = () => {}): PeerResults {
    const peer = new PeerResults(this)
    this.#peers.set(peer, dropped)
    return peer
  }

  /** @internal */
  removePeer (peer: PeerResults): void { this.#peers.delete(peer) }

  /**
   * @internal whether there is room for a result that a peer says; if need be, at the cost of the one that has said
   * most results otherwise than whoever was first: who floods us with them makes room for others
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

  /** Connected peers the piece can be downloaded from. */
  holders (index: number): number {
    return this.#holders[index]!
  }

  /** Somebody has a result of some piece: we, or a connected peer. */
  get hasAny (): boolean {
    return this.#own.some(variant => variant !== 0) || this.#holders.some(holders => holders > 0)
  }

  /** True when the piece is stored here. */
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

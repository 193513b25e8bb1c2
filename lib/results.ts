/**
 * Who has which result. Pure: no clock, no wire, no file.
 *
 * A result is (piece index, size, SHA-256 digest). A command need not be deterministic, so one piece can have several
 * results in a swarm; each distinct one is a *variant* of the piece, kept once however many peers announce it. A peer
 * *holds* a piece when it has both said which result it has (`results`) and set the piece's bit (`have`, `bitfield`).
 *
 * Called by work-session.ts only. Memory: one byte per piece and peer, plus one record per variant that a connected peer
 * announces: what nobody says any more makes room, or peers that come and go would use up all numbers.
 */

/** What one execution of the command produced: its size in bytes and the SHA-256 digest (32 bytes). */
export interface Result {
  readonly size: number
  readonly digest: Uint8Array
}

/** A variant and how many connected peers announce it. */
interface Variant { readonly result: Result, peers: number }

/** What `PeerResults.announce` made of a record. */
export type Announcement = 'new' | 'same' | 'changed' | 'ignored'

/** The bit of a peer's byte for a piece that says "its have bit is set"; the other seven number the variant. */
const HAVE = 0x80
const VARIANT = 0x7f

/** True when both are the same result. */
export function sameResult (a: Result, b: Result): boolean {
  return a === b || (a.size === b.size && Buffer.compare(a.digest, b.digest) === 0)
}

/** What one connected peer has announced. Made by `ResultTable.addPeer`. */
export class PeerResults {
  readonly #table: ResultTable
  readonly #flags: Uint8Array
  #held = 0
  /** pieces whose have bit is set but whose result is not known yet */
  #unexplained = 0

  constructor (table: ResultTable) {
    this.#table = table
    this.#flags = new Uint8Array(table.pieceCount)
  }

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
    return this.#table.variant(index, this.#flags[index]! & VARIANT)
  }

  /** The peer says which result it has. A result is final: 'changed' is a violation, and changes nothing here. */
  announce (index: number, result: Result): Announcement {
    const flags = this.#flags[index]!
    const known = this.#table.variant(index, flags & VARIANT)
    if (known !== undefined) return sameResult(known, result) ? 'same' : 'changed'
    const variant = this.#table.intern(index, result)
    if (variant === 0) return 'ignored'
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
    this.#table.drop(index, flags & VARIANT)
  }

  /** Forgets everything; the indices whose last holder this peer was. */
  clear (): number[] {
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
  readonly #variants: Array<Array<Variant | undefined> | undefined>
  readonly #own: Array<Result | undefined>
  readonly #holders: Uint16Array

  constructor (pieceCount: number) {
    this.pieceCount = pieceCount
    this.#variants = Array.from({ length: pieceCount }, () => undefined)
    this.#own = Array.from({ length: pieceCount }, () => undefined)
    this.#holders = new Uint16Array(pieceCount)
  }

  addPeer (): PeerResults {
    return new PeerResults(this)
  }

  /** Connected peers the piece can be downloaded from. */
  holders (index: number): number {
    return this.#holders[index]!
  }

  /** The result stored here. */
  own (index: number): Result | undefined {
    return this.#own[index]
  }

  setOwn (index: number, result: Result | undefined): void {
    this.#own[index] = result
  }

  /** @internal the variant's record; `number` counts from 1 */
  variant (index: number, number: number): Result | undefined {
    return number === 0 ? undefined : this.#variants[index]?.[number - 1]?.result
  }

  /** @internal the variant's number, from 1; 0 when the piece has too many (a peer that floods with variants gains nothing) */
  intern (index: number, result: Result): number {
    const variants = this.#variants[index] ??= []
    const found = variants.findIndex(known => known !== undefined && sameResult(known.result, result))
    if (found !== -1) {
      variants[found]!.peers++
      return found + 1
    }
    const gap = variants.indexOf(undefined)
    const at = gap === -1 ? variants.length : gap
    if (at === VARIANT) return 0
    // our own result, being stored already, is shared rather than kept twice
    const own = this.#own[index]
    variants[at] = { result: own !== undefined && sameResult(own, result) ? own : result, peers: 1 }
    return at + 1
  }

  /** @internal a peer that announced the variant does so no longer */
  drop (index: number, number: number): void {
    const variants = this.#variants[index]
    const variant = variants?.[number - 1]
    if (variants === undefined || variant === undefined || --variant.peers > 0) return
    variants[number - 1] = undefined
    if (variants.every(known => known === undefined)) this.#variants[index] = undefined
  }

  /** @internal */
  count (index: number, delta: number): void {
    this.#holders[index] = this.#holders[index]! + delta
  }
}

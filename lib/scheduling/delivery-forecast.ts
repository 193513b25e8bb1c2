/**
 * When announced pieces will be here, as far as that is believed. Pure: the clock is handed in.
 *
 * An announcement costs nothing, and keeps its piece from being computed here only while it is *expected* from one of
 * its holders. How much is expected of a holder is a window over what it announced, oldest first: a few pieces of a
 * newcomer, more for each piece that it delivered, and, unless it delivers far faster than we compute, no more than
 * what it will have delivered by the time a piece takes us. Patience belongs to the holder: who was asked and sends
 * nothing is *overdue*, and so is who sends and completes nothing. Of an overdue holder nothing is expected until it
 * delivers, and then as much as it delivered since. A piece that was waited for in vain is expected only of who
 * delivered enough, more each time: no matter under how many ids a liar comes back, a piece is waited for a few times
 * (docs/scheduling.md, "Announced pieces").
 *
 * What is announced and not expected is for idle slots (scheduler.ts).
 */
import type { Holder } from './holder.ts'

/** Pieces expected of a holder that has not delivered any yet. */
export const NEWCOMER_PIECES = 8
/** More for each that it delivered. */
const PIECES_PER_DELIVERY = 2
/** A holder may be silent for what a piece takes us, within these bounds. */
export const MIN_PATIENCE_MS = 2_000
export const MAX_PATIENCE_MS = 30_000
/** And for this many times as long as its deliveries took so far. */
const GAPS = 3
/** What a holder sends now tells how fast it is after this share of what a piece takes us. */
const SAMPLE_SHARE = 0.5
/** What a piece takes while nobody knows: an honest holder of large pieces has a slow line, perhaps. */
const UNKNOWN_PACE_MS = 300_000
/** What comes within this time is waited for, however short pieces are: the network takes as long. */
const MIN_WAIT_MS = 1_000
/** A holder that delivers this many pieces in the time in which one is computed has all the time it needs. */
const FAR_FASTER = 8
/** What is on its way when the rate is looked at: a block. */
const BLOCK_BYTES = 16_384
/** It is worth asking another holder anew if that takes this part of the time. */
const FASTER = 2
/** To be expected of somebody, a piece that was waited for in vain n times takes this to the power of n deliveries. */
const DELIVERIES_PER_DOUBT = 4

/** What the forecast needs from its surroundings. */
export interface ForecastHost {
  /** milliseconds on any steady clock */
  now (): number
  /** what a piece takes us on average, milliseconds; 0: unknown */
  pace (): number
  /** by how much everything is late here, milliseconds: our own slowness is nobody's fault */
  lag (): number
  /** the piece is announced or expected by somebody now, or by nobody any more */
  changed (index: number): void
  /** a holder is: what was asked of it should be asked of somebody else */
  overdue (): void
}

/** All announcements of connected peers for pieces that are missing here. */
export class DeliveryForecast {
  readonly #host: ForecastHost
  readonly #holders = new Set<Holder>()
  /** how many announced each piece */
  readonly #announced: Uint16Array
  /** and of how many it is expected */
  readonly #expected: Uint16Array
  #expectedCount = 0
  /** how often each piece was waited for in vain */
  readonly #doubts: Uint8Array

  constructor (pieceCount: number, host: ForecastHost) {
    this.#host = host
    this.#announced = new Uint16Array(pieceCount)
    this.#expected = new Uint16Array(pieceCount)
    this.#doubts = new Uint8Array(pieceCount)
  }

  /** Somebody says that it has the piece. */
  isAnnounced (index: number): boolean { return this.#announced[index]! > 0 }

  /** So many pieces will come from somebody soon, as far as that is believed. */
  get expected (): number { return this.#expectedCount }

  /** Somebody will deliver the piece soon, as far as that is believed. */
  isExpected (index: number): boolean { return this.#expected[index]! > 0 }

  /** It is this holder that will. */
  isExpectedFrom (holder: Holder, index: number): boolean { return holder.expected.has(index) }

  /** The holder says that it has a piece, of so many bytes, that is missing here and wanted. */
  announced (holder: Holder, index: number, size: number): void {
    if (holder.pieces.has(index)) return
    this.#holders.add(holder)
    holder.pieces.set(index, size)
    if (this.#isTrusted(holder, index)) holder.waiting.add(index)
    this.#announced[index]!++
    this.#widen(holder)
    this.#host.changed(index)
  }

  /** The holder does not have the piece any more, or is not believed that it has. */
  withdrawn (holder: Holder, index: number): void {
    if (holder.expected.has(index)) this.#doubt(index)
    this.#forget(holder, index)
    this.#widen(holder)
  }

  /**
   * The connection is closed. To leave is no better than to keep us waiting: who comes back would do so over and over.
   */
  remove (holder: Holder): void {
    this.#holders.delete(holder)
    for (const index of holder.expected) this.#doubt(index)
    for (const index of holder.pieces.keys()) this.#forget(holder, index)
  }

  /** The piece is here, or not wanted: nobody is waited for. */
  settled (index: number): void {
    this.#doubts[index] = 0
    if (!this.isAnnounced(index)) return
    for (const holder of this.#holders) {
      if (!holder.pieces.has(index)) continue
      this.#forget(holder, index)
      this.#widen(holder)
    }
  }

  /** The piece would come sooner from `holder`, which has proved itself, than from `other`. */
  isSooner (holder: Holder, other: Holder): boolean {
    if (holder.delivered === 0 || holder.isOverdue) return false
    return this.#waitMs(other) > FASTER * this.#waitMs(holder) + MIN_WAIT_MS / 2
  }

  /** Something is asked of the holder, or would be if it did not choke us. */
  asked (holder: Holder): void { holder.asked(this.#host.now()) }

  /** Nothing is asked of it any more: it sent everything, or we took it back. */
  rests (holder: Holder): void { holder.askedAt = undefined }

  /** It sent bytes that it was asked for. */
  received (holder: Holder, bytes: number): void { holder.sent(bytes, this.#host.now()) }

  /** The holder sent so many bytes of a piece, which match its digest. */
  delivered (holder: Holder, bytes: number): void {
    holder.completed(bytes, this.#host.now())
    if (Number.isInteger(Math.log(holder.delivered) / Math.log(DELIVERIES_PER_DOUBT))) this.#reconsider(holder)
    this.#widen(holder)
  }

  /** When `expire` may find something that it would not find now, or Infinity. */
  get expireAt (): number {
    let at = Infinity
    for (const holder of this.#holders) {
      const dueAt = this.#dueAt(holder)
      if (dueAt === Infinity) continue
      const sampleAt = this.#sampleAt(holder)
      at = Math.min(at, dueAt, sampleAt > this.#host.now() ? sampleAt : Infinity)
    }
    return at
  }

  /** Ends what is expected of those that are overdue, or have become too slow. */
  expire (): void {
    for (const holder of this.#holders) {
      if (this.#dueAt(holder) <= this.#host.now()) this.#lapse(holder)
      else this.#narrow(holder)
    }
  }

  #dueAt (holder: Holder): number {
    if (holder.isOverdue || holder.askedAt === undefined || holder.pieces.size === 0) return Infinity
    const pace = this.#host.pace()
    const silence = Math.min(MAX_PATIENCE_MS, Math.max(MIN_PATIENCE_MS, pace, GAPS * holder.gapMs))
    const [head = holder.pieces.keys().next().value ?? 0] = holder.expected
    const headMs = GAPS * (holder.pieces.get(head) ?? 0) * this.#msPerByte(holder)
    const delivery = Math.max(MIN_PATIENCE_MS, pace > 0 ? pace : UNKNOWN_PACE_MS, holder.delivered > 0 ? headMs : 0)
    return Math.min(holder.heardAt + silence, holder.deliveredAt + delivery) + this.#host.lag()
  }

  #lapse (holder: Holder): void {
    holder.lapsed()
    const expected = [...holder.expected]
    for (const index of expected) this.#doubt(index)
    for (const index of expected) this.#unexpect(holder, index)
    this.#host.overdue()
  }

  #doubt (index: number): void { this.#doubts[index] = Math.min(0xff, this.#doubts[index]! + 1) }

  /** Expects as much of the holder as its window has room for. */
  #widen (holder: Holder): void {
    if (holder.isOverdue || holder.waiting.size === 0) return
    const limit = this.#window(holder)
    if (holder.expected.size >= limit) return
    const byteLimit = this.#byteLimit(holder)
    for (const index of holder.waiting) {
      const size = holder.pieces.get(index)!
      if (holder.expected.size >= limit || holder.expectedBytes + size > byteLimit) return
      holder.waiting.delete(index)
      if (this.#isTrusted(holder, index)) this.#expect(holder, index, size)
    }
  }

  /** It has become slower than it was. */
  #narrow (holder: Holder): void {
    const byteLimit = this.#byteLimit(holder)
    if (holder.expectedBytes <= byteLimit) return
    for (const index of [...holder.expected].toReversed()) {
      if (holder.expectedBytes <= byteLimit) return
      this.#unexpect(holder, index)
      holder.waiting.add(index)
    }
  }

  /** It has delivered enough for pieces that were waited for in vain. */
  #reconsider (holder: Holder): void {
    for (const index of holder.pieces.keys()) {
      if (!holder.expected.has(index) && this.#isTrusted(holder, index)) holder.waiting.add(index)
    }
  }

  #waitMs (holder: Holder): number { return holder.expectedBytes * this.#msPerByte(holder) }

  #window ({ delivered, redeemed }: Holder): number {
    return redeemed === Infinity ? NEWCOMER_PIECES + PIECES_PER_DELIVERY * delivered : redeemed
  }

  #isTrusted ({ delivered }: Holder, index: number): boolean {
    const doubts = this.#doubts[index]!
    return doubts === 0 || delivered >= DELIVERIES_PER_DOUBT ** doubts
  }

  /** What it will have delivered by the time a piece takes us. */
  #byteLimit (holder: Holder): number {
    const msPerByte = this.#msPerByte(holder)
    if (msPerByte === 0) return Infinity
    const pace = this.#host.pace()
    if (pace === 0) return UNKNOWN_PACE_MS / msPerByte
    if (holder.redeemed === Infinity && holder.delivered > 0 && FAR_FASTER * msPerByte * holder.gapBytes < pace) {
      return Infinity
    }
    return Math.max(MIN_WAIT_MS, pace) / msPerByte
  }

  /** As its latest deliveries took, or as what it is sending now takes if that is worse; 0: unknown. */
  #msPerByte (holder: Holder): number {
    const { gapMs, gapBytes, askedAt, deliveredAt, partialBytes } = holder
    const average = gapBytes > 0 ? gapMs / gapBytes : 0
    const now = this.#host.now()
    if (askedAt === undefined || now < this.#sampleAt(holder)) return average
    return Math.max(average, (now - deliveredAt) / (partialBytes + BLOCK_BYTES))
  }

  /**
   * From when on what it is sending tells how fast it is. Before, most of the time that has passed may be the way of
   * the request and the answer, and the lateness at both ends: where everything is late, all holders would look slow at
   * once.
   */
  #sampleAt ({ deliveredAt, gapMs }: Holder): number {
    const shareMs = Math.min(MAX_PATIENCE_MS, SAMPLE_SHARE * this.#host.pace())
    return deliveredAt + Math.max(MIN_PATIENCE_MS, GAPS * gapMs, shareMs) + this.#host.lag()
  }

  #expect (holder: Holder, index: number, size: number): void {
    holder.expected.add(index)
    holder.expectedBytes += size
    if (++this.#expected[index]! > 1) return
    this.#expectedCount++
    this.#host.changed(index)
  }

  #unexpect (holder: Holder, index: number): void {
    if (!holder.expected.delete(index)) return
    holder.expectedBytes -= holder.pieces.get(index)!
    if (--this.#expected[index]! > 0) return
    this.#expectedCount--
    this.#host.changed(index)
  }

  #forget (holder: Holder, index: number): void {
    if (!holder.pieces.has(index)) return
    this.#unexpect(holder, index)
    holder.waiting.delete(index)
    holder.pieces.delete(index)
    if (--this.#announced[index]! === 0) this.#host.changed(index)
  }
}

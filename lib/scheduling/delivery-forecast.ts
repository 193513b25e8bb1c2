/**
 * Predicts which announced pieces will be delivered in time. Pure: the clock is an argument.
 *
 * An announcement costs nothing. It prevents its piece from being computed here only while the piece is *expected* from
 * one of its holders. The number of pieces expected from a holder is a window over its announcements, oldest first: a
 * few pieces for a newcomer, more for each piece that it delivered; and, unless it delivers far faster than we compute,
 * no more than it will have delivered in the time that a piece takes us. A holder that was asked and sends nothing, or
 * sends and completes nothing, is *overdue*. Nothing is expected of an overdue holder until it delivers, and then as
 * much as it delivered since. A piece that we waited for in vain is expected only from holders that have delivered
 * enough, more each time: however many ids a liar uses, we wait for a piece only a few times (docs/scheduling.md,
 * "Announced pieces").
 *
 * Pieces that are announced but not expected are left to idle slots (scheduler.ts).
 */
import type { ClaimTable } from './claim-table.ts'
import type { Holder } from './holder.ts'
import type { Timing } from './timing.ts'

/** Pieces that are expected of a holder that has not delivered any yet. */
export const NEWCOMER_PIECES = 8
/** Additional pieces for each one that it delivered. */
const PIECES_PER_DELIVERY = 2
/** A holder may be silent for as long as a piece takes us, within these bounds, */
export const MIN_PATIENCE_MS = 2_000
export const MAX_PATIENCE_MS = 30_000
/** and for this many times the average time between its deliveries. */
const GAPS = 3
/** A transfer shows how fast the holder is once it has taken this share of a piece's duration. */
const SAMPLE_SHARE = 0.5
/** The assumed duration of a piece while it is unknown: an honest holder of large pieces may have a slow line. */
const UNKNOWN_PACE_MS = 300_000
/** A delivery within this time is waited for, however short the pieces are: the network needs that long. */
const MIN_WAIT_MS = 1_000
/** A holder that delivers this many pieces in the time that one takes to compute is not limited by time. */
const FAR_FASTER = 8
/** The amount that may be in transit when the rate is measured: one block. */
const BLOCK_BYTES = 16_384
/** A piece is requested from another holder if that takes this fraction of the time. */
const FASTER = 2
/**
 * A piece that was waited for in vain n times is expected only from holders with this number to the power of n
 * deliveries.
 */
const DELIVERIES_PER_DOUBT = 4

/** Callbacks of the forecast's owner. */
export interface ForecastHost {
  /** the piece has become announced or expected, or has ceased to be */
  changed (index: number): void
  /** a holder has become overdue: its requests should go to others */
  overdue (): void
}

/** All announcements of connected peers for pieces that are missing here. */
export class DeliveryForecast {
  readonly #timing: Timing
  readonly #claims: Pick<ClaimTable, 'paceMs'>
  readonly #host: ForecastHost
  readonly #holders = new Set<Holder>()
  /** number of holders that announced each piece */
  readonly #announced: Uint16Array
  /** number of holders that each piece is expected from */
  readonly #expected: Uint16Array
  #expectedCount = 0
  /** how often each piece was waited for in vain */
  readonly #doubts: Uint8Array

  /** @param parts `claims` knows how long a piece takes */
  constructor (
    pieceCount: number, { timing, claims }: { timing: Timing, claims: Pick<ClaimTable, 'paceMs'> }, host: ForecastHost
  ) {
    this.#timing = timing
    this.#claims = claims
    this.#host = host
    this.#announced = new Uint16Array(pieceCount)
    this.#expected = new Uint16Array(pieceCount)
    this.#doubts = new Uint8Array(pieceCount)
  }

  /** True if a connected peer announced the piece. */
  isAnnounced (index: number): boolean { return this.#announced[index]! > 0 }

  /** The number of pieces that are expected. */
  get expected (): number { return this.#expectedCount }

  /** True if the piece is expected from any holder. */
  isExpected (index: number): boolean { return this.#expected[index]! > 0 }

  /** True if the piece is expected from this holder. */
  isExpectedFrom (holder: Holder, index: number): boolean { return holder.expected.has(index) }

  /** The holder announced a piece of `size` bytes that is missing here and wanted. */
  announced (holder: Holder, index: number, size: number): void {
    if (holder.pieces.has(index)) return
    this.#holders.add(holder)
    holder.pieces.set(index, size)
    if (this.#isTrusted(holder, index)) holder.waiting.add(index)
    this.#announced[index]!++
    this.#widen(holder)
    this.#host.changed(index)
  }

  /** The holder no longer has the piece, or is no longer believed to have it. */
  withdrawn (holder: Holder, index: number): void {
    if (holder.expected.has(index)) this.#doubt(index)
    this.#forget(holder, index)
    this.#widen(holder)
  }

  /** The result that the holder announced is not believed: it is not waited for, which is not the holder's fault. */
  disbelieved (holder: Holder, index: number): void {
    this.#forget(holder, index)
    this.#widen(holder)
  }

  /**
   * The connection is closed. The holder counts as overdue: otherwise a liar could disconnect and come back, over and
   * over.
   */
  remove (holder: Holder): void {
    this.#holders.delete(holder)
    for (const index of holder.expected) this.#doubt(index)
    for (const index of holder.pieces.keys()) this.#forget(holder, index)
  }

  /** The piece is stored, or no longer wanted: it is not expected any more. */
  settled (index: number): void {
    this.#doubts[index] = 0
    if (!this.isAnnounced(index)) return
    for (const holder of this.#holders) {
      if (!holder.pieces.has(index)) continue
      this.#forget(holder, index)
      this.#widen(holder)
    }
  }

  /** True if the piece would arrive sooner from `holder`, which has proved itself, than from `other`. */
  isSooner (holder: Holder, other: Holder): boolean {
    if (holder.delivered === 0 || holder.isOverdue) return false
    return this.#waitMs(other) > FASTER * this.#waitMs(holder) + MIN_WAIT_MS / 2
  }

  /** A piece is being requested from the holder, or would be if it did not choke us. */
  asked (holder: Holder): void { holder.asked(this.#timing.now()) }

  /** No request is pending: it sent everything, or we cancelled. */
  rests (holder: Holder): void { holder.askedAt = undefined }

  /** It sent bytes that were requested. */
  received (holder: Holder, bytes: number): void { holder.sent(bytes, this.#timing.now()) }

  /** The holder sent a piece of `bytes` bytes, which match its digest; whether it is of use is not known yet. */
  transferred (holder: Holder, bytes: number): void { holder.transferred(bytes, this.#timing.now()) }

  /** The holder completed a piece of `bytes` bytes, which match its digest; 0: its transfer has been reported. */
  delivered (holder: Holder, bytes: number): void {
    if (bytes > 0) this.transferred(holder, bytes)
    holder.completed()
    if (Number.isInteger(Math.log(holder.delivered) / Math.log(DELIVERIES_PER_DOUBT))) this.#reconsider(holder)
    this.#widen(holder)
  }

  /** The holder's result of the piece is of no use. Nobody waited in vain: another holder may deliver it. */
  disregarded (holder: Holder, index: number): void {
    this.#forget(holder, index)
    this.#widen(holder)
  }

  /** What it completed is of no use: nothing more is expected of it until it delivers. */
  useless (holder: Holder): void {
    holder.lapsed()
    for (const index of holder.expected) this.#unexpect(holder, index)
    this.#host.overdue()
  }

  /** The earliest time at which `expire` may have something to do, or Infinity. */
  get expireAt (): number {
    let at = Infinity
    for (const holder of this.#holders) {
      const dueAt = this.#dueAt(holder)
      if (dueAt === Infinity) continue
      const sampleAt = this.#sampleAt(holder)
      at = Math.min(at, dueAt, sampleAt > this.#timing.now() ? sampleAt : Infinity)
    }
    return at
  }

  /** Expects no more of holders that are overdue, and less of those that have become too slow. */
  expire (): void {
    for (const holder of this.#holders) {
      if (this.#dueAt(holder) <= this.#timing.now()) this.#lapse(holder)
      else this.#narrow(holder)
    }
  }

  #dueAt (holder: Holder): number {
    if (holder.isOverdue || holder.askedAt === undefined || holder.pieces.size === 0) return Infinity
    const pace = this.#claims.paceMs
    const silence = Math.min(MAX_PATIENCE_MS, Math.max(MIN_PATIENCE_MS, pace, GAPS * holder.gapMs))
    const [head = holder.pieces.keys().next().value ?? 0] = holder.expected
    const headMs = GAPS * (holder.pieces.get(head) ?? 0) * this.#msPerByte(holder)
    const delivery = Math.max(MIN_PATIENCE_MS, pace > 0 ? pace : UNKNOWN_PACE_MS, holder.delivered > 0 ? headMs : 0)
    return Math.min(holder.heardAt + silence, holder.deliveredAt + delivery) + this.#timing.allowanceMs
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

  /** The holder has become slower. */
  #narrow (holder: Holder): void {
    const byteLimit = this.#byteLimit(holder)
    if (holder.expectedBytes <= byteLimit) return
    for (const index of [...holder.expected].toReversed()) {
      if (holder.expectedBytes <= byteLimit) return
      this.#unexpect(holder, index)
      holder.waiting.add(index)
    }
  }

  /** The holder has delivered enough for pieces that were waited for in vain. */
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

  /** The number of bytes that it will have delivered in the time that a piece takes us. */
  #byteLimit (holder: Holder): number {
    const msPerByte = this.#msPerByte(holder)
    if (msPerByte === 0) return Infinity
    const pace = this.#claims.paceMs
    if (pace === 0) return UNKNOWN_PACE_MS / msPerByte
    if (holder.redeemed === Infinity && holder.delivered > 0 && FAR_FASTER * msPerByte * holder.gapBytes < pace) {
      return Infinity
    }
    return Math.max(MIN_WAIT_MS, pace) / msPerByte
  }

  /** Its average, or the rate of the current transfer if that is worse; 0: unknown. */
  #msPerByte (holder: Holder): number {
    const { gapMs, gapBytes, askedAt, deliveredAt, partialBytes } = holder
    const average = gapBytes > 0 ? gapMs / gapBytes : 0
    const now = this.#timing.now()
    if (askedAt === undefined || now < this.#sampleAt(holder)) return average
    return Math.max(average, (now - deliveredAt) / (partialBytes + BLOCK_BYTES))
  }

  /**
   * The time from which the current transfer shows how fast the holder is. Before that, the round trip of the request
   * and the lag at both ends may make up most of the time: on overloaded machines, all holders would look slow at once.
   */
  #sampleAt ({ deliveredAt, gapMs }: Holder): number {
    const shareMs = Math.min(MAX_PATIENCE_MS, SAMPLE_SHARE * this.#claims.paceMs)
    return deliveredAt + Math.max(MIN_PATIENCE_MS, GAPS * gapMs, shareMs) + this.#timing.allowanceMs
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

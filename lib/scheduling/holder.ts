/** What one connected peer has announced, and how it delivers. Pure. delivery-forecast.ts maintains it. */

/** About this many of its latest deliveries determine the rate of a holder. */
const RATE_PIECES = 8

/**
 * The announcements of one connected peer for pieces that are missing here, and its deliveries. Made by the peer's
 * owner, one per connection.
 */
export class Holder {
  /** number of pieces that it sent and that matched their digest */
  delivered = 0
  /** it was asked and did not deliver, as found by `DeliveryForecast.expire`; until it delivers */
  isOverdue = false
  /** @internal the announced pieces that are missing here: sizes by index */
  readonly pieces = new Map<number, number>()
  /** the pieces that are expected, and those that will be when its window widens; oldest announcement first */
  readonly expected = new Set<number>()
  readonly waiting = new Set<number>()
  /** @internal total size of the expected pieces in bytes */
  expectedBytes = 0
  /** @internal deliveries since it was last overdue; Infinity: it never was */
  redeemed = Infinity
  /** @internal since when a request is pending; undefined: none is */
  askedAt: number | undefined
  /** @internal when it was last asked or sent a byte; when it was last asked or completed a piece */
  heardAt = 0
  deliveredAt = 0
  /** @internal bytes sent since then */
  partialBytes = 0
  /** @internal averages of its latest deliveries */
  gapMs = 0
  gapBytes = 0

  /** @internal a piece is requested from it, or would be if it did not choke us */
  asked (now: number): void {
    if (this.askedAt !== undefined) return
    this.askedAt = now
    this.heardAt = now
    this.deliveredAt = now
    this.partialBytes = 0
  }

  /** @internal it sent requested bytes */
  sent (bytes: number, now: number): void {
    this.heardAt = now
    this.partialBytes += bytes
  }

  /** @internal it sent all of a piece of `bytes` bytes, which match its digest */
  transferred (bytes: number, now: number): void {
    const weight = 1 / Math.min(this.delivered + 1, RATE_PIECES)
    this.gapMs += (now - this.deliveredAt - this.gapMs) * weight
    this.gapBytes += (bytes - this.gapBytes) * weight
    this.heardAt = now
    this.deliveredAt = now
    this.partialBytes = 0
  }

  /** @internal the piece that it sent is of use */
  completed (): void {
    this.isOverdue = false
    this.delivered++
    this.redeemed++
  }

  /** @internal it was asked and did not deliver */
  lapsed (): void {
    this.isOverdue = true
    this.redeemed = 0
  }
}

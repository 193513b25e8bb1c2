/** What one connected peer has for us, and how it delivers. Pure. delivery-forecast.ts keeps it. */

/** Of its latest deliveries, about so many tell how fast a holder is. */
const RATE_PIECES = 8

/**
 * What one connected peer announced that is missing here, and how it delivers. Made by the peer's owner, one a
 * connection.
 */
export class Holder {
  /** pieces that it sent and that matched their digest */
  delivered = 0
  /** it was asked and did not deliver, as `DeliveryForecast.expire` found; true until it does */
  isOverdue = false
  /** @internal what is missing here of what it announced: sizes by index */
  readonly pieces = new Map<number, number>()
  /** those that are expected of it, and those that will be when its window is wide enough; oldest announcement first */
  readonly expected = new Set<number>()
  readonly waiting = new Set<number>()
  /** @internal bytes that are expected */
  expectedBytes = 0
  /** @internal deliveries since it was last overdue; Infinity: it never was */
  redeemed = Infinity
  /** @internal since when something is asked of it; undefined: nothing is */
  askedAt: number | undefined
  /** @internal when it was last asked or sent a byte, and when it last was asked or completed a piece */
  heardAt = 0
  deliveredAt = 0
  /** @internal bytes sent since */
  partialBytes = 0
  /** @internal averages of its latest deliveries */
  gapMs = 0
  gapBytes = 0

  /** @internal something is asked of it, or would be if it did not choke us */
  asked (now: number): void {
    if (this.askedAt !== undefined) return
    this.askedAt = now
    this.heardAt = now
    this.deliveredAt = now
    this.partialBytes = 0
  }

  /** @internal it sent bytes that it was asked for */
  sent (bytes: number, now: number): void {
    this.heardAt = now
    this.partialBytes += bytes
  }

  /** @internal it sent the last of a piece, so many bytes, which match its digest */
  completed (bytes: number, now: number): void {
    const weight = 1 / Math.min(this.delivered + 1, RATE_PIECES)
    this.gapMs += (now - this.deliveredAt - this.gapMs) * weight
    this.gapBytes += (bytes - this.gapBytes) * weight
    this.heardAt = now
    this.deliveredAt = now
    this.partialBytes = 0
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

/** A claim of another peer, as the parts that decide by it see it. Pure. */

/** A claim as it was heard. */
export interface HeardClaim { index: number, elapsedMs: number, estimateMs: number, isBackup: boolean }

/** A peer computes a piece. */
export interface Claim {
  readonly index: number
  /** others had claimed or announced it before */
  readonly isBackup: boolean
  /** on our clock, milliseconds; before we heard of it */
  readonly startedAt: number
  readonly heardAt: number
  /** milliseconds in all; 0: unknown */
  readonly estimateMs: number
  /** who claims has delivered a piece to us; what others say of times is a stranger's word */
  readonly isProven: boolean
}

/**
 * By how much the claim is late, milliseconds; undefined: in time, or unknown. Only time that has passed here counts: a
 * claim may say that it has run for weeks.
 */
export function overrun ({ startedAt, heardAt, estimateMs }: Claim, now: number): number | undefined {
  const ms = now - startedAt - estimateMs
  return estimateMs > 0 && ms > 0 ? Math.min(ms, now - heardAt) : undefined
}

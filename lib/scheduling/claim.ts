/** A claim of another peer, as the code that decides sees it. Pure. */

/** A claim as received. */
export interface HeardClaim { index: number, elapsedMs: number, estimateMs: number, isBackup: boolean }

/** A peer is computing a piece. */
export interface Claim {
  readonly index: number
  /** others had claimed or announced the piece before */
  readonly isBackup: boolean
  /** on our clock, milliseconds; may be before we received the claim */
  readonly startedAt: number
  readonly heardAt: number
  /** total duration, milliseconds; 0: unknown */
  readonly estimateMs: number
  /** the claimant has delivered a piece to us; until then, its times are a stranger's word */
  readonly isProven: boolean
}

/**
 * How late the claim is, milliseconds; undefined if it is on time or has no estimate. Only time since we received it
 * counts: a claim may state that it has run for weeks.
 */
export function overrun ({ startedAt, heardAt, estimateMs }: Claim, now: number): number | undefined {
  const ms = now - startedAt - estimateMs
  return estimateMs > 0 && ms > 0 ? Math.min(ms, now - heardAt) : undefined
}

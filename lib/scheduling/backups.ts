/**
 * Chooses a backup when there is nothing else to do: a piece that others are computing, and that is worth a second copy
 * here. Pure.
 *
 * These are MapReduce's backup tasks with LATE's rule: the piece with the longest expected time to completion, if we
 * would finish before. There are few copies, and they start after a random delay, so that idle peers neither all
 * compute the same piece nor start at the same time.
 */
import { overrun } from './claim.ts'
import type { Claim } from './claim.ts'
import type { Lateness } from './lateness.ts'

/** Copies of one piece in the swarm, including the first. */
const MAX_COPIES = 3
/** A claim is late when it has run for this many times its expected duration, */
const LATE = 1
/**
 * plus this many milliseconds, because hashing, storing and announcing take time that does not depend on the work; or
 * plus the usual lateness, if that is longer.
 */
const LATE_MS = 600
/** A claim is slow when its expected remaining time is this many times as long as the piece would take us. */
export const SLOW = 1.1
/**
 * Idle peers wait for a random time up to this share of a piece's duration; meanwhile they learn of each other's
 * backups.
 */
const DELAY = 0.05
/** A machine where everything is this late makes no backups: more work would make it even later. */
const OVERLOAD_MS = 1_000
/** Without any estimate, a claim is late after this time. */
const UNKNOWN_MS = 30_000
/**
 * While we do not know how long a piece takes, the claim of a peer that never delivered anything is late after this
 * time, whatever its estimate.
 */
const STRANGER_MS = 3_000

/** The inputs of the choice. */
export interface BackupOptions {
  now: number
  /** how long a piece takes here, milliseconds; 0: unknown */
  paceMs: number
  /** `paceMs` is an estimate of others: we have not computed a piece yet */
  isHearsay: boolean
  /** 0 to 1: our share of the longest delay */
  delay: number
  /** how late work usually ends in this swarm */
  lateness: Lateness
}

/** The piece if one is worth it now, and the time to check again if nothing changes. */
interface Backup { index: number | undefined, retryAt: number }

/** The backups of one task. The search runs only after a change, or when its time has come. */
export class Backups {
  readonly #random: () => number
  /** how long we let others go first; chosen anew for each backup */
  #delay: number
  #retryAt = 0

  /** @param random returns numbers in [0, 1) */
  constructor (random: () => number) {
    this.#random = random
    this.#delay = random()
  }

  /** The earliest time of the next backup, if nothing changes. */
  get retryAt (): number { return this.#retryAt }

  /** Something has changed. */
  outdate (): void { this.#retryAt = -Infinity }

  /**
   * The piece to compute, if one is worth it now.
   * @param pieces the pieces that could be computed here, each with its credible claims
   */
  choose (
    pieces: () => Iterable<[index: number, claims: Claim[]]>,
    { allowanceMs, ...options }: Omit<BackupOptions, 'delay'> & { allowanceMs: number }
  ): number | undefined {
    const { now } = options
    if (now < this.#retryAt) return undefined
    if (allowanceMs > OVERLOAD_MS) {
      this.#retryAt = now + OVERLOAD_MS
      return undefined
    }
    const { index, retryAt } = chooseBackup(pieces(), { ...options, delay: this.#delay })
    this.#retryAt = retryAt
    if (index !== undefined) this.#delay = this.#random()
    return index
  }
}

/** @param pieces the pieces that could be computed here, each with its credible claims */
export function chooseBackup (pieces: Iterable<[index: number, claims: Claim[]]>, options: BackupOptions): Backup {
  const { now, paceMs, isHearsay, delay, lateness } = options
  const open = [...pieces]
  const proven = open.flatMap(([, claims]) => claims.filter(({ isProven }) => isProven))
  const lateMs = Math.max(LATE_MS, lateness.usual(proven.flatMap(claim => overrun(claim, now) ?? [])))
  const delayMs = DELAY * delay * (isHearsay ? UNKNOWN_MS : paceMs)
  let best: { index: number, copies: number, endAt: number } | undefined
  let retryAt = Infinity
  for (const [index, claims] of open) {
    if (claims.length >= MAX_COPIES) continue
    const at = Math.max(...claims.map(claim => worthAt(claim, now, { paceMs, isHearsay, lateMs })))
    if (at + delayMs > now) {
      retryAt = Math.min(retryAt, at + delayMs)
      continue
    }
    const endAt = Math.min(...claims.map(claim => expectedEnd(claim, now)))
    const candidate = { index, copies: claims.length, endAt }
    if (best === undefined || isBetter(candidate, best)) best = candidate
  }
  return best === undefined ? { index: undefined, retryAt } : { index: best.index, retryAt: now }
}

function isBetter (a: { copies: number, endAt: number }, b: { copies: number, endAt: number }): boolean {
  return a.copies < b.copies || (a.copies === b.copies && a.endAt > b.endAt)
}

/** The time from which a second copy is worth it, as far as this claim is concerned. */
function worthAt (
  { startedAt, heardAt, estimateMs, isProven }: Claim, now: number,
  { paceMs, isHearsay, lateMs }: Pick<BackupOptions, 'paceMs' | 'isHearsay'> & { lateMs: number }
): number {
  // an idle slot can measure how long a piece takes, and the claimant has not delivered anything yet
  if (isHearsay && !isProven) return heardAt + STRANGER_MS
  const expectedMs = estimateMs > 0 ? estimateMs : paceMs
  if (expectedMs === 0) return heardAt + UNKNOWN_MS
  const isSlow = paceMs > 0 && startedAt + expectedMs - now > SLOW * paceMs
  return isSlow ? heardAt : startedAt + LATE * expectedMs + lateMs
}

/** A claim that is already late may never end. */
function expectedEnd ({ startedAt, estimateMs }: Claim, now: number): number {
  const endAt = startedAt + estimateMs
  return endAt > now ? endAt : Infinity
}

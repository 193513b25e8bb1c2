/**
 * Which of the pieces that others compute is worth a second copy here, when nothing else is left to do. Pure.
 *
 * MapReduce's backup tasks with LATE's rule: the piece with the longest expected time to its end, if we would be done
 * before; few copies, and after a random delay, so that idle peers neither all do the same nor do it at once.
 */
import { overrun } from './claim.ts'
import type { Claim } from './claim.ts'
import type { Lateness } from './lateness.ts'

/** Copies of one piece in the swarm, the first one counted. */
const MAX_COPIES = 3
/** A claim is late when it has run for this many times what was expected. */
const LATE = 1
/**
 * And for this much more, milliseconds: hashing, storing and telling take time that does not grow with the work; or for
 * as long as most are late.
 */
const LATE_MS = 600
/** A claim is slow when it is expected to run on for this many times what the piece would take us. */
export const SLOW = 1.1
/** Idle peers wait for a random part of this share of a piece's time: meanwhile they hear of each other's backups. */
const DELAY = 0.05
/** A machine on which everything is so late makes no backups: more work would make that worse. */
const OVERLOAD_MS = 1_000
/** Without any estimate a claim is late after this. */
const UNKNOWN_MS = 30_000
/**
 * And, whatever it says, the claim of a peer that never delivered anything, while we do not know what a piece takes.
 */
const STRANGER_MS = 3_000

/** What the choice depends on. */
export interface BackupOptions {
  now: number
  /** what a piece takes here, milliseconds; 0: unknown */
  paceMs: number
  /** others say so: we have not computed any */
  isHearsay: boolean
  /** 0 … 1: our share of the longest delay */
  delay: number
  /** how late work ends in this swarm */
  lateness: Lateness
}

/** The piece, if one is worth it now, and when to look again if nothing changes. */
interface Backup { index: number | undefined, retryAt: number }

/** The backups of one task; looked for only when something has changed, or time has. */
export class Backups {
  readonly #random: () => number
  /** how long we let others go first; drawn anew for each backup */
  #delay: number
  #retryAt = 0

  /** @param random gives numbers in [0, 1) */
  constructor (random: () => number) {
    this.#random = random
    this.#delay = random()
  }

  /** There is none to be made before, if nothing changes. */
  get retryAt (): number { return this.#retryAt }

  /** Something has changed. */
  outdate (): void { this.#retryAt = -Infinity }

  /**
   * The piece to compute, if one is worth it now.
   * @param pieces those that could be computed here, each with the claims that are believed
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

/** @param pieces those that could be computed here, each with the claims that are believed */
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

/** From when on a second copy is worth it, as far as this claim goes. */
function worthAt (
  { startedAt, heardAt, estimateMs, isProven }: Claim, now: number,
  { paceMs, isHearsay, lateMs }: Pick<BackupOptions, 'paceMs' | 'isHearsay'> & { lateMs: number }
): number {
  // an idle slot finds out what a piece takes, and who says that it computes it has shown nothing
  if (isHearsay && !isProven) return heardAt + STRANGER_MS
  const expectedMs = estimateMs > 0 ? estimateMs : paceMs
  if (expectedMs === 0) return heardAt + UNKNOWN_MS
  const isSlow = paceMs > 0 && startedAt + expectedMs - now > SLOW * paceMs
  return isSlow ? heardAt : startedAt + LATE * expectedMs + lateMs
}

/** What is late already is as good as lost. */
function expectedEnd ({ startedAt, estimateMs }: Claim, now: number): number {
  const endAt = startedAt + estimateMs
  return endAt > now ? endAt : Infinity
}

/**
 * Which piece to compute next. Pure: the clock and the random source are handed in, so that a whole swarm can be
 * simulated on a virtual clock with this very code.
 *
 * The rule (paper section 4.1, with the collision avoidance its section 6.1 asks for; docs/scheduling.md, "Which piece"):
 * of the pieces that are wanted, missing, held by no connected peer, claimed by none that is believed, and not given up
 * here, one of those for which we come first in rendezvous order (ranking.ts); pieces that a reader waits for before all
 * others. When there is none, a piece that others compute slowly, or promised and did not deliver, is computed as a backup
 * (backups.ts): nobody can stop a task by a word, and the slowest machine does not set its end.
 */
import { chooseBackup } from './backups.ts'
import { Candidates } from './candidates.ts'
import { ClaimTable } from './claims.ts'
import { IndexSet } from './index-set.ts'
import { Ranking } from './ranking.ts'

/** Runs of one piece's command here before it is left to other peers. */
export const MAX_ATTEMPTS = 3
/** Wait before a failed piece is tried again here, times four for each failure: others go first. */
export const RETRY_MS = 1_000

/** Without any progress for this long, or for PATIENCE_PIECES times what a piece takes, announced pieces are no longer waited for. */
export const PATIENCE_MS = 30_000
const PATIENCE_PIECES = 3
/** Overdue pieces looked at: enough that idle peers rarely choose the same one. */
const OVERDUE_CHOICE = 64
/** Estimates of others that stand in for our own pace while we have none. */
const FOREIGN_ESTIMATES = 16

/** What to compute. */
export interface Choice {
  index: number
  /** others say that they have or compute it */
  isBackup: boolean
}

/** What a scheduler is made with. */
export interface SchedulerOptions {
  /** all pieces start missing, wanted, and held by nobody */
  pieceCount: number
  /** our own, hex */
  peerId: string
  /** gives numbers in [0, 1) */
  random: () => number
  /** milliseconds on any steady clock */
  now: () => number
}

/** The state of one task's pieces as far as it decides what to compute. */
export class Scheduler {
  /** what other peers compute; tell it, and the scheduler follows */
  readonly claims: ClaimTable
  readonly #random: () => number
  readonly #now: () => number
  readonly #ranking: Ranking
  readonly #missing: IndexSet
  readonly #candidates: Candidates
  readonly #wanted: Uint8Array
  readonly #available: Uint8Array
  readonly #running = new Set<number>()
  /** failures here so far */
  readonly #failures = new Map<number, number>()
  /** pieces that wait to be tried again, by when, soonest first; one map for each number of failures, whose wait is the same */
  readonly #retries = Array.from({ length: MAX_ATTEMPTS - 1 }, () => new Map<number, number>())
  #givenUp = 0
  /** 1: the piece is missing, wanted and not given up here */
  readonly #open: Uint8Array
  #openCount = 0
  readonly #urgent = new Set<number>()
  readonly #urgentCandidates = new Set<number>()
  /** pieces that others hold and that might be computed here, by since when, oldest first */
  readonly #promised = new Map<number, number>()
  #progressAt: number
  /** what a piece takes here on average, 0 = not known yet */
  #paceMs = 0
  /** there is no backup to be made of claims before */
  #backupAt = 0
  /** how long we let others go first; drawn anew for each backup */
  #delay: number

  constructor ({ pieceCount, peerId, random, now }: SchedulerOptions) {
    this.#random = random
    this.#now = now
    this.#progressAt = now()
    this.#delay = random()
    this.claims = new ClaimTable({ now, pace: () => this.#paceMs, changed: index => { this.#onClaims(index) } })
    this.#ranking = new Ranking(pieceCount, peerId)
    this.#missing = new IndexSet(pieceCount)
    this.#candidates = new Candidates(pieceCount, this.#ranking)
    this.#wanted = new Uint8Array(pieceCount).fill(1)
    this.#available = new Uint8Array(pieceCount)
    this.#open = new Uint8Array(pieceCount).fill(1)
    this.#openCount = pieceCount
    for (let index = 0; index < pieceCount; index++) {
      this.#missing.add(index)
      this.#candidates.set(index, true)
    }
  }

  /** Pieces not stored here. */
  get missing (): number { return this.#missing.size }

  /** Pieces being computed here. */
  get running (): number { return this.#running.size }

  /** Pieces that failed here so often that they are left to other peers. */
  get givenUp (): number { return this.#givenUp }

  /** There are pieces that nobody has or claims credibly. */
  get hasCandidates (): boolean { return this.#candidates.size > 0 }

  /** It is neither here nor to be had from a connected peer. */
  isLacking (index: number): boolean { return this.#missing.has(index) && this.#available[index] === 0 }

  isMissing (index: number): boolean { return this.#missing.has(index) }
  /** The user wants it, or a reader waits for it. */
  isWanted (index: number): boolean { return this.#wanted[index] === 1 || this.#urgent.has(index) }
  isRunning (index: number): boolean { return this.#running.has(index) }

  /** A peer (hex peer id) is alive and works on the task, or does not any more: it has its share in the order. */
  setMember (peerId: string, isAlive: boolean): void {
    if (this.#ranking.setMember(peerId, isAlive)) this.#candidates.outdate()
  }

  setMissing (index: number, missing: boolean): void {
    this.#missing.set(index, missing)
    if (!missing) {
      this.#forgetFailures(index)
      this.#progressAt = this.#now()
    }
    this.#refresh(index)
  }

  /** Whether the user wants the piece (BEP 53 selections, `deselect`). */
  setWanted (index: number, wanted: boolean): void {
    this.#wanted[index] = wanted ? 1 : 0
    this.#refresh(index)
  }

  /** Whether a connected peer holds the piece: then it is downloaded, never computed. */
  setAvailable (index: number, available: boolean): void {
    if ((this.#available[index] === 1) === available) return // as a rule: told with every holder
    this.#available[index] = available ? 1 : 0
    this.#refresh(index)
  }

  /** What a piece takes here on average, milliseconds; until it is told, the estimates of others stand in. */
  setPace (ms: number): void {
    const isFirst = this.#paceMs === 0
    this.#paceMs = ms
    if (isFirst) this.claims.review()
  }

  /** A reader waits for the piece: it goes before all others. */
  setUrgent (index: number, urgent: boolean): void {
    if (urgent) this.#urgent.add(index)
    else this.#urgent.delete(index)
    this.#refresh(index)
  }

  /** A reader waits for the piece. */
  isUrgent (index: number): boolean { return this.#urgent.has(index) }

  /** What to start now, or undefined when there is nothing. */
  next (): Choice | undefined {
    this.#readmit()
    this.claims.expire()
    for (const index of this.#urgentCandidates) return { index, isBackup: false }
    const index = this.#candidates.pick(this.#random, this.#now())
    if (index !== undefined) return { index, isBackup: false }
    const backup = this.#backup() ?? this.#overdue()
    return backup === undefined ? undefined : { index: backup, isBackup: true }
  }

  /** The piece is being computed here from now on. */
  start (index: number): void {
    this.#running.add(index)
    this.#refresh(index)
  }

  /** The work item ended without a result that counts against the piece (killed, yielded). */
  stop (index: number): void {
    this.#running.delete(index)
    this.#backupAt = -Infinity
    this.#refresh(index)
  }

  /** The work item failed. True when the piece is given up here. */
  fail (index: number): boolean {
    const attempts = this.#attempts(index) + 1
    const isFinal = attempts >= MAX_ATTEMPTS
    this.#failures.set(index, attempts)
    if (isFinal) this.#givenUp++
    else this.#retries[attempts - 1]!.set(index, this.#now() + RETRY_MS * 4 ** (attempts - 1))
    this.stop(index)
    return isFinal
  }

  /** When there may be something to do without anything else happening, or Infinity. Asked after `next` had nothing. */
  wakeAt (): number {
    let at = Math.min(this.claims.expireAt, this.#backupAt)
    for (const retries of this.#retries) {
      const [soonest = Infinity] = retries.values()
      at = Math.min(at, soonest)
    }
    for (const [index, since] of this.#promised) if (this.#mayRun(index)) return Math.min(at, this.#overdueAt(since))
    return at
  }

  /**
   * The wanted pieces when all that are missing were given up here and no connected peer has or claims one of them;
   * empty otherwise.
   */
  hopeless (): number[] {
    if (this.#running.size > 0 || this.#openCount > 0 || this.#givenUp === 0) return []
    const wanted: number[] = []
    for (const index of this.#failures.keys()) {
      if (!this.isMissing(index) || !this.isWanted(index)) continue
      if (this.#available[index] === 1 || this.claims.isClaimed(index)) return []
      wanted.push(index)
    }
    return wanted
  }

  #attempts (index: number): number { return this.#failures.get(index) ?? 0 }

  #forgetFailures (index: number): void {
    const attempts = this.#attempts(index)
    if (attempts === 0) return
    if (attempts >= MAX_ATTEMPTS) this.#givenUp--
    else this.#retries[attempts - 1]!.delete(index)
    this.#failures.delete(index)
  }

  /** Failed pieces whose wait is over are candidates again. */
  #readmit (): void {
    const now = this.#now()
    for (const retries of this.#retries) {
      for (const [index, retryAt] of retries) {
        if (retryAt > now) break
        retries.delete(index)
        this.#refresh(index)
      }
    }
  }

  #onClaims (index: number): void {
    this.#backupAt = -Infinity
    this.#refresh(index)
  }

  /** A piece whose claims promise little; looked for only when something has changed, or time has. */
  #backup (): number | undefined {
    const now = this.#now()
    if (now < this.#backupAt) return undefined
    const { index, retryAt } = chooseBackup(this.#openClaims(), { now, paceMs: this.#pace(), delay: this.#delay })
    this.#backupAt = retryAt
    if (index !== undefined) this.#delay = this.#random()
    return index
  }

  * #openClaims (): ReturnType<ClaimTable[typeof Symbol.iterator]> {
    for (const entry of this.claims) if (this.#available[entry[0]] === 0 && this.#mayRun(entry[0])) yield entry
  }

  /** What a piece takes: here, or else by the estimates of others. */
  #pace (): number {
    if (this.#paceMs > 0) return this.#paceMs
    const estimates: number[] = []
    for (const [, claims] of this.claims) {
      for (const { estimateMs } of claims) if (estimateMs > 0) estimates.push(estimateMs)
      if (estimates.length >= FOREIGN_ESTIMATES) break
    }
    return estimates.toSorted((a, b) => a - b)[estimates.length >> 1] ?? 0
  }

  /** A random one of the pieces that others announced and should have delivered long ago. */
  #overdue (): number | undefined {
    const now = this.#now()
    const overdue: number[] = []
    for (const [index, since] of this.#promised) {
      if (this.#overdueAt(since) > now || overdue.length === OVERDUE_CHOICE) break
      if (this.#mayRun(index)) overdue.push(index)
    }
    return overdue[Math.floor(this.#random() * overdue.length)]
  }

  #overdueAt (since: number): number {
    return Math.max(since, this.#progressAt) + Math.max(PATIENCE_MS, PATIENCE_PIECES * this.#paceMs)
  }

  /** Apart from what others say, the piece can be started here. */
  #mayRun (index: number): boolean {
    const isWaiting = this.#retries[this.#attempts(index) - 1]?.has(index) === true
    return this.#isOpen(index) && !this.#running.has(index) && !isWaiting
  }

  #isOpen (index: number): boolean {
    return this.#missing.has(index) && this.isWanted(index) && this.#attempts(index) < MAX_ATTEMPTS
  }

  /** Keeps the sets of candidates and `#promised` true to their definitions; called after every change of what they depend on. */
  #refresh (index: number): void {
    const isAvailable = this.#available[index] === 1
    const isOpen = this.#isOpen(index)
    this.#openCount += Number(isOpen) - this.#open[index]!
    this.#open[index] = Number(isOpen)
    const isCandidate = !isAvailable && this.#mayRun(index) && !this.claims.isClaimed(index)
    this.#candidates.set(index, isCandidate)
    if (isCandidate && this.#urgent.has(index)) this.#urgentCandidates.add(index)
    else this.#urgentCandidates.delete(index)
    // a promise that was broken and made again is as old as the first one
    if (!isOpen) this.#promised.delete(index)
    else if (isAvailable && !this.#promised.has(index)) this.#promised.set(index, this.#now())
  }
}

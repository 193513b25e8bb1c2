/**
 * Which piece to compute next. Pure: the clock and the random source are handed in, so that a whole swarm can be
 * simulated on a virtual clock with this very code.
 *
 * The rule (paper section 4.1, with the collision avoidance its section 6.1 asks for; docs/scheduling.md, "Which
 * piece"): of the pieces that are wanted, missing, announced by no connected peer, claimed by none that is believed,
 * and not given up here, one of those for which we come first in rendezvous order (ranking.ts); pieces that a reader
 * waits for before all others. When there is none, one that was announced and that nobody is expected to deliver in
 * time (scheduling/delivery-forecast.ts); and then a piece that others compute slowly is computed as a backup
 * (backups.ts): nobody can stop a task by a word, and the slowest machine does not set its end.
 */
import { IndexSet } from '../base/index-set.ts'
import { Backups } from './backups.ts'
import { Candidates } from './candidates.ts'
import { ClaimTable } from './claim-table.ts'
import { DeliveryForecast } from './delivery-forecast.ts'
import { Failures } from './failures.ts'
import { Grace, graceMs } from './grace.ts'
import { Lateness } from './lateness.ts'
import { Ranking } from './ranking.ts'

/**
 * How many times as long as our own lag others are given: what they send passes through several hands that may lag as
 * ours do.
 */
const LAGS = 4

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
  /** by how much everything is late here, milliseconds (scheduling/lag.ts); default: by nothing */
  lag?: () => number
  /** pieces need something before they can be computed here, which `setReady` tells; default: nothing */
  needsInputs?: boolean
  /** a holder does not deliver: what it was asked for should be asked of others */
  overdue?: () => void
}

/** The state of one task's pieces as far as it decides what to compute. */
export class Scheduler {
  /** what other peers compute; tell it, and the scheduler follows */
  readonly claims: ClaimTable
  /** what they announced and we lack; tell it, too */
  readonly deliveries: DeliveryForecast
  /** how late work ends, against what was expected; to be told of our own */
  readonly lateness = new Lateness()
  readonly #random: () => number
  readonly #now: () => number
  /** for what comes late because we look late, milliseconds */
  readonly #allowance: () => number
  readonly #ranking: Ranking
  readonly #missing: IndexSet
  readonly #candidates: Candidates
  /** announced, and not expected in time */
  readonly #doubtful: Candidates
  /** what could be computed if it were ready; null: all pieces always are */
  readonly #waiting: Candidates | null
  readonly #ready: Uint8Array | null
  readonly #wanted: Uint8Array
  readonly #running = new Set<number>()
  readonly #failures = new Failures()
  /** 1: the piece is missing, wanted and not given up here */
  readonly #open: Uint8Array
  #openCount = 0
  readonly #urgent = new Set<number>()
  readonly #urgentCandidates = new Set<number>()
  readonly #grace: Grace
  /** what a piece takes here on average, 0 = not known yet */
  #paceMs = 0
  readonly #backups: Backups

  constructor (options: SchedulerOptions) {
    const { pieceCount, peerId, random, now, lag = () => 0, needsInputs = false, overdue = () => {} } = options
    this.#random = random
    this.#now = now
    this.#allowance = () => LAGS * lag()
    this.#backups = new Backups(random)
    this.claims = new ClaimTable({
      now,
      pace: () => this.#paceMs,
      took: ms => { this.lateness.add(ms) },
      changed: index => {
        this.#backups.outdate()
        this.update(index)
      }
    })
    this.deliveries = new DeliveryForecast(pieceCount, {
      now, overdue, lag: this.#allowance, pace: () => this.#pace(), changed: index => { this.update(index) }
    })
    this.#ranking = new Ranking(pieceCount, peerId)
    this.#missing = new IndexSet(pieceCount)
    this.#candidates = new Candidates(pieceCount, this.#ranking)
    this.#doubtful = new Candidates(pieceCount, this.#ranking)
    this.#waiting = needsInputs ? new Candidates(pieceCount, this.#ranking) : null
    this.#ready = needsInputs ? new Uint8Array(pieceCount) : null
    this.#wanted = new Uint8Array(pieceCount).fill(1)
    this.#grace = new Grace(pieceCount)
    this.#open = new Uint8Array(pieceCount).fill(1)
    this.#openCount = pieceCount
    for (let index = 0; index < pieceCount; index++) {
      this.#missing.add(index)
      ;(this.#waiting ?? this.#candidates).set(index, true)
    }
  }

  /** Pieces not stored here. */
  get missing (): number { return this.#missing.size }

  /** Pieces being computed here. */
  get running (): number { return this.#running.size }

  /** Pieces that failed here so often that they are left to other peers. */
  get givenUp (): number { return this.#failures.givenUp }

  /** There are pieces that nobody has or claims credibly. */
  get hasCandidates (): boolean { return this.ready > 0 }

  isMissing (index: number): boolean { return this.#missing.has(index) }
  /** The user wants it, or a reader waits for it. */
  isWanted (index: number): boolean { return this.#wanted[index] === 1 || this.#urgent.has(index) }
  isRunning (index: number): boolean { return this.#running.has(index) }

  /** A peer (hex peer id) is alive and works on the task, or does not any more: it has its share in the order. */
  setMember (peerId: string, isAlive: boolean): void {
    if (this.#ranking.setMember(peerId, isAlive)) this.#outdate()
  }

  /** Pieces with the same number are computed one after the other by whoever begins with one of them. */
  setGroups (groups: ArrayLike<number>): void {
    this.#ranking.setGroups(groups)
    this.#outdate()
  }

  #outdate (): void {
    for (const candidates of [this.#candidates, this.#doubtful, this.#waiting]) candidates?.outdate()
  }

  /** What the piece needs in order to be computed is here, or not any more. */
  setReady (index: number, isReady: boolean): void {
    if (this.#ready === null || this.#ready[index] === Number(isReady)) return
    this.#ready[index] = Number(isReady)
    this.#backups.outdate()
    this.update(index)
  }

  /** Pieces that would be computed next if they were ready, as many as are asked for; those of readers first. */
  * waiting (count: number): Generator<number> {
    if (this.#waiting === null) return
    for (const index of this.#urgent) {
      if (count-- <= 0) return
      if (this.#waiting.has(index)) yield index
    }
    for (const index of this.#waiting.first(count, this.#now())) if (!this.#urgent.has(index)) yield index
  }

  /** Of the pieces that wait, as many as would be ours if all who are alive took the same number. */
  get share (): number { return Math.ceil((this.#waiting?.size ?? 0) / (this.#ranking.members + 1)) }

  /** Pieces that could be computed at once. */
  get ready (): number { return this.#candidates.size + this.#doubtful.size }

  setMissing (index: number, missing: boolean): void {
    this.#missing.set(index, missing)
    if (!missing) {
      this.#failures.forget(index)
      this.#grace.forget(index)
      this.deliveries.settled(index)
    }
    this.update(index)
  }

  /** Whether the user wants the piece (BEP 53 selections, `deselect`). Who holds it is told anew when it is. */
  setWanted (index: number, wanted: boolean): void {
    this.#wanted[index] = wanted ? 1 : 0
    if (!this.isWanted(index)) this.deliveries.settled(index)
    this.update(index)
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
    this.update(index)
  }

  /** A reader waits for the piece. */
  isUrgent (index: number): boolean { return this.#urgent.has(index) }

  /** What to start now, or undefined when there is nothing. */
  next (): Choice | undefined {
    for (const index of this.#failures.due(this.#now())) this.update(index)
    this.claims.expire()
    if (this.#urgent.size > 0 || this.#candidates.size === 0) {
      // what others announced, and do not deliver in time
      this.deliveries.expire()
      for (const index of this.#grace.over(this.#graceMs, this.#now())) this.update(index)
    }
    // in the order in which they are waited for, whichever of them was given up in between
    for (const index of this.#urgent) if (this.#urgentCandidates.has(index)) return { index, isBackup: false }
    const index = this.#candidates.pick(this.#random, this.#now()) ?? this.#doubtful.pick(this.#random, this.#now())
    if (index !== undefined) return { index, isBackup: false }
    const backup = this.#backups.choose(() => this.#openClaims(), {
      now: this.#now(),
      allowanceMs: this.#allowance(),
      paceMs: this.#pace(),
      isHearsay: this.#paceMs === 0,
      lateness: this.lateness
    })
    return backup === undefined ? undefined : { index: backup, isBackup: true }
  }

  /** The piece is being computed here from now on. */
  start (index: number): void {
    this.#running.add(index)
    this.update(index)
  }

  /** The work item ended without a result that counts against the piece (killed, yielded). */
  stop (index: number): void {
    this.#running.delete(index)
    this.#backups.outdate()
    this.update(index)
  }

  /** The work item failed. True when the piece is given up here. */
  fail (index: number): boolean {
    const isFinal = this.#failures.add(index, this.#now())
    this.stop(index)
    return isFinal
  }

  /** When there may be something to do without anything else happening, or Infinity. Asked after `next` had nothing. */
  wakeAt (): number {
    const { claims, deliveries } = this
    const graceEnd = this.#grace.oldest + this.#graceMs
    return Math.min(claims.expireAt, deliveries.expireAt, this.#backups.retryAt, this.#failures.soonest, graceEnd)
  }

  /**
   * The wanted pieces when all that are missing were given up here and no connected peer has or claims one of them;
   * empty otherwise.
   */
  hopeless (): number[] {
    if (this.#running.size > 0 || this.#openCount > 0 || this.givenUp === 0) return []
    const wanted: number[] = []
    for (const index of this.#failures.pieces) {
      if (!this.isMissing(index) || !this.isWanted(index)) continue
      if (this.deliveries.isAnnounced(index) || this.claims.isClaimed(index)) return []
      wanted.push(index)
    }
    return wanted
  }

  get #graceMs (): number { return graceMs(this.#paceMs, this.#allowance()) }

  * #openClaims (): ReturnType<ClaimTable[typeof Symbol.iterator]> {
    for (const entry of this.claims) if (!this.#isOnItsWay(entry[0]) && this.#mayRun(entry[0])) yield entry
  }

  /** What a piece takes: here, or else by the estimates of others. */
  #pace (): number { return this.#paceMs > 0 ? this.#paceMs : this.claims.foreignPaceMs }

  /** It will come from a peer, or may still. */
  #isOnItsWay (index: number): boolean { return this.deliveries.isExpected(index) || this.#grace.has(index) }

  /** Apart from what others say, the piece can be started here. */
  #mayRun (index: number): boolean {
    return this.#ready?.[index] !== 0 && this.#mayRunOnce(index)
  }

  /** As soon as it is ready. */
  #mayRunOnce (index: number): boolean {
    return this.#isOpen(index) && !this.#running.has(index) && !this.#failures.isWaiting(index)
  }

  #isOpen (index: number): boolean {
    return this.#missing.has(index) && this.isWanted(index) && !this.#failures.isFinal(index)
  }

  /**
   * Keeps the sets of candidates true to their definitions: to be called after every change of what they depend on, as
   * all methods do, and the tables of claims and deliveries.
   */
  update (index: number): void {
    const isAnnounced = this.deliveries.isAnnounced(index)
    const isOpen = this.#isOpen(index)
    this.#openCount += Number(isOpen) - this.#open[index]!
    this.#open[index] = Number(isOpen)
    if (isAnnounced) this.#grace.announced(index, isOpen, this.#now())
    else this.#grace.withdrawn(index)
    const isFreeOnce = !this.#isOnItsWay(index) && this.#mayRunOnce(index) && !this.claims.isClaimed(index)
    const isFree = isFreeOnce && this.#mayRun(index)
    this.#waiting?.set(index, isFreeOnce && !isFree)
    this.#candidates.set(index, isFree && !isAnnounced)
    this.#doubtful.set(index, isFree && isAnnounced)
    if (isFree && this.#urgent.has(index)) this.#urgentCandidates.add(index)
    else this.#urgentCandidates.delete(index)
  }
}

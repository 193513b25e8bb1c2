/**
 * Chooses the next piece to compute. Pure: a simulated swarm can run this very code on a virtual clock.
 *
 * The rule (paper section 4.1, with the collision avoidance that its section 6.1 asks for; docs/scheduling.md, "Which
 * piece"): of the pieces that are wanted, missing, not announced, not credibly claimed, and not given up here, choose
 * one where we come first in rendezvous order (ranking.ts); those that a reader waits for first. If there is none,
 * choose one that was announced but is not expected in time (delivery-forecast.ts), then one that others compute
 * slowly, as a backup (backups.ts). Thus mere words cannot stop a task, and the slowest machine does not delay its end.
 * Checks have a share of the items meanwhile, and the idle slots at the end (checks.ts).
 */
import { IndexSet } from '../base/index-set.ts'
import { AwaitedInputs } from './awaited-inputs.ts'
import { Backups } from './backups.ts'
import { Candidates } from './candidates.ts'
import { Checks } from './checks.ts'
import { ClaimTable } from './claim-table.ts'
import { DeliveryForecast } from './delivery-forecast.ts'
import { Failures } from './failures.ts'
import { Grace, graceMs } from './grace.ts'
import type { Lateness } from './lateness.ts'
import { Ranking } from './ranking.ts'
import type { SchedulerOptions } from './scheduler-options.ts'
import { Timing } from './timing.ts'

export type { SchedulerOptions }

/** A piece to compute. */
export interface Choice {
  index: number
  /** 'check': computed although there may be a result, to compare; 'backup': others compute it */
  kind: 'piece' | 'check' | 'backup'
}

/** The state of one task's pieces that decides what to compute. */
export class Scheduler {
  /** the claims of other peers; the owner reports them here, and the scheduler follows */
  readonly claims: ClaimTable
  /** the announcements of other peers for missing pieces; the owner reports them here, too */
  readonly deliveries: DeliveryForecast
  /** how late work usually ends; the owner reports our own work items here */
  readonly lateness: Lateness
  /** computations of what is there already; the owner asks for them here */
  readonly checks: Checks
  readonly #timing: Timing
  readonly #random: () => number
  readonly #ranking: Ranking
  readonly #missing: IndexSet
  readonly #candidates: Candidates
  /** announced, but not expected in time */
  readonly #doubtful: Candidates
  /** null: the task has none */
  readonly #inputs: AwaitedInputs | null
  readonly #wanted: Uint8Array
  readonly #running = new Set<number>()
  readonly failures = new Failures()
  /** 1: the piece is missing, wanted and not given up here */
  readonly #open: Uint8Array
  #openCount = 0
  readonly #urgent = new Set<number>()
  readonly #urgentCandidates = new Set<number>()
  readonly #grace: Grace
  readonly #backups: Backups

  constructor (options: SchedulerOptions) {
    const { pieceCount, peerId, random, now, lag = () => 0, needsInputs = false } = options
    const { overdue = () => {}, checkShare = () => 0 } = options
    const timing = this.#timing = new Timing(now, lag)
    this.lateness = timing.lateness
    this.#random = random
    this.#backups = new Backups(random)
    const claims = this.claims = new ClaimTable(timing, index => {
      this.#backups.outdate()
      this.update(index)
    })
    const changed = (index: number): void => { this.update(index) }
    const createCandidates = (): Candidates => new Candidates(pieceCount, this.#ranking)
    this.deliveries = new DeliveryForecast(pieceCount, { timing, claims }, { overdue, changed })
    this.#ranking = new Ranking(pieceCount, peerId)
    this.#missing = new IndexSet(pieceCount)
    this.#candidates = createCandidates()
    this.#doubtful = createCandidates()
    this.checks = new Checks({ createCandidates, share: checkShare, mayRun: index => this.#mayCheck(index), changed })
    this.#inputs = needsInputs ? new AwaitedInputs(pieceCount, createCandidates) : null
    this.#wanted = new Uint8Array(pieceCount).fill(1)
    this.#grace = new Grace(pieceCount)
    this.#open = new Uint8Array(pieceCount).fill(1)
    this.#openCount = pieceCount
    for (let index = 0; index < pieceCount; index++) {
      this.#missing.add(index)
      ;(this.#inputs ?? this.#candidates).set(index, true)
    }
  }

  /** The number of pieces that are not stored here. */
  get missing (): number { return this.#missing.size }

  /** The number of pieces being computed here. */
  get running (): number { return this.#running.size }

  /** The number of pieces that failed here so often that they are left to other peers. */
  get givenUp (): number { return this.failures.givenUp }

  /** True if there are pieces that nobody has or credibly claims. */
  get hasCandidates (): boolean { return this.ready > 0 }

  isMissing (index: number): boolean { return this.#missing.has(index) }
  /** True if the user wants the piece, or a reader waits for it. */
  isWanted (index: number): boolean { return this.#wanted[index] === 1 || this.#urgent.has(index) }
  isRunning (index: number): boolean { return this.#running.has(index) }

  /** A peer (hex peer id) has joined or left the task; it has its share in the order. */
  setMember (peerId: string, isAlive: boolean): void {
    if (this.#ranking.setMember(peerId, isAlive)) this.#outdate()
  }

  /** Pieces with the same number get the same rank, so that one peer computes them one after the other. */
  setGroups (groups: ArrayLike<number>): void {
    this.#ranking.setGroups(groups)
    this.#outdate()
  }

  #outdate (): void {
    for (const set of [this.#candidates, this.#doubtful, this.#inputs, this.checks]) set?.outdate()
  }

  /** The inputs of the piece have arrived, or are gone. */
  setReady (index: number, isReady: boolean): void {
    if (this.#inputs?.setReady(index, isReady) !== true) return
    this.#backups.outdate()
    this.update(index)
  }

  /** The inputs of the piece are there. */
  isReady (index: number): boolean { return this.#inputs?.isReady(index) !== false }
  /** The piece lacks only its inputs. Others may compute it: it is claimed before these are fetched. */
  isWaiting (index: number): boolean { return this.#inputs?.has(index) === true }
  /** The same, or it is computed whether or not others have it. */
  isDue (index: number): boolean { return this.#inputs?.isDue(index, this.checks.has(index)) === true }

  /** Yields up to `count` pieces that would be computed next if their inputs were there; those of readers first. */
  * waiting (count: number): Generator<number> {
    if (this.#inputs !== null) yield * this.#inputs.next(count, this.#timing.now(), this.#urgent, this.checks.wanted)
  }

  /** The piece, which may be claimed here, is still to be computed by somebody. */
  isNeeded (index: number): boolean { return this.isMissing(index) || this.checks.isNeeded(index) }

  /** True if no other peer comes before us for the piece. */
  isFirst (index: number): boolean { return this.#ranking.rank(index) === 0 }

  /** The number of waiting pieces that each peer would get if they were shared evenly. */
  get share (): number { return Math.ceil((this.#inputs?.size ?? 0) / (this.#ranking.members + 1)) }

  /** The number of pieces that could be computed at once. */
  get ready (): number { return this.#candidates.size + this.#doubtful.size }

  setMissing (index: number, missing: boolean): void {
    this.#missing.set(index, missing)
    if (!missing) {
      this.failures.forget(index)
      this.#grace.forget(index)
      this.deliveries.settled(index)
    }
    this.update(index)
  }

  /**
   * Sets whether the user wants the piece (BEP 53 selections, `deselect`). When it is wanted again, the caller must
   * report its holders again.
   */
  setWanted (index: number, wanted: boolean): void {
    this.#wanted[index] = wanted ? 1 : 0
    if (!this.isWanted(index)) this.deliveries.settled(index)
    this.update(index)
  }

  /** Sets the average duration of a piece here, milliseconds. Until then, the estimates of others are used. */
  setPace (ms: number): void {
    const isFirst = this.#timing.paceMs === 0
    this.#timing.paceMs = ms
    if (isFirst) this.claims.review()
  }

  /** Sets whether a reader waits for the piece: it then goes before all others. */
  setUrgent (index: number, urgent: boolean): void {
    if (urgent) this.#urgent.add(index)
    else this.#urgent.delete(index)
    this.update(index)
  }

  /** True if a reader waits for the piece. */
  isUrgent (index: number): boolean { return this.#urgent.has(index) }

  /** Returns the piece to start now; undefined if there is none. */
  next (): Choice | undefined {
    const now = this.#timing.now()
    for (const index of this.failures.due(now)) this.update(index)
    this.claims.expire()
    if (this.#urgent.size > 0 || this.#candidates.size === 0) {
      // pieces that others announced, and do not deliver in time
      this.deliveries.expire()
      for (const index of this.#grace.over(this.#graceMs, now)) this.update(index)
    }
    // in the order of the readers' requests, even if one was given up in between
    for (const index of this.#urgent) {
      if (this.#urgentCandidates.has(index)) return { index, kind: this.#missing.has(index) ? 'piece' : 'check' }
    }
    const due = this.checks.due(this.#running.size)
    if (due !== undefined) return { index: due, kind: 'check' }
    const index = this.#candidates.pick(this.#random, now) ?? this.#doubtful.pick(this.#random, now)
    if (index !== undefined) return { index, kind: 'piece' }
    const check = this.checks.next() ?? this.checks.second(this.#random, now)
    if (check !== undefined) return { index: check, kind: 'check' }
    const backup = this.#backups.choose(() => this.#openClaims(), {
      now,
      allowanceMs: this.#timing.allowanceMs,
      paceMs: this.claims.paceMs,
      isHearsay: this.#timing.paceMs === 0,
      lateness: this.lateness
    })
    return backup === undefined ? undefined : { index: backup, kind: 'backup' }
  }

  /** The piece is being computed here. */
  start (index: number, kind: Choice['kind'] = 'piece'): void {
    this.#running.add(index)
    if (kind === 'check') this.checks.started(index)
    this.update(index)
  }

  /** The work item gave a result. */
  computed (index: number): void {
    this.checks.computed(index)
    this.stop(index)
  }

  /** The work item ended without a result, and not because of the piece (killed, yielded). */
  stop (index: number): void {
    this.#running.delete(index)
    this.checks.ended(index)
    this.#backups.outdate()
    this.update(index)
  }

  /** The work item failed, or (`isLast`) is not to be started. Returns true if the piece is given up here. */
  fail (index: number, isLast = false): boolean {
    const isFinal = this.failures.add(index, this.#timing.now(), isLast)
    this.stop(index)
    if (isFinal) this.checks.giveUp(index)
    return isFinal
  }

  /** The earliest time at which there may be work without any other event, or Infinity. To be called after `next`. */
  wakeAt (): number {
    const { claims, deliveries } = this
    const graceEnd = this.#grace.oldest + this.#graceMs
    return Math.min(claims.expireAt, deliveries.expireAt, this.#backups.retryAt, this.failures.soonest, graceEnd)
  }

  /**
   * Returns the wanted pieces if all that are missing, or not believed, were given up here, and no connected peer has
   * or claims any of them; otherwise nothing.
   */
  hopeless (): number[] {
    if (this.#running.size > 0 || this.#openCount > 0 || this.givenUp === 0) return []
    for (const index of this.checks.unaccepted) if (!this.failures.isFinal(index)) return []
    const wanted: number[] = []
    for (const index of this.failures.pieces) {
      if (!this.isWanted(index) || (!this.isMissing(index) && this.checks.isAccepted(index))) continue
      if (this.deliveries.isAnnounced(index) || this.claims.isClaimed(index)) return []
      wanted.push(index)
    }
    return wanted
  }

  get #graceMs (): number { return graceMs(this.#timing.paceMs, this.#timing.allowanceMs) }

  * #openClaims (): ReturnType<ClaimTable[typeof Symbol.iterator]> {
    for (const entry of this.claims) if (!this.#isOnItsWay(entry[0]) && this.#mayRun(entry[0])) yield entry
  }

  /** True if it will come from a peer, or may still do so. */
  #isOnItsWay (index: number): boolean { return this.deliveries.isExpected(index) || this.#grace.has(index) }

  /** True if only other peers could prevent the piece from being started here. */
  #mayRun (index: number): boolean { return this.#isOpen(index) && this.#mayCheck(index) }

  /** The same, if it is computed whether or not it is stored. */
  #mayCheck (index: number): boolean { return this.isReady(index) && this.#isIdle(index) }

  #isIdle (index: number): boolean {
    return !this.#running.has(index) && !this.failures.isWaiting(index) && !this.failures.isFinal(index)
  }

  #isOpen (index: number): boolean {
    return this.#missing.has(index) && this.isWanted(index) && !this.failures.isFinal(index)
  }

  /** Updates the sets of candidates for a piece. To be called after every change of their criteria. */
  update (index: number): void {
    const isAnnounced = this.deliveries.isAnnounced(index)
    const isOpen = this.#isOpen(index)
    this.#openCount += Number(isOpen) - this.#open[index]!
    this.#open[index] = Number(isOpen)
    if (isAnnounced) this.#grace.announced(index, isOpen, this.#timing.now())
    else this.#grace.withdrawn(index)
    const isClaimed = this.claims.isClaimed(index) || this.checks.isAsked(index)
    const isFreeOnce = isOpen && !this.#isOnItsWay(index) && !isClaimed && this.#isIdle(index)
    const isFree = isFreeOnce && this.#mayRun(index)
    this.#inputs?.set(index, isFreeOnce && !isFree)
    this.#candidates.set(index, isFree && !isAnnounced)
    this.#doubtful.set(index, isFree && isAnnounced)
    const needsSecond = this.checks.isSecond(index) && !this.#missing.has(index) && !isClaimed && this.#isIdle(index)
    this.#inputs?.setSecond(index, needsSecond && !this.isReady(index))
    const isSecond = this.checks.setFree(index, needsSecond && this.isReady(index))
    if ((isFree || isSecond) && this.#urgent.has(index)) this.#urgentCandidates.add(index)
    else this.#urgentCandidates.delete(index)
  }
}

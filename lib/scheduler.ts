/**
 * Which piece to compute next. Pure: the clock and the random source are handed in, so that a whole swarm can be
 * simulated on a virtual clock with this very code.
 *
 * The rule (paper section 4.1, with the collision avoidance its section 6.1 asks for): a random one of the pieces that
 * are wanted, missing, held by no connected peer, claimed by none, and not given up here; pieces that a reader waits
 * for come first. When there is none, and pieces that others have or claim have not come for too long, one of those is
 * computed as a backup (docs/ut_bitworker.md, "Claims", rule 7): peers that promise and never deliver delay a task, and
 * cannot stop it.
 */
import { IndexSet } from './index-set.ts'

/** Runs of one piece's command here before it is left to other peers. */
export const MAX_ATTEMPTS = 3
/** Wait before a failed piece is tried again here, times four for each failure: others go first. */
export const RETRY_MS = 1_000

/** Without any progress for this long, or for PATIENCE_PIECES times what a piece takes, promises are no longer waited for. */
export const PATIENCE_MS = 30_000
const PATIENCE_PIECES = 3
/** Overdue pieces looked at: enough that idle peers rarely choose the same one. */
const OVERDUE_CHOICE = 64

/** What to compute. */
export interface Choice {
  index: number
  /** others say that they have or compute it: to be computed without a claim */
  isBackup: boolean
}

/** Names a peer in the claim table; compared by identity. */
export type PeerKey = object

/** The state of one task's pieces as far as it decides what to compute. */
export class Scheduler {
  readonly #random: () => number
  readonly #clock: () => number
  readonly #missing: IndexSet
  readonly #candidates: IndexSet
  readonly #wanted: Uint8Array
  readonly #available: Uint8Array
  readonly #claims = new Map<number, Set<PeerKey>>()
  readonly #running = new Set<number>()
  /** failures here so far */
  readonly #failures = new Map<number, number>()
  /** pieces that wait to be tried again, by when, soonest first; one map for each number of failures, whose wait is the same */
  readonly #retries = Array.from({ length: MAX_ATTEMPTS - 1 }, () => new Map<number, number>())
  #givenUp = 0
  readonly #urgent = new Set<number>()
  /** pieces that others have or claim and that might be computed here, by since when, oldest first */
  readonly #promised = new Map<number, number>()
  #progressAt: number
  /** what a piece takes here on average, 0 = not known yet */
  #paceMs = 0

  /**
   * @param pieceCount all pieces start missing, wanted, and held by nobody
   * @param random gives numbers in [0, 1)
   * @param clock milliseconds on any steady clock
   */
  constructor (pieceCount: number, random: () => number, clock: () => number) {
    this.#random = random
    this.#clock = clock
    this.#progressAt = clock()
    this.#missing = new IndexSet(pieceCount)
    this.#candidates = new IndexSet(pieceCount)
    this.#wanted = new Uint8Array(pieceCount).fill(1)
    this.#available = new Uint8Array(pieceCount)
    for (let index = 0; index < pieceCount; index++) {
      this.#missing.add(index)
      this.#candidates.add(index)
    }
  }

  /** Pieces not stored here. */
  get missing (): number { return this.#missing.size }

  /** Pieces being computed here. */
  get running (): number { return this.#running.size }

  /** Pieces that connected peers say they are computing. */
  get claimed (): number { return this.#claims.size }

  /** Pieces that failed here so often that they are left to other peers. */
  get givenUp (): number { return this.#givenUp }

  isMissing (index: number): boolean { return this.#missing.has(index) }
  /** The user wants it, or a reader waits for it. */
  isWanted (index: number): boolean { return this.#wanted[index] === 1 || this.#urgent.has(index) }
  isRunning (index: number): boolean { return this.#running.has(index) }

  setMissing (index: number, missing: boolean): void {
    this.#missing.set(index, missing)
    if (!missing) {
      this.#forgetFailures(index)
      this.#progressAt = this.#clock()
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
    this.#available[index] = available ? 1 : 0
    this.#refresh(index)
  }

  /** What a piece takes here on average. */
  setPace (ms: number): void { this.#paceMs = ms }

  /** A reader waits for the piece: it goes before all others. */
  setUrgent (index: number, urgent: boolean): void {
    if (urgent) this.#urgent.add(index)
    else this.#urgent.delete(index)
    this.#refresh(index)
  }

  /** Pieces that readers wait for. */
  get urgent (): Iterable<number> { return this.#urgent }

  /** A peer claims the piece; when a claim lapses is the connection's business (extensions/ut_bitworker/state.ts). */
  claim (peer: PeerKey, index: number): void {
    const claims = this.#claims.get(index)
    if (claims === undefined) this.#claims.set(index, new Set([peer]))
    else claims.add(peer)
    this.#refresh(index)
  }

  release (peer: PeerKey, index: number): void {
    const claims = this.#claims.get(index)
    if (claims?.delete(peer) !== true) return
    if (claims.size === 0) this.#claims.delete(index)
    this.#refresh(index)
  }

  /** The peer is gone, and with it all that it claimed. */
  removePeer (peer: PeerKey): void {
    for (const index of this.#claims.keys()) this.release(peer, index)
  }

  /** What to start now, or undefined when there is nothing. */
  next (): Choice | undefined {
    this.#readmit()
    for (const index of this.#urgent) if (this.#candidates.has(index)) return { index, isBackup: false }
    const index = this.#candidates.pick(this.#random)
    return index === undefined ? this.#backup() : { index, isBackup: false }
  }

  /** The piece is being computed here from now on. */
  start (index: number): void {
    this.#running.add(index)
    this.#refresh(index)
  }

  /** The work item ended without a result that counts against the piece (killed, yielded). */
  stop (index: number): void {
    this.#running.delete(index)
    this.#refresh(index)
  }

  /** The work item failed. True when the piece is given up here. */
  fail (index: number): boolean {
    const attempts = this.#attempts(index) + 1
    const isFinal = attempts >= MAX_ATTEMPTS
    this.#failures.set(index, attempts)
    if (isFinal) this.#givenUp++
    else this.#retries[attempts - 1]!.set(index, this.#clock() + RETRY_MS * 4 ** (attempts - 1))
    this.stop(index)
    return isFinal
  }

  /** When there may be something to do without anything else happening, or Infinity. */
  wakeAt (): number {
    let at = Infinity
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
    if (this.#running.size > 0 || this.#candidates.size > 0 || this.#givenUp === 0) return []
    const wanted: number[] = []
    for (const index of this.#missing) {
      if (!this.isWanted(index)) continue
      if (!this.#isHopeless(index)) return [] // as a rule one of the first: this is asked after every change
      wanted.push(index)
    }
    return wanted
  }

  #isHopeless (index: number): boolean {
    return this.#attempts(index) >= MAX_ATTEMPTS && this.#available[index] === 0 && !this.#claims.has(index)
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
    const now = this.#clock()
    for (const retries of this.#retries) {
      for (const [index, retryAt] of retries) {
        if (retryAt > now) break
        retries.delete(index)
        this.#refresh(index)
      }
    }
  }

  /** A random one of the pieces that others should have delivered long ago. */
  #backup (): Choice | undefined {
    const now = this.#clock()
    const overdue: number[] = []
    for (const [index, since] of this.#promised) {
      if (this.#overdueAt(since) > now || overdue.length === OVERDUE_CHOICE) break
      if (this.#mayRun(index)) overdue.push(index)
    }
    const index = overdue[Math.floor(this.#random() * overdue.length)]
    return index === undefined ? undefined : { index, isBackup: true }
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

  /** Keeps `#candidates` and `#promised` true to their definitions; called after every change of what they depend on. */
  #refresh (index: number): void {
    const isPromised = this.#available[index] === 1 || this.#claims.has(index)
    this.#candidates.set(index, !isPromised && this.#mayRun(index))
    // a promise that was broken and made again is as old as the first one
    if (!this.#isOpen(index)) this.#promised.delete(index)
    else if (isPromised && !this.#promised.has(index)) this.#promised.set(index, this.#clock())
  }
}

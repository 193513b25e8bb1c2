/**
 * Chooses and claims the next pieces ahead of time: many short pieces at once, with one message and one scheduling pass
 * for all of them; longer ones one by one, so that peers that make the same choice notice before either has started.
 * Pieces whose inputs are on their way are claimed, too, so that other peers do not fetch them in vain. Called by
 * compute-slots.ts.
 */
import { MAX_CLAIMS } from '../../extensions/ut_bitworker/constants.ts'
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { ClaimExchange } from '../peers/claim-exchange.ts'
import type { Choice, Scheduler } from '../scheduling/scheduler.ts'
import type { Slots } from './slots.ts'

/**
 * Short pieces are claimed this far ahead: other peers wait for them at most that long, and a message costs a
 * thousandth of it.
 */
const AHEAD_MS = 100
/**
 * The next longer piece is claimed this long before its slot becomes free: by then, even a busy peer has received the
 * claim.
 */
const NEXT_MS = 200
/**
 * A claim without work is released after this many times the duration of a piece, and at least this time: that is when
 * others begin to doubt it (claim-table.ts).
 */
const HOLD_PIECES = 1.5
const MIN_HOLD_MS = 1_000
/** The same while nothing is known. */
const UNKNOWN_HOLD_MS = 10_000

/** The parts that choose pieces, and that send claims to all peers. */
export interface ClaimingParts {
  readonly scheduler: Scheduler
  readonly claims: Pick<ClaimExchange, 'claim' | 'release'>
  /** the scheduler's clock */
  readonly clock: Clock
}

/** A piece to start. `waitedMs`: for how long it was claimed, milliseconds; default 0 */
export type NextPiece = Choice & { waitedMs?: number }

/** When a piece was claimed whose inputs are on their way, and how long that was expected to take, milliseconds. */
interface Awaited { since: number, waitMs: number }

/** The pieces that one task's slots will start next. */
export class ClaimedAhead {
  readonly #scheduler: Scheduler
  readonly #claims: ClaimingParts['claims']
  readonly #slots: Slots
  readonly #clock: Clock
  readonly #indices = new Set<number>()
  /** pieces whose inputs are on their way, or have just arrived */
  readonly #awaited = new Map<number, Awaited>()
  readonly #released: () => void
  #cancelLook = (): void => {}
  #cancelHold = (): void => {}

  /** @param released called when claims without work were released, and something else may be done */
  constructor ({ scheduler, claims, clock }: ClaimingParts, slots: Slots, released: () => void) {
    this.#released = released
    this.#scheduler = scheduler
    this.#claims = claims
    this.#slots = slots
    this.#clock = clock
  }

  get size (): number { return this.#indices.size }

  /** The number of pieces that are claimed and have not started, with those whose inputs are on their way. */
  get claimed (): number { return this.#indices.size + this.#awaited.size }

  /** The claims of all these pieces. */
  claims (): ClaimRecord[] {
    const now = this.#clock.now()
    const awaited = Array.from(this.#awaited, ([index, { since, waitMs }]) => this.#claimOf(index, now - since, waitMs))
    return [...Array.from(this.#indices, index => this.#fresh(index)), ...awaited]
  }

  /** Whether the piece was claimed by `awaitInputs` and has not started. */
  isAwaited (index: number): boolean { return this.#awaited.has(index) }

  /**
   * Claims pieces whose inputs are about to be fetched, as many as may be claimed; each is started once the scheduler
   * has it as ready and there is a slot, or released after a while.
   * @param waitMs expected time until they can start
   */
  awaitInputs (indices: readonly number[], waitMs: number): void {
    const since = this.#clock.now()
    const taken = indices.slice(0, Math.max(0, this.#room - this.claimed))
    if (this.#slots.state !== 'on' || taken.length === 0) return
    for (const index of taken) {
      this.#scheduler.start(index, this.#kindOf(index))
      this.#awaited.set(index, { since, waitMs: Math.ceil(waitMs) })
    }
    this.#claims.claim(taken.map(index => this.#claimOf(index, 0, Math.ceil(waitMs))), { isBackup: false })
    this.#watch()
  }

  /** Claims do not last if nothing is computed. */
  #watch (): void {
    this.#cancelHold()
    const [oldest] = this.#awaited.values()
    if (oldest === undefined) return
    this.#cancelHold = this.#clock.after(Math.max(1, oldest.since + this.#holdMs - this.#clock.now()), () => {
      const until = this.#clock.now() - this.#holdMs
      const over = [...this.#awaited].filter(([, { since }]) => since <= until).map(([index]) => index)
      this.#giveUp(over)
      this.#watch()
      if (over.length > 0) this.#released()
    })
  }

  get #holdMs (): number {
    const paceMs = this.#scheduler.claims.paceMs
    return paceMs === 0 ? UNKNOWN_HOLD_MS : Math.max(MIN_HOLD_MS, HOLD_PIECES * paceMs)
  }

  /** Returns the piece to start now, which has been claimed; undefined if there is none. */
  next (): NextPiece | undefined {
    for (const [index, { since }] of this.#awaited) {
      if (!this.#scheduler.isNeeded(index)) this.#giveUp([index])
      else if (this.#scheduler.isReady(index)) {
        this.#awaited.delete(index)
        return { index, kind: this.#kindOf(index), waitedMs: this.#clock.now() - since }
      }
    }
    const other = this.#indices.size === 0 ? this.#choose() : undefined
    if (other !== undefined) return other
    const [index] = this.#indices
    if (index === undefined) return undefined
    this.#indices.delete(index)
    return { index, kind: 'piece' }
  }

  #kindOf (index: number): 'piece' | 'check' { return this.#scheduler.isMissing(index) ? 'piece' : 'check' }

  /** Releases the piece, and chooses another one. Returns false if it is not among them. */
  drop (index: number): boolean {
    if (!this.#indices.has(index) && !this.#awaited.has(index)) return false
    this.#giveUp([index])
    this.look()
    return true
  }

  /** Releases all pieces, because other peers wait for them. */
  clear (): void {
    this.#cancelLook()
    this.#cancelHold()
    this.#giveUp([...this.#indices, ...this.#awaited.keys()])
  }

  /** Chooses pieces for the slots that will be free soon. Other slots can wait: an overdue command may take long. */
  look (): void {
    this.#cancelLook()
    if (this.#slots.state !== 'on' || this.#slots.paceMs <= AHEAD_MS) return
    const ends = this.#slots.ends(this.#clock.now())
    const soon = this.#slots.count - ends.filter(ms => Math.abs(ms) > NEXT_MS).length
    this.#giveUp([...this.#indices].slice(soon))
    const chosen: ClaimRecord[] = []
    while (this.claimed < Math.min(soon, this.#room) && this.#scheduler.hasCandidates) {
      const choice = this.#scheduler.next()
      if (choice === undefined || choice.kind !== 'piece') break
      this.#add(choice.index)
      chosen.push(this.#fresh(choice.index))
    }
    if (chosen.length > 0) this.#claims.claim(chosen, { isBackup: false })
    const changes = ends.flatMap(ms => [Math.ceil(ms - NEXT_MS), Math.floor(ms + NEXT_MS) + 1]).filter(ms => ms > 0)
    if (changes.length > 0) this.#cancelLook = this.#clock.after(Math.min(...changes), () => { this.look() })
  }

  /** Chooses and claims a batch. If a check or a backup comes first, claims and returns that. */
  #choose (): Choice | undefined {
    const count = this.#batchSize()
    let choice: Choice | undefined
    while (this.#indices.size < count) {
      choice = this.#scheduler.next()
      // a check is not claimed ahead, since nobody waits for it; a backup is chosen only when nothing else is left
      if (choice === undefined || choice.kind !== 'piece') break
      this.#add(choice.index)
    }
    if (this.#indices.size > 0) this.#claims.claim(this.claims(), { isBackup: false })
    if (choice === undefined || choice.kind === 'piece') return undefined
    this.#scheduler.start(choice.index, choice.kind)
    this.#claims.claim([this.#fresh(choice.index)], { isBackup: true })
    return choice
  }

  #batchSize (): number {
    const { free, count, paceMs } = this.#slots
    if (paceMs === 0 || paceMs > AHEAD_MS) return free
    return Math.max(free, Math.min(this.#room - this.#awaited.size, Math.ceil(AHEAD_MS / paceMs) * count))
  }

  /** The number of claims that are allowed in addition to those of running pieces. */
  get #room (): number { return MAX_CLAIMS - this.#slots.running.size }

  #add (index: number): void {
    this.#scheduler.start(index)
    this.#indices.add(index)
  }

  #giveUp (indices: number[]): void {
    for (const index of indices) {
      this.#indices.delete(index)
      this.#awaited.delete(index)
      this.#scheduler.stop(index)
    }
    if (indices.length > 0) this.#claims.release(indices)
  }

  /** The claim of a piece that has not started. */
  #fresh (index: number): ClaimRecord { return this.#claimOf(index, 0, 0) }

  #claimOf (index: number, elapsedMs: number, waitMs: number): ClaimRecord {
    const { estimateMs } = this.#slots
    return { index, elapsedMs: Math.round(elapsedMs), estimateMs: estimateMs === 0 ? 0 : waitMs + estimateMs }
  }
}

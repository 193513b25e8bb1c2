/**
 * What is to start soon: chosen and claimed ahead. Of short pieces many at a time, with one message and one look at the
 * swarm for all of them; of longer ones the next, so that peers which choose alike notice before either has begun.
 * Called by compute-slots.ts.
 */
import { MAX_CLAIMS } from '../../extensions/ut_bitworker/constants.ts'
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { Choice, Scheduler } from '../scheduling/scheduler.ts'
import type { Pace } from './pace.ts'

/**
 * Short pieces are claimed ahead for this long: other peers wait for them that long at most, and a message costs a
 * thousandth of it.
 */
const AHEAD_MS = 100
/** The next of longer ones is claimed so long before its slot is free: a busy peer has heard of it by then. */
const NEXT_MS = 200

/** Those who are told of claims: all peers. */
export interface ClaimOutlet {
  /** tell them, before the work items start */
  claim (claims: ClaimRecord[], opts: { isBackup: boolean }): void
  /** tell them that there will be no result */
  release (indices: number[]): void
}

/** The slots for which pieces are chosen. */
export interface WorkingSlots {
  readonly state: 'on' | 'paused' | 'stopped'
  /** work items at a time */
  readonly count: number
  /** slots in which no command runs */
  readonly free: number
  /** pieces that are computed, or being stored */
  readonly running: number
  /** in how many milliseconds the commands that run will end, as the last ones did; negative: should have ended */
  ends (): number[]
}

/** The pieces that one task's slots will start next. */
export class ClaimedAhead {
  readonly #scheduler: Scheduler
  readonly #outlet: ClaimOutlet
  readonly #slots: WorkingSlots
  readonly #pace: Pace
  readonly #clock: Clock
  readonly #indices = new Set<number>()
  #cancelLook = (): void => {}

  /** @param opts `clock`: the scheduler's */
  constructor (
    scheduler: Scheduler, outlet: ClaimOutlet, slots: WorkingSlots, { pace, clock }: { pace: Pace, clock: Clock }
  ) {
    this.#scheduler = scheduler
    this.#outlet = outlet
    this.#slots = slots
    this.#pace = pace
    this.#clock = clock
  }

  get size (): number { return this.#indices.size }

  /** Claims of all of them. */
  claims (): ClaimRecord[] { return Array.from(this.#indices, index => this.#fresh(index)) }

  /** What to start now: it is claimed. undefined: nothing. */
  next (): Choice | undefined {
    const backup = this.#indices.size === 0 ? this.#choose() : undefined
    if (backup !== undefined) return backup
    const [index] = this.#indices
    if (index === undefined) return undefined
    this.#indices.delete(index)
    return { index, isBackup: false }
  }

  /** Gives up the piece, and chooses another one instead. False: it is none of them. */
  drop (index: number): boolean {
    if (!this.#indices.has(index)) return false
    this.#giveUp([index])
    this.look()
    return true
  }

  /** Gives up all of them: others wait for them. */
  clear (): void {
    this.#cancelLook()
    this.#giveUp([...this.#indices])
  }

  /** Chooses for the slots that will be free soon: the others have time, and what is late may be so for long. */
  look (): void {
    this.#cancelLook()
    if (this.#slots.state !== 'on' || this.#pace.ms <= AHEAD_MS) return
    const ends = this.#slots.ends()
    const soon = this.#slots.count - ends.filter(ms => Math.abs(ms) > NEXT_MS).length
    this.#giveUp([...this.#indices].slice(soon))
    const chosen: ClaimRecord[] = []
    while (this.#indices.size < Math.min(soon, this.#room) && this.#scheduler.hasCandidates) {
      const choice = this.#scheduler.next()
      if (choice === undefined || choice.isBackup) break
      this.#add(choice.index)
      chosen.push(this.#fresh(choice.index))
    }
    if (chosen.length > 0) this.#outlet.claim(chosen, { isBackup: false })
    const changes = ends.flatMap(ms => [Math.ceil(ms - NEXT_MS), Math.floor(ms + NEXT_MS) + 1]).filter(ms => ms > 0)
    if (changes.length > 0) this.#cancelLook = this.#clock.after(Math.min(...changes), () => { this.look() })
  }

  /** Chooses and claims a batch. A backup, if there is one, is claimed and returned. */
  #choose (): Choice | undefined {
    const count = this.#batchSize()
    let choice: Choice | undefined
    while (this.#indices.size < count) {
      choice = this.#scheduler.next()
      // only when nothing else is left, so the batch ends here
      if (choice === undefined || choice.isBackup) break
      this.#add(choice.index)
    }
    if (this.#indices.size > 0) this.#outlet.claim(this.claims(), { isBackup: false })
    if (choice?.isBackup !== true) return undefined
    this.#scheduler.start(choice.index)
    this.#outlet.claim([this.#fresh(choice.index)], { isBackup: true })
    return choice
  }

  #batchSize (): number {
    const { free, count } = this.#slots
    const { ms } = this.#pace
    if (ms === 0 || ms > AHEAD_MS) return free
    return Math.max(free, Math.min(this.#room, Math.ceil(AHEAD_MS / ms) * count))
  }

  /** Claims that we may make beside those of what runs. */
  get #room (): number { return MAX_CLAIMS - this.#slots.running }

  #add (index: number): void {
    this.#scheduler.start(index)
    this.#indices.add(index)
  }

  #giveUp (indices: number[]): void {
    for (const index of indices) {
      this.#indices.delete(index)
      this.#scheduler.stop(index)
    }
    if (indices.length > 0) this.#outlet.release(indices)
  }

  /** The claim of a piece that has not begun. */
  #fresh (index: number): ClaimRecord { return { index, elapsedMs: 0, estimateMs: this.#pace.estimateMs } }
}

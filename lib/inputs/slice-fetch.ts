/**
 * Fetches the slices of a split input. A piece is claimed before its slice is fetched, so that no other peer fetches it
 * as well; and only shortly before there is a slot for it, so that nobody waits for a claim without work. Called by
 * supply.ts.
 */
import type { Clock } from '../base/clock.ts'
import { traceOf } from '../base/trace.ts'
import type { ComputedHere, Readiness } from '../session/work-session.ts'
import { choosePieces, leadMs, slicesDue } from './plan.ts'
import type { WaitingPiece } from './plan.ts'
import type { SliceNeeds } from './slice-needs.ts'

const trace = traceOf('inputs')

/** A piece that another peer is likely to choose as well is claimed first, and fetched if that peer does not object. */
const OBJECTION_MS = 100
/** The number of pieces to look beyond that others are about to compute, or that nobody offers. */
const LOOK_BEYOND = 256
/** The time that a slice takes is averaged over about this many. */
const FETCHES = 8

/** The parts that are used. */
export interface SliceFetchParts {
  readonly scheduler: Readiness
  readonly work: Omit<ComputedHere, 'watchInputs'>
  readonly clock: Clock
  readonly slices: Pick<SliceNeeds, 'lacks' | 'isRefused' | 'others'>
  readonly slots: number
  /** something may be due now */
  readonly changed: () => void
}

/** Chooses the slices of one task. */
export class SliceFetch {
  readonly #parts: SliceFetchParts
  /** claimed pieces whose slices are fetched, and from when on */
  readonly #taken = new Map<number, number>()
  /**
   * pieces that are claimed only when they are ready, if at all: their slices took so long that the claims were
   * released, or they are computed whether or not others have them
   */
  readonly #unclaimed = new Set<number>()
  #fetchMs = 0
  #fetched = 0
  #cancel = (): void => {}

  constructor (parts: SliceFetchParts) {
    this.#parts = parts
  }

  /** Looks for what is due. Returns the units to download, the first ones first. */
  update (): Set<number> {
    const { scheduler, work } = this.#parts
    const wanted = new Set<number>()
    const ready = this.#takeStock(wanted)
    const { slots } = this.#parts
    const lead = leadMs({ slots, paceMs: work.paceMs, fetchMs: this.#fetchMs, share: scheduler.share })
    const next = this.#next(lead)
    for (const { index, lacks } of next) if (lacks?.length === 0) ready.push(index)
    for (const unit of this.#take(next, lead)) wanted.add(unit)
    for (const index of ready) scheduler.setReady(index, true)
    if (ready.length > 0) work.run()
    this.#wakeUp(lead)
    return wanted
  }

  /** Nothing is fetched for now. */
  close (): void {
    this.#cancel()
    this.#taken.clear()
    this.#unclaimed.clear()
  }

  /** What was begun: adds what is wanted of it, and returns the pieces that are ready. */
  #takeStock (wanted: Set<number>): number[] {
    const { scheduler, work, slices, clock } = this.#parts
    const now = clock.now()
    const ready: number[] = []
    for (const [index, fetchAt] of this.#taken) {
      const isClaimed = work.isAwaited(index)
      const lacks = slices.lacks(index)
      if (isClaimed && slices.isRefused(index)) work.abort(index, 'its input is refused')
      else if (isClaimed && !scheduler.isNeeded(index)) work.abort(index, 'another peer has computed it')
      else if (lacks?.length === 0) {
        this.#took(now - fetchAt)
        ready.push(index)
      } else if (isClaimed) {
        if (fetchAt <= now) for (const unit of lacks ?? []) wanted.add(unit)
        continue
      } else if (scheduler.isWaiting(index)) {
        trace('the slice of piece %d is late', index)
        this.#unclaimed.add(index)
      }
      this.#taken.delete(index)
    }
    for (const index of this.#unclaimed) {
      const lacks = scheduler.isDue(index) ? slices.lacks(index) : null
      if (lacks === null || lacks.length === 0) this.#unclaimed.delete(index)
      if (lacks?.length === 0) ready.push(index)
      for (const unit of lacks ?? []) wanted.add(unit)
    }
    return ready
  }

  #took (ms: number): void {
    this.#fetched++
    this.#fetchMs += (Math.max(0, ms) - this.#fetchMs) / Math.min(this.#fetched, FETCHES)
  }

  #next (lead: number): WaitingPiece[] {
    const { scheduler, work, slots } = this.#parts
    const { claimed, paceMs } = work
    const unclaimed = [...this.#unclaimed].filter(index => this.#others(index) !== 'absent').length
    const here = claimed + scheduler.ready + unclaimed
    const due = work.due(lead) - scheduler.ready - unclaimed
    const room = slicesDue(due, { slots, paceMs, here, share: scheduler.share, fetched: this.#fetched })
    return room > 0 ? choosePieces(this.#waiting(room + LOOK_BEYOND), room) : []
  }

  #others (index: number): ReturnType<SliceNeeds['others']> {
    const { slices } = this.#parts
    return slices.others(index, slices.lacks(index) ?? [])
  }

  /** The next pieces that can be fetched. */
  * #waiting (count: number): Generator<WaitingPiece> {
    const { scheduler, slices } = this.#parts
    for (const index of scheduler.waiting(count)) {
      if (slices.isRefused(index) || this.#unclaimed.has(index)) continue
      const lacks = slices.lacks(index)
      if (lacks === null) {
        // its place in the table is being read
        if (!slices.isRefused(index)) yield { index, lacks, doubt: 0 }
        continue
      }
      const others = slices.others(index, lacks)
      if (others !== 'absent') yield { index, lacks, doubt: others === 'fetched' ? 2 : scheduler.isFirst(index) ? 0 : 1 }
    }
  }

  /** Claims pieces. Returns the units that are to be fetched at once. */
  #take (pieces: readonly WaitingPiece[], lead: number): number[] {
    const { scheduler, work, clock } = this.#parts
    const units: number[] = []
    const lacking = pieces.filter(({ lacks }) => lacks !== null && lacks.length > 0)
    const free = lacking.map(({ index }) => index).filter(index => scheduler.isWaiting(index))
    if (free.length > 0) work.awaitInputs(free, lead)
    for (const { index, lacks, doubt } of lacking) {
      if (!work.isAwaited(index)) {
        if (free.includes(index)) continue
        this.#unclaimed.add(index)
        units.push(...lacks!)
        continue
      }
      this.#taken.set(index, clock.now() + (doubt > 0 ? OBJECTION_MS : 0))
      if (doubt === 0) units.push(...lacks!)
    }
    return units
  }

  /** Has `changed` called when something is due without any other event. */
  #wakeUp (lead: number): void {
    const { work, clock, changed } = this.#parts
    this.#cancel()
    const now = clock.now()
    const times = Array.from(this.#taken.values(), fetchAt => fetchAt - now).filter(ms => ms > 0)
    const ms = Math.min(...times, work.dueInMs(lead))
    if (ms < Infinity) this.#cancel = clock.after(Math.max(1, Math.ceil(ms)), changed)
  }
}

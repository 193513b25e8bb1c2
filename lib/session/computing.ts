/**
 * The computing of one task, round by round: from a start to a stop its slots, and what is reported of them. Called by
 * piece-flow.ts, which is told what was computed.
 */
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { CommandError } from '../base/errors.ts'
import type { Downloads } from '../download/downloads.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Claim } from '../scheduling/claim.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Generated, PieceStore } from '../store/types.ts'
import type { ClaimOutlet } from './claimed-ahead.ts'
import { ComputeSlots } from './compute-slots.ts'
import type { ComputeSlotsHost } from './compute-slots.ts'
import type { SessionHost } from './session-host.ts'
import { WorkReports } from './work-reports.ts'

/** What a task is computed with. */
export interface ComputingParts {
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly store: PieceStore
  readonly results: ResultTable
  readonly downloads: Downloads
  readonly outlet: ClaimOutlet
}

/** The computing of one task. */
export class Computing implements ComputeSlotsHost {
  readonly #parts: ComputingParts
  readonly #host: SessionHost
  readonly #stored: (index: number, result: Result) => void
  #slots: ComputeSlots | null = null
  #reports: WorkReports | null = null
  /** of each piece that is computed: work items of a round that was stopped may end in the next one */
  readonly #reportsOf = new Map<number, WorkReports>()
  #count = 0
  #isStuck = false
  #isOpen = false
  #isClosed = false

  /** @param stored called with what a work item has stored */
  constructor (parts: ComputingParts, host: SessionHost, stored: (index: number, result: Result) => void) {
    this.#parts = parts
    this.#host = host
    this.#stored = stored
  }

  get state (): 'off' | 'on' | 'paused' {
    const state = this.#slots?.state ?? 'stopped'
    return state === 'stopped' ? 'off' : state
  }

  /** Pieces computed so far. */
  get count (): number { return this.#count }

  /** Work items that were reported to have begun, and not to have ended. */
  get running (): number { return this.#reports?.running ?? 0 }

  /** Everything that is missing has failed here, and nobody has it. */
  get isStuck (): boolean { return this.#isStuck }

  /** What a piece takes here, milliseconds; 0: unknown. */
  get paceMs (): number { return this.#slots?.paceMs ?? 0 }

  /** For how long there is work here, as far as can be seen, milliseconds. */
  get busyMs (): number { return this.#slots?.busyMs ?? 0 }

  /** All that earlier runs left is known. */
  open (): void { this.#isOpen = true }

  /** @param slots work items at a time; none are started while it is paused */
  start (slots: number, isPaused: boolean): void {
    this.#reports = new WorkReports(slots, this.#host)
    this.#slots = new ComputeSlots({ ...this.#parts, slots }, this)
    if (isPaused) this.#slots.pause()
  }

  /** Something has changed: starts what can be. */
  run (): void { this.#slots?.run() }

  pause (): void { this.#slots?.pause() }

  resume (): void { this.#slots?.resume() }

  /** Kills the work items; resolves when they are gone. */
  async stop (): Promise<void> {
    await this.#slots?.stop()
    this.#slots?.run() // if it was started again meanwhile: what has just ended may be computed
  }

  async close (): Promise<void> {
    this.#isClosed = true
    await this.#slots?.stop()
  }

  /** Ends the piece's work item, if there is one. */
  abort (index: number, reason: string): void { this.#slots?.abort(index, reason) }

  /** A peer's claim for a piece that is computed here goes before ours. */
  yieldTo (index: number, other: Claim): void { this.#slots?.yieldTo(index, other) }

  /** What runs, as claims say it. */
  claims (opts: { isBackup: boolean }): ClaimRecord[] { return this.#slots?.claims(opts) ?? [] }

  //
  // WHAT BECOMES OF WORK ITEMS
  //

  started (index: number): void {
    const reports = this.#reports!
    this.#reportsOf.set(index, reports)
    reports.begun(index)
  }

  computed (index: number, result: Result, run: Pick<Generated, 'ms' | 'stderr'>): void {
    if (this.#isClosed || this.#parts.results.has(index)) return this.aborted(index, 'it was downloaded')
    this.#count++
    this.#parts.downloads.cancel(index)
    this.#ended(index).computed(index, result, run)
    this.#stored(index, result)
  }

  failed (index: number, err: Error, final: boolean): void {
    const reports = this.#ended(index)
    // nothing here can be computed: the command is not to blame
    if (!(err instanceof CommandError) || err.code === 'BW_ERR_NO_SHELL') return this.#host.broken(err)
    if (reports.failed(index, err, final, () => this.#parts.results.hasAny)) void this.#slots?.stop()
  }

  aborted (index: number, reason: string): void { this.#ended(index).aborted(index, reason) }

  #ended (index: number): WorkReports {
    const reports = this.#reportsOf.get(index)!
    this.#reportsOf.delete(index)
    return reports
  }

  idle (): void {
    const { scheduler, downloads } = this.#parts
    if (scheduler.running === 0) downloads.hurry()
    const pieces = this.#isOpen ? scheduler.hopeless() : []
    if (pieces.length > 0 && !this.#isStuck) this.#host.report('stuck', { pieces })
    this.#isStuck = pieces.length > 0
    this.#host.planned?.()
  }
}

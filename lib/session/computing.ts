/**
 * The computing of one task, in rounds from start to stop: its slots, and the reports about them. Called by
 * piece-flow.ts, which receives the computed pieces.
 */
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import { CommandError } from '../base/errors.ts'
import type { Downloads } from '../download/downloads.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Claim } from '../scheduling/claim.ts'
import { ComputeSlots } from './compute-slots.ts'
import type { ComputeSlotsHost, Ending, SlotParts } from './compute-slots.ts'
import type { Reach } from './held-results.ts'
import type { SessionHost } from './session-host.ts'
import { Slots } from './slots.ts'
import type { Hold } from './slots.ts'
import { WorkReports } from './work-reports.ts'

/** Who receives what was computed. */
export interface ComputingOwner {
  /** a command gave this result, whatever is stored; called before `stored` */
  computed (index: number, own: Result): void
  /** a work item has stored the piece */
  stored (index: number, result: Result): void
  /** everything fails here: nothing is computed any more */
  gaveUp (): void
}

/** The parts that computing uses. */
export interface ComputingParts extends SlotParts {
  readonly results: ResultTable
  readonly downloads: Downloads
}

/** The computing of one task. */
export class Computing implements ComputeSlotsHost {
  readonly #parts: ComputingParts
  readonly #host: SessionHost
  readonly #owner: ComputingOwner
  #slots: ComputeSlots | null = null
  #table: Slots | null = null
  #reports: WorkReports | null = null
  /** by piece being computed: work items of a stopped round may end in the next one */
  readonly #reportsOf = new Map<number, WorkReports>()
  /** called after every change of the next pieces to be computed */
  #planned = (): void => {}
  #reach: () => Reach = () => 'here'
  #count = 0
  #isStuck = false
  #isOpen = false
  #isClosed = false

  constructor (parts: ComputingParts, host: SessionHost, owner: ComputingOwner) {
    this.#parts = parts
    this.#host = host
    this.#owner = owner
  }

  get state (): 'off' | 'on' | 'paused' {
    const state = this.#slots?.state ?? 'stopped'
    return state === 'stopped' ? 'off' : state === 'finishing' ? 'paused' : state
  }

  /** The number of pieces computed so far. */
  get count (): number { return this.#count }

  /** The number of work items that were reported as started, and not as ended. */
  get running (): number { return this.#reports?.running ?? 0 }

  /** True if everything that is missing has failed here, and nobody has it. */
  get isStuck (): boolean { return this.#isStuck }

  /** The duration of a piece here, milliseconds; 0: unknown. */
  get paceMs (): number { return this.#slots?.paceMs ?? 0 }

  /** How long there will be work here, as far as is known, milliseconds. */
  get busyMs (): number { return this.#slots?.busyMs ?? 0 }

  /** The pieces of earlier runs are known. */
  open (): void { this.#isOpen = true }

  /** Calls `listener` after every change of what comes next: for the code that provides the inputs. */
  onPlanned (listener: () => void): void { this.#planned = listener }

  /** Asks `reach` from now on how the inputs of checks stand. */
  watchInputs (reach: () => Reach): void { this.#reach = reach }

  /** How the inputs of checks stand. */
  get reach (): Reach { return this.#reach() }

  /** Nothing is being computed here, and nothing could be, though computing is not paused. */
  get isIdle (): boolean {
    const { running, checks } = this.#parts.scheduler
    return this.state !== 'paused' && running === 0 && !checks.isStartable
  }

  /** @param slots number of work items at a time; none starts with a `hold` */
  start (slots: number, hold: Hold | null): void {
    this.#reports = new WorkReports(slots, this.#host)
    this.#table = new Slots(slots)
    this.#slots = new ComputeSlots(this.#table, this.#parts, this)
    if (hold !== null) this.#slots.pause(hold)
  }

  /** Number of work items at a time; 0: nothing is computed. What runs beyond a smaller number goes on to its end. */
  get slots (): number { return this.state === 'off' ? 0 : this.#table?.count ?? 0 }

  set slots (count: number) {
    if (this.#table !== null) this.#table.count = count
    this.run()
  }

  /** Something has changed: starts work items if possible. */
  run (): void { this.#slots?.run() }

  pause (hold: Hold): void { this.#slots?.pause(hold) }

  resume (): void { this.#slots?.resume() }

  /** Kills the work items. Resolves when they have ended. */
  async stop (): Promise<void> {
    await this.#slots?.stop()
    this.#slots?.run() // if it was started again in the meantime, the pieces that have just ended may be computed
  }

  async close (): Promise<void> {
    this.#isClosed = true
    await this.#slots?.stop()
  }

  /** Aborts the piece's work item, if there is one. */
  abort (index: number, reason: string): void { this.#slots?.abort(index, reason) }

  /** A peer's claim wins against ours for a piece that is being computed here. */
  yieldTo (index: number, other: Claim): void { this.#slots?.yieldTo(index, other) }

  /** Claims pieces whose inputs are about to be fetched, see ClaimedAhead. */
  awaitInputs (indices: readonly number[], waitMs: number): void { this.#slots?.awaitInputs(indices, waitMs) }

  isAwaited (index: number): boolean { return this.#slots?.isAwaited(index) === true }

  /** The number of further pieces that can start within this time, milliseconds: none of them is claimed yet. */
  due (withinMs: number): number { return this.#slots?.due(withinMs) ?? 0 }

  /** When `due` will grow without any other event, in milliseconds from now. */
  dueInMs (withinMs: number): number { return this.#slots?.dueInMs(withinMs) ?? Infinity }

  /** The number of pieces that are claimed and have not started. */
  get claimed (): number { return this.#slots?.claimed ?? 0 }

  /** The claims of the running work items. */
  claims (opts: { isBackup: boolean }): ClaimRecord[] { return this.#slots?.claims(opts) ?? [] }

  //  REPORTS OF WORK ITEMS

  started (index: number): void {
    const reports = this.#reports!
    this.#reportsOf.set(index, reports)
    reports.begun(index)
  }

  ended (index: number, ending: Ending): void {
    const reports = this.#reportsOf.get(index)!
    this.#reportsOf.delete(index)
    if ('result' in ending) this.#computed(index, ending, reports)
    else if ('error' in ending) this.#failed(index, ending, reports)
    else reports.aborted(index, ending.abortedBecause)
  }

  #computed (
    index: number, { result, discarded, isCheck, run }: Extract<Ending, { result: Result }>, reports: WorkReports
  ): void {
    if (this.#isClosed) return reports.aborted(index, 'it was downloaded')
    if (this.#parts.results.has(index)) {
      // it was here before, or has come while it was computed
      this.#owner.computed(index, discarded ?? result)
      if (isCheck) reports.computed(index, discarded ?? result, run)
      else reports.aborted(index, 'it was downloaded')
      return
    }
    this.#count++
    this.#parts.downloads.cancel(index)
    // before anybody is told, and asks what to compute next
    this.#parts.scheduler.setMissing(index, false)
    this.#owner.computed(index, result)
    reports.computed(index, result, run)
    this.#owner.stored(index, result)
  }

  #failed (index: number, { error, isFinal }: Extract<Ending, { error: Error }>, reports: WorkReports): void {
    // nothing can be computed on this machine: the command is not to blame
    if (!(error instanceof CommandError) || error.code === 'BW_ERR_NO_SHELL') return this.#host.broken(error)
    if (!reports.failed(index, error, isFinal, () => this.#parts.results.hasAny)) return
    void this.#slots?.stop()
    this.#owner.gaveUp()
  }

  idle (): void {
    const { scheduler, downloads } = this.#parts
    if (scheduler.running === 0) downloads.hurry()
    const pieces = this.#isOpen ? scheduler.hopeless() : []
    if (pieces.length > 0 && !this.#isStuck) this.#host.report('stuck', { pieces })
    this.#isStuck = pieces.length > 0
    this.#planned()
  }
}

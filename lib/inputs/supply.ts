/**
 * Supplies the inputs of one task that is computed here: has the torrents download what the next pieces need, in the
 * order in which they will be computed; tells the scheduler which pieces are ready; and makes the inputs available to
 * each command. The torrents are passed in (`InputTorrents`). Made by compute-control.ts for tasks with inputs.
 */
import { systemClock } from '../base/clock.ts'
import { BitWorkerError } from '../base/errors.ts'
import type { InputEvent } from '../session/events.ts'
import type { Reach, WorkSession } from '../session/work-session.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import type { Given, Inputs } from '../store/types.ts'
import { InputCheck } from './input-check.ts'
import { ItemInputs, contentOf, isComplete } from './item-inputs.ts'
import { noteProgress, reachOf, stateOf } from './supplied-input.ts'
import type { SuppliedInput } from './supplied-input.ts'
import { SliceFetch } from './slice-fetch.ts'
import { SliceNeeds } from './slice-needs.ts'
import type { InputContent, InputEvents, InputStage, InputTorrent, InputTorrents, SupplyLimits } from './supply-types.ts'

/** Changes within this time are processed together. */
const SETTLE_MS = 10
/** Shortest interval between two progress reports. */
const REPORT_MS = 1_000
/** Slices per slot that another task computes: the next one, and one more in case other peers take it first. */
const STAGES_PER_SLOT = 2

/** The inputs of one task. */
export class InputSupply implements Inputs {
  readonly #session: WorkSession<ComputeStore>
  readonly #slots: number
  readonly #entries: SuppliedInput[]
  readonly #split: SuppliedInput | undefined
  readonly #needs: SliceNeeds | null
  readonly #items: ItemInputs
  /** complete commands that wait for their inputs */
  readonly #onWhole: Array<() => void> = []
  readonly #check: InputCheck
  readonly #slices: SliceFetch | null
  #isAllReady = false
  #timer: NodeJS.Timeout | undefined
  #reportTimer: NodeJS.Timeout | undefined
  #isClosed = false
  #isPaused = false

  /** @param session the session whose commands will read them */
  constructor (session: WorkSession<ComputeStore>, torrents: InputTorrents, limits: SupplyLimits) {
    const { slots, maxSliceBytes = Infinity, check = null } = limits
    const { task: { inputs: all = [], root }, scheduler, store } = session
    // commands see the root as `/`, see root-supply.ts
    const inputs = all.filter(({ name }) => name !== root)
    this.#session = session
    this.#slots = slots
    this.#check = new InputCheck(check)
    this.#entries = inputs.map(input => ({
      input, torrent: null, stage: null, close: () => {}, error: null, waits: null, have: 0, since: Date.now(), reported: ''
    }))
    this.#items = new ItemInputs(this.#entries, store, piece => {
      if (piece === null) this.#withdraw()
      else scheduler.setReady(piece, false)
      this.changed()
    })
    this.#split = this.#entries.find(({ input }) => input.split !== undefined)
    const needs = this.#needs = this.#split === undefined ? null : this.#needsOf(this.#split, maxSliceBytes)
    const changed = (): void => { this.#update() }
    const { work } = session
    this.#slices = needs && new SliceFetch({ scheduler, work, clock: systemClock, slices: needs, slots, changed })
    for (const entry of this.#entries) this.#open(entry, torrents)
    store.configure({ inputs: this })
    session.onPlanned(() => { this.changed() })
    session.work.watchInputs(() => this.reach)
    this.changed()
  }

  #needsOf (entry: SuppliedInput, maxBytes: number): SliceNeeds {
    return new SliceNeeds(entry, this.#items, maxBytes, {
      changed: () => { this.changed() },
      refused: err => {
        entry.error ??= err
        this.#report()
      }
    })
  }

  get #pieceCount (): number { return this.#session.task.pieceCount }

  #open (entry: SuppliedInput, torrents: InputTorrents): void {
    const { input } = entry
    if (input.infoHash !== undefined) {
      const events = this.#eventsOf<InputTorrent>(entry, torrent => { entry.torrent = torrent })
      const opened = torrents.open(input, this.#pieceCount, events)
      entry.close = () => { opened.close() }
    } else if (input.task !== undefined) {
      const events = this.#eventsOf<InputStage>(entry, stage => { entry.stage = stage })
      const opened = torrents.openStage(input, this.#pieceCount, events)
      entry.close = () => { opened.close() }
    }
  }

  #eventsOf<Content extends InputContent> (
    entry: SuppliedInput, set: (content: Content | null) => void
  ): InputEvents<Content> {
    const end = (): void => {
      set(null)
      this.#withdraw()
      this.changed()
    }
    return {
      isForCommands: entry.input.split === undefined,
      opened: content => {
        set(content)
        entry.waits = null
        this.changed()
      },
      changed: () => { this.changed() },
      short: err => {
        entry.waits = err
        this.changed()
      },
      lost: err => {
        entry.waits = err
        end()
      },
      failed: err => {
        entry.error = err
        end()
      }
    }
  }

  /** The next pieces may have changed; to be called after each change. */
  changed (): void {
    if (this.#isClosed) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#update()
    }, SETTLE_MS)
  }

  /** The progress of each input, in the task's order. */
  get states (): InputEvent[] { return this.#entries.map(stateOf) }

  /** How the inputs of the pieces stand that are computed only to compare. */
  get reach (): Reach {
    const whole = this.#entries.filter(entry => entry !== this.#split).map(reachOf).filter(reach => reach !== 'here')
    if (whole.length > 0) return whole.includes('absent') ? 'absent' : 'coming'
    if (this.#split === undefined || this.#split.input.data !== undefined) return 'here'
    if (contentOf(this.#split) === null) return reachOf(this.#split)
    const { scheduler } = this.#session
    return this.#needs!.reach([...scheduler.checks.comparisons()].filter(index => !scheduler.isReady(index)))
  }

  /** Downloads nothing until `resume`. */
  pause (): void {
    this.#isPaused = true
    this.#slices?.close()
    for (const { torrent } of this.#entries) torrent?.want([])
  }

  resume (): void {
    this.#isPaused = false
    this.changed()
  }

  close (): void {
    if (this.#isClosed) return
    this.#withdraw()
    this.#isClosed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#reportTimer)
    this.#slices?.close()
    for (const go of this.#onWhole.splice(0)) go()
    for (const { close } of this.#entries) close()
  }

  //  DOWNLOADING

  #update (): void {
    if (this.#isClosed) return
    this.#report()
    if (this.#isPaused) return
    const whole = this.#entries.filter(entry => entry !== this.#split)
    const { scheduler } = this.#session
    const [due] = scheduler.waiting(1) // a stored piece may have to be computed once more
    const isNeeded = scheduler.missing > 0 || due !== undefined || this.#onWhole.length > 0
    for (const entry of whole) contentOf(entry)?.want(isNeeded ? 'all' : [])
    if (!whole.every(isComplete)) return this.#withdraw()
    if (!this.#check.hasPassed) {
      if (isNeeded) this.#check.begin(async () => this.#items.whole(), () => { this.changed() })
      return
    }
    for (const go of this.#onWhole.splice(0)) go()
    if (this.#split === undefined || this.#split.input.data !== undefined) this.#allReady()
    else this.#fetchSlices(this.#split)
  }

  /** The inputs that all pieces need are stored. */
  #allReady (): void {
    if (this.#isAllReady) return
    this.#isAllReady = true
    for (let piece = 0; piece < this.#pieceCount; piece++) this.#session.scheduler.setReady(piece, true)
    this.#session.work.run()
  }

  /** Nothing can be computed for now. */
  #withdraw (): void {
    if (!this.#isAllReady) return
    this.#isAllReady = false
    for (let piece = 0; piece < this.#pieceCount; piece++) this.#session.scheduler.setReady(piece, false)
  }

  #fetchSlices (entry: SuppliedInput): void {
    const content = contentOf(entry)
    if (content === null) return
    const { scheduler } = this.#session
    if (!this.#isAllReady) {
      this.#isAllReady = true
      const groups = this.#needs!.groups(this.#pieceCount)
      if (groups !== null) scheduler.setGroups(groups)
    }
    if (entry.stage === null) content.want(this.#slices!.update())
    else this.#computeSlices(entry.stage)
  }

  /** Another task computes them, and has claims of its own for that: none of ours waits for it. */
  #computeSlices (stage: InputStage): void {
    const { scheduler, work } = this.#session
    const room = Math.min(STAGES_PER_SLOT * this.#slots, Math.max(this.#slots, scheduler.share)) - scheduler.ready
    if (room <= 0) return
    const wanted = new Set<number>()
    let isAnyReady = false
    for (const index of scheduler.waiting(room + this.#needs!.refused)) {
      const lacks = this.#needs!.lacks(index)
      for (const unit of lacks ?? []) wanted.add(unit)
      if (lacks?.length !== 0) continue
      isAnyReady = true
      scheduler.setReady(index, true)
    }
    stage.want(wanted)
    if (!isAnyReady) return
    work.run()
    this.changed()
  }

  #report (): void {
    clearTimeout(this.#reportTimer)
    let isFetching = false
    for (const entry of this.#entries) {
      noteProgress(entry, Date.now())
      const state = stateOf(entry)
      const text = JSON.stringify(state)
      if (text === entry.reported) continue
      entry.reported = text
      isFetching ||= state.state === 'fetching'
      this.#session.reportInput(state)
    }
    if (isFetching) this.#reportTimer = setTimeout(() => { this.#report() }, REPORT_MS).unref()
  }

  //
  // FOR COMMANDS
  //

  /**
   * The inputs of a piece's work item. Rejects with BW_ERR_INPUT if an input is no longer stored, and with errors of
   * the disk.
   */
  async forPiece (piece: number): Promise<Given> {
    return this.#items.forPiece(piece)
  }

  #hasWhole (): boolean { return this.#entries.every(entry => entry === this.#split || isComplete(entry)) }

  /**
   * The inputs of a complete command: those that all pieces see. Waits until they are stored; rejects if the supply is
   * closed, and with the signal's reason.
   */
  async forFile (signal?: AbortSignal): Promise<Given> {
    while (!this.#isClosed && !(this.#check.hasPassed && this.#hasWhole())) {
      signal?.throwIfAborted()
      this.changed()
      await new Promise<void>(resolve => {
        this.#onWhole.push(resolve)
        signal?.addEventListener('abort', () => { resolve() }, { once: true })
      })
    }
    signal?.throwIfAborted()
    if (!this.#check.hasPassed) throw new BitWorkerError('BW_ERR_INPUT', 'system', 'The inputs of the task are not used here.')
    return this.#items.whole()
  }
}

/**
 * Supplies the inputs of one task that is computed here: has the torrents download what the next pieces need, in the
 * order in which they will be computed; tells the scheduler which pieces are ready; and makes the inputs available to
 * each command. The torrents are passed in (`InputTorrents`). Made by compute-control.ts for tasks with inputs.
 */
import { BitWorkerError } from '../base/errors.ts'
import type { InputEvent } from '../session/events.ts'
import type { WorkSession } from '../session/work-session.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import type { Given, Inputs } from '../store/types.ts'
import type { TaskInput, TorrentInput } from '../task/types.ts'
import { InputCheck } from './input-check.ts'
import { ItemInputs, contentOf, isComplete, lacking } from './item-inputs.ts'
import { noteProgress, stateOf, tooMuch } from './supplied-input.ts'
import type { SuppliedInput } from './supplied-input.ts'
import { choosePieces, piecesAhead } from './plan.ts'
import type { WaitingPiece } from './plan.ts'
import { groupOf, tableRange } from './slices.ts'
import type { InputContent, InputEvents, InputStage, InputTorrent, InputTorrents, SupplyLimits } from './supply-types.ts'

/** Changes within this time are processed together. */
const SETTLE_MS = 10
/** Shortest interval between two progress reports. */
const REPORT_MS = 1_000
/** The number of pieces to look beyond that others are about to compute. */
const MAX_DOUBTFUL = 64

/** The inputs of one task. */
export class InputSupply implements Inputs {
  readonly #session: WorkSession<ComputeStore>
  readonly #slots: number
  readonly #maxSliceBytes: number
  readonly #entries: SuppliedInput[]
  readonly #split: SuppliedInput | undefined
  readonly #items: ItemInputs
  readonly #reading = new Set<number>()
  /** pieces that will never be ready: nothing of their slices is downloaded */
  readonly #refused = new Set<number>()
  /** complete commands that wait for their inputs */
  readonly #onWhole: Array<() => void> = []
  readonly #check: InputCheck
  #isAllReady = false
  /** number of commands that were given their slice */
  #started = 0
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
    this.#maxSliceBytes = maxSliceBytes
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
    for (const entry of this.#entries) this.#open(entry, torrents)
    store.configure({ inputs: this })
    session.onPlanned(() => { this.changed() })
    this.changed()
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

  /** Downloads nothing until `resume`. */
  pause (): void {
    this.#isPaused = true
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
    for (const go of this.#onWhole.splice(0)) go()
    for (const { close } of this.#entries) close()
  }

  //  DOWNLOADING

  #update (): void {
    if (this.#isClosed) return
    this.#report()
    if (this.#isPaused) return
    const whole = this.#entries.filter(entry => entry !== this.#split)
    const isNeeded = this.#session.scheduler.missing > 0 || this.#onWhole.length > 0
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
    this.#session.compute()
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
    const { scheduler, paceMs } = this.#session
    if (!this.#isAllReady) {
      this.#isAllReady = true
      if (entry.torrent !== null) scheduler.setGroups(this.#groups(entry.input as TorrentInput, entry.torrent))
    }
    const room = piecesAhead(this.#slots, paceMs, scheduler.share, this.#started) - scheduler.ready
    if (room <= 0) return
    const idle = this.#slots - scheduler.ready
    const { wanted, ready } = choosePieces(this.#waiting(entry, room + MAX_DOUBTFUL), room, idle)
    content.want(wanted)
    for (const piece of ready) scheduler.setReady(piece, true)
    if (ready.length === 0) return
    this.#session.compute()
    this.changed()
  }

  /** The next pieces, as long as they are not refused. */
  * #waiting (entry: SuppliedInput, count: number): Generator<WaitingPiece> {
    const { scheduler } = this.#session
    for (const index of scheduler.waiting(count + this.#refused.size)) {
      if (this.#refused.has(index)) continue
      const lacks = this.#lacks(entry, index)
      const isElsewhere = lacks !== null && this.#isElsewhere(entry, index, lacks)
      yield { index, lacks, doubt: isElsewhere ? 2 : scheduler.isFirst(index) ? 0 : 1 }
    }
  }

  /** Whether another peer is about to compute the piece: it has downloaded part of its slice. */
  #isElsewhere ({ input, torrent }: SuppliedInput, piece: number, lacks: number[]): boolean {
    if (torrent === null || this.#items.knownRange(input as TorrentInput, torrent, piece) === undefined) return false
    return lacks.some(torrentPiece => torrent.isElsewhere(torrentPiece))
  }

  #groups (input: TorrentInput, { layout }: InputTorrent): Uint32Array {
    const pieceCount = this.#pieceCount
    return Uint32Array.from({ length: pieceCount }, (_, piece) => groupOf(input, layout, piece, pieceCount))
  }

  /** The units that a piece still needs; null if this is still being determined, or it needs too much. */
  #lacks ({ input, torrent, stage }: SuppliedInput, piece: number): number[] | null {
    if (this.#refused.has(piece)) return null
    if (stage === null) return this.#lacksOfTorrent(input as TorrentInput, torrent!, piece)
    if (!this.#bounded(input, piece, stage.sliceBytes(piece))) return null
    return stage.has(piece) ? [] : [piece]
  }

  #lacksOfTorrent (input: TorrentInput, torrent: InputTorrent, piece: number): number[] | null {
    const range = this.#items.knownRange(input, torrent, piece)
    if (range !== undefined) {
      return this.#bounded(input, piece, range.end - range.start) ? lacking(torrent, range) : null
    }
    const inTable = lacking(torrent, tableRange(torrent.layout, piece))
    if (inTable.length > 0) return inTable
    this.#readTable(input, torrent, piece)
    return null
  }

  #bounded (input: TaskInput, piece: number, bytes: number): boolean {
    if (bytes <= this.#maxSliceBytes) return true
    this.#refuse(piece, tooMuch(input, bytes))
    return false
  }

  #readTable (input: TorrentInput, torrent: InputTorrent, piece: number): void {
    if (this.#reading.has(piece)) return
    this.#reading.add(piece)
    this.#items.rangeOf(input, torrent, piece).then(() => { this.#reading.delete(piece) }, (err: unknown) => {
      // the table is invalid: the piece is not requested any more
      this.#refuse(piece, err as Error)
    }).finally(() => { this.changed() })
  }

  /** The other pieces are computed. The message is one line, which may stand for all pieces of this kind. */
  #refuse (piece: number, err: Error): void {
    this.#refused.add(piece)
    this.#split!.error ??= err
    this.#report()
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
    const given = await this.#items.forPiece(piece)
    this.#started++
    return given
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

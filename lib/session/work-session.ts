/**
 * One task at work, as torrent.ts and files see it: opened and closed, computing or not, read from. What happens to its
 * pieces is piece-flow.ts's, what is made of them finisher.ts's. WebTorrent's internals are unknown here.
 */
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { BitWorkerError } from '../base/errors.ts'
import type { Wire } from '../base/wire.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import type { Meeting } from '../peers/neighbours.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceStore } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import type { InputEvent, TaskStats } from './events.ts'
import { Finisher } from './finisher.ts'
import { PieceFlow } from './piece-flow.ts'
import { Progress } from './progress.ts'
import { endOfReading } from './session-host.ts'
import type { SessionHost } from './session-host.ts'
import type { SessionParts } from './session-parts.ts'

export type { SessionHost }

/** How often claims that lapsed and peers that only choke us are looked for. */
const HOUSEKEEPING_MS = 10_000

/** One task at work. */
export class WorkSession<Store extends PieceStore = PieceStore> {
  readonly task: Task
  readonly store: Store
  readonly progress: Progress
  readonly #parts: SessionParts<Store>
  readonly #host: SessionHost
  readonly #flow: PieceFlow
  readonly #finisher: Finisher
  #cancelHousekeeping = (): void => {}
  #isClosed = false
  #error: Error | null = null

  constructor (task: Task, parts: SessionParts<Store>, host: SessionHost) {
    this.task = task
    this.store = parts.store
    this.#parts = parts
    this.#host = host
    const progress = this.progress = new Progress(task)
    this.#finisher = new Finisher(task, parts.store, progress, host)
    this.#flow = new PieceFlow(task, parts, host, { progress, finisher: this.#finisher })
    // peers that start together do not do it together
    this.#keepHouse(parts.random() * HOUSEKEEPING_MS)
  }

  #keepHouse (ms: number): void {
    this.#cancelHousekeeping = this.#parts.clock.after(ms, () => {
      // first: whoever hears of what tidying finds may close the session
      this.#keepHouse(HOUSEKEEPING_MS)
      this.#flow.tidy()
    }, { unref: true })
  }

  /** Takes up what the store has on disk. */
  async open (): Promise<void> {
    for (const [index, result] of await this.store.open()) {
      if (this.#isClosed) return
      this.#flow.restored(index, result)
    }
    this.#flow.open()
    this.#finisher.checkAll()
    void this.store.verifyRest()
  }

  /** Ends everything: kills work items, forgets peers. @param error why, unless it was asked for */
  async close (error: Error | null): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#error = error
    this.#cancelHousekeeping()
    await Promise.all([this.#flow.close(), this.#finisher.stop()])
  }

  /** Who has which result. */
  get results (): ResultTable { return this.#flow.results }

  /** Bytes stored or received. */
  get downloadedBytes (): number { return this.progress.tally().bytes + this.#flow.downloads.bufferedBytes }

  stats (): TaskStats {
    const { stored } = this.progress.tally()
    const { scheduler, counts, computing } = this.#flow
    return {
      pieces: this.task.pieceCount,
      stored,
      missing: this.task.pieceCount - stored,
      ...counts,
      running: computing.running,
      claimed: scheduler.claims.size,
      expected: scheduler.deliveries.expected,
      failed: scheduler.givenUp
    }
  }

  /** How long the rest may take, milliseconds; Infinity: nobody knows. */
  get remainingMs (): number {
    if (this.#flow.computing.isStuck || this.#finisher.isOpenEnded) return Infinity
    return Math.max(this.progress.remainingMs(this.#parts.clock.now()), this.#flow.computing.busyMs)
  }

  // COMPUTING

  get computing (): 'off' | 'on' | 'paused' { return this.#flow.computing.state }

  /** Files are complete but for their complete command, which nobody has allowed to run here. */
  get hasUnmergedFiles (): boolean { return this.#finisher.hasUnmerged }

  /** Tells the host once more if all is done: it may not have taken it as such. */
  checkDone (): void { if (this.hasUnmergedFiles) this.#finisher.checkDone() }

  /** Which pieces come next, for whoever provides what they need, and tells it that they are ready. */
  get scheduler (): Scheduler { return this.#flow.scheduler }

  /** What a piece takes here, milliseconds; 0: unknown. */
  get paceMs (): number { return this.#flow.computing.paceMs }

  /** Pieces have become ready. */
  compute (): void { this.#flow.computing.run() }

  /** Tells how far an input is. */
  reportInput (event: InputEvent): void { if (!this.#isClosed) this.#host.report('input', event) }

  /** @param slots work items at a time; none are started while it is paused */
  startComputing (slots: number, isPaused: boolean): void {
    if (this.#isClosed || this.computing !== 'off') return
    this.progress.begin(this.#parts.clock.now())
    this.#flow.computing.start(slots, isPaused)
    this.#finisher.allowCommands()
    this.#flow.computing.run()
  }

  pauseComputing (): void { this.#flow.computing.pause() }

  resumeComputing (): void { this.#flow.computing.resume() }

  /** Kills the work items; resolves when they are gone. */
  async stopComputing (): Promise<void> {
    this.#finisher.forbidCommands()
    await this.#flow.computing.stop()
  }

  // READING

  /** What readers are told when the session is closed. */
  get endReason (): BitWorkerError { return endOfReading(this.#error) }

  /**
   * Resolves when the piece is stored; until then it is fetched or computed before others. Rejects with
   * BW_ERR_DESTROYED.
   */
  async waitFor (index: number): Promise<void> {
    while (!this.results.has(index) && !this.#isClosed) {
      this.urge(index)
      await this.#flow.readers.wait(index)
    }
    if (this.#isClosed) throw this.endReason
  }

  /** Bytes of a stored piece. Rejects when it cannot be read: then it is missing again. */
  async read (index: number, offset: number, length: number): Promise<Uint8Array> {
    return this.store.read(index, offset, length)
  }

  /** Checks every stored piece against its digest again; those that do not match are missing from then on. */
  async rescan (): Promise<void> {
    for (let index = 0; index < this.task.pieceCount && !this.#isClosed; index++) {
      if (this.results.has(index)) await this.store.verify(index)
    }
  }

  /** The piece goes before others from now on, even if the user did not select it. */
  urge (index: number): void { this.#flow.urge(index) }

  /** What the user wants (`select`, `deselect`). Nothing is requested before this was said, after `open`. */
  setWanted (isWanted: (index: number) => boolean): void { this.#flow.setWanted(isWanted) }

  // PEERS

  /** Listens to a peer; what it says may come before `greet`. */
  addPeer (wire: Wire, ext: UtBitworker): void { this.#flow.neighbours.add(wire, ext) }

  /** True when the wire's peer was added. */
  has (wire: Wire): boolean { return this.#flow.neighbours.has(wire) }

  /** The wire is ready for messages and our bitfield was sent: tell the peer what we have and do. */
  greet (wire: Wire): void { this.#flow.neighbours.greet(wire) }

  /** What would be lost if we left now; null: nobody is connected any more. */
  get outstanding (): Outstanding | null { return this.#isClosed ? null : this.#flow.neighbours.handOver.outstanding() }

  /** How far the connected peers have told what they have. */
  get meeting (): Meeting { return this.#flow.neighbours.meeting }
}

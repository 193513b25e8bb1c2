/**
 * One running task, as torrent.ts and files see it: open, compute, read, close. piece-flow.ts handles its pieces,
 * finisher.ts makes its files. Knows nothing of WebTorrent's internals.
 */
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { BitWorkerError } from '../base/errors.ts'
import type { Wire } from '../base/wire.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import type { Meeting } from '../peers/meeting.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceStore } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import type { Verifying } from './attestations.ts'
import type { Computing } from './computing.ts'
import type { PieceState, Policy, VerificationStats } from '../verification/types.ts'
import type { Attester } from './attesters.ts'
import type { InputEvent, TaskStats } from './events.ts'
import { FailureExchange } from './failure-exchange.ts'
import { Finisher } from './finisher.ts'
import { Overview } from './overview.ts'
import { PieceFlow } from './piece-flow.ts'
import { Progress } from './progress.ts'
import { endOfReading, noting } from './session-host.ts'
import type { SessionHost } from './session-host.ts'
import type { SessionParts } from './session-parts.ts'
import type { Hold } from './slots.ts'
import type { JudgeMode } from './verifier.ts'

export type { JudgeMode, SessionHost }
export type { Reach } from './held-results.ts'

/** Interval of the checks for lapsed claims, and for peers that only choke us. */
const HOUSEKEEPING_MS = 10_000

/** The pieces that wait for inputs, as the code sees them that provides the inputs. */
export type Readiness = Pick<
  Scheduler, 'isDue' | 'isFirst' | 'isNeeded' | 'isWaiting' | 'ready' | 'setReady' | 'share' | 'waiting'
>

/** What is computed here, as the code sees it that provides the inputs. */
export type ComputedHere = Pick<
  Computing, 'abort' | 'awaitInputs' | 'claimed' | 'due' | 'dueInMs' | 'isAwaited' | 'paceMs' | 'run' | 'watchInputs'
>

/** One running task. */
export class WorkSession<Store extends PieceStore = PieceStore> {
  readonly task: Task
  readonly store: Store
  readonly progress: Progress
  readonly #parts: SessionParts<Store>
  readonly #host: SessionHost
  readonly #flow: PieceFlow
  readonly #finisher: Finisher
  readonly #failures: FailureExchange
  #cancelHousekeeping = (): void => {}
  #isClosed = false
  #error: Error | null = null

  constructor (task: Task, parts: SessionParts<Store>, owner: SessionHost) {
    this.task = task
    this.store = parts.store
    this.#parts = parts
    const failures = this.#failures = new FailureExchange(parts.clock, failure => {
      if (!this.#isClosed) owner.report('peerFailed', failure)
    })
    const host = this.#host = noting(owner, (event, payload) => { failures.note(event, payload) })
    const progress = this.progress = new Progress(task)
    this.#finisher = new Finisher(task, parts, progress, host, file => this.#flow.believing.held.mayFinish(file))
    this.#flow = new PieceFlow(task, parts, host, { progress, finisher: this.#finisher })
    const { results, scheduler, believing, neighbours } = this.#flow
    this.overview = new Overview({ results, scheduler, believing, neighbours, clock: parts.clock })
    // a random phase, so that peers that start together do not do this at the same time
    this.#keepHouse(parts.random() * HOUSEKEEPING_MS)
  }

  #keepHouse (ms: number): void {
    this.#cancelHousekeeping = this.#parts.clock.after(ms, () => {
      // first, because a listener may close the session
      this.#keepHouse(HOUSEKEEPING_MS)
      this.#flow.tidy()
    }, { unref: true })
  }

  /** Loads the pieces that the store has on disk. */
  async open (): Promise<void> {
    for (const [index, result] of await this.store.open()) {
      if (this.#isClosed) return
      this.#flow.restored(index, result)
    }
    this.#flow.open()
    this.#finisher.checkAll()
    void this.store.verifyRest()
  }

  /** Ends everything: kills work items, forgets peers. @param error the reason, unless the user asked for it */
  async close (error: Error | null): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#error = error
    this.#cancelHousekeeping()
    await Promise.all([this.#flow.close(), this.#finisher.stop()])
    this.#host.ended()
  }

  /** Which peer has which result. */
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

  /** The estimated time left, milliseconds; Infinity if unknown. */
  get remainingMs (): number {
    if (this.#flow.computing.isStuck || this.#finisher.isOpenEnded) return Infinity
    return Math.max(this.progress.remainingMs(this.#parts.clock.now()), this.#flow.computing.busyMs)
  }

  /**
   * How results are verified from now on; at first, not at all. What was computed, judged and found out so far stays
   * known. undefined: everything is accepted, unless it must be judged.
   * @param judging by the task's verify command
   */
  setPolicy (verifying: Verifying | undefined, judging: JudgeMode): void {
    if (this.#isClosed) return
    const { believing, vetting } = this.#flow
    believing.setPolicy(verifying, vetting.verifier.isRequired)
    vetting.setJudging(judging)
  }

  /** False if the results of this task differ from run to run, as it says or as was found out here. */
  get isComparable (): boolean { return this.#flow.believing.own.comparison !== 'none' }

  /** What is known of the results; null: they are not verified, or not any more. */
  get verification (): VerificationStats | null { return this.#flow.believing.verification?.stats() ?? null }

  /** The policy that holds; null: results are not verified, or not any more. */
  get policy (): Policy | null { return this.#flow.believing.verification?.policy ?? null }

  /** How the stored result of a piece is accepted; null: results are not verified. */
  standing (index: number): PieceState | null { return this.#flow.believing.verification?.stateOf(index) ?? null }

  /** Who attests the stored result of a piece. */
  attestersOf (index: number): Attester[] { return this.#flow.believing.attestersOf(index) }

  /** The pieces and peers, for people. */
  readonly overview: Overview

  /** A piece that was given up here is computed here again. */
  retry (index: number): void {
    const { scheduler } = this.#flow
    scheduler.failures.forget(index)
    scheduler.update(index)
    this.#flow.computing.run()
  }

  // COMPUTING

  /** Number of work items at a time; 0: nothing is computed. */
  get slots (): number { return this.#flow.computing.slots }

  set slots (count: number) { this.#flow.computing.slots = count }

  get computing (): 'off' | 'on' | 'paused' { return this.#flow.computing.state }

  /** True if files lack only their complete command, which is not allowed to run here. */
  get hasUnmergedFiles (): boolean { return this.#finisher.hasUnmerged }

  /** Tells the host again if everything is done: it may have ignored the first call. */
  checkDone (): void { if (this.hasUnmergedFiles) this.#finisher.checkDone() }

  /** The choice of the next pieces, for the code that provides their inputs and reports when they are ready. */
  get scheduler (): Scheduler { return this.#flow.scheduler }

  /** What is computed here, for the same code. */
  get work (): ComputedHere { return this.#flow.computing }

  /** Calls `listener` after every change of the next pieces to be computed. */
  onPlanned (listener: () => void): void { this.#flow.computing.onPlanned(listener) }

  /** Reports the progress of an input. */
  reportInput (event: InputEvent): void { if (!this.#isClosed) this.#host.report('input', event) }

  /** Whether commands will be allowed to run: results that could be judged wait for that. */
  expectComputing (isExpected: boolean): void {
    this.#flow.believing.held.setComputing(isExpected || this.computing !== 'off')
    if (isExpected) this.#flow.vetting.expect()
    else if (this.computing === 'off') this.#flow.vetting.verifier.stop()
  }

  /**
   * @param slots number of work items at a time; none starts with a `hold`
   * @param only the other pieces are left to other peers, as if they had been given up; default: all are computed
   */
  startComputing (slots: number, hold: Hold | null, only?: ReadonlySet<number>): void {
    if (this.#isClosed || this.computing !== 'off') return
    if (only !== undefined) this.#leaveAllBut(only)
    this.progress.begin(this.#parts.clock.now())
    this.#flow.computing.start(slots, hold)
    this.#flow.believing.held.setComputing(true)
    this.#flow.vetting.start(slots, hold === 'suspend')
    this.#flow.believing.own.comparer?.start(slots, hold === 'suspend')
    this.#finisher.allowCommands()
    this.#flow.computing.run()
  }

  #leaveAllBut (pieces: ReadonlySet<number>): void {
    const { scheduler } = this.#flow
    for (let index = 0; index < this.task.pieceCount; index++) {
      if (scheduler.isMissing(index) && !pieces.has(index)) scheduler.fail(index, true)
    }
  }

  pauseComputing (hold: Hold = 'suspend'): void {
    this.#flow.computing.pause(hold)
    // what the running ones print is judged as well
    const then = hold === 'suspend' ? 'pause' : 'resume'
    this.#flow.vetting.verifier[then]()
    this.#flow.believing.own.comparer?.[then]()
  }

  resumeComputing (): void {
    this.#flow.computing.resume()
    this.#flow.vetting.verifier.resume()
    this.#flow.believing.own.comparer?.resume()
  }

  /** Kills the work items. Resolves when they have ended. */
  async stopComputing (): Promise<void> {
    this.#finisher.forbidCommands()
    this.#flow.vetting.verifier.stop()
    this.#flow.believing.own.comparer?.stop()
    const stopping = this.#flow.computing.stop()
    this.#flow.believing.held.setComputing(false)
    this.#flow.readers.wakeAll() // no second look comes from here
    await stopping
  }

  // READING

  /** The error for readers when the session is closed. */
  get endReason (): BitWorkerError { return endOfReading(this.#error) }

  /**
   * Resolves when the piece is stored, and its result accepted; until then, it is downloaded or computed before
   * others. Rejects with BW_ERR_DESTROYED.
   */
  async waitFor (index: number): Promise<void> {
    while (!this.#flow.isReadable(index) && !this.#isClosed) {
      this.urge(index)
      await this.#flow.readers.wait(index)
    }
    if (this.#isClosed) throw this.endReason
  }

  /** Reads bytes of a stored piece. Rejects if they cannot be read; the piece is then missing again. */
  async read (index: number, offset: number, length: number): Promise<Uint8Array> {
    return this.store.read(index, offset, length)
  }

  /**
   * Checks every stored piece against its digest, and the finished files. Pieces that do not match become missing, and
   * other files are made again.
   */
  async rescan (): Promise<void> {
    for (let index = 0; index < this.task.pieceCount && !this.#isClosed; index++) {
      if (this.results.has(index)) await this.store.verify(index)
    }
    await this.#finisher.recheck()
  }

  /** The piece goes before others from now on, even if the user did not select it. */
  urge (index: number): void { this.#flow.urge(index) }

  /** Sets the user's selection (`select`, `deselect`). After `open`, nothing is requested before the first call. */
  setWanted (isWanted: (index: number) => boolean): void { this.#flow.setWanted(isWanted) }

  // PEERS

  /** Listens to a peer. Its messages may arrive before `greet`. */
  addPeer (wire: Wire, ext: UtBitworker): void {
    this.#flow.neighbours.add(wire, ext)
    this.#failures.add(wire, ext)
  }

  /** True if the wire's peer was added. */
  has (wire: Wire): boolean { return this.#flow.neighbours.has(wire) }

  /** Calls `run` when the wire's peer may be served: it need not show anything, or has shown that it is a member. */
  onceAdmitted (wire: Wire, run: () => void): void { this.#flow.neighbours.onceAdmitted(wire, run) }

  /** The wire is ready for messages, and our bitfield was sent: tells the peer what we have and compute. */
  greet (wire: Wire): void { this.#flow.neighbours.greet(wire) }

  /** See PieceFlow. */
  agree (): number { return this.#isClosed ? 0 : this.#flow.agree() }

  /** The finished files are this ordinary torrent: tells the peers; null: no longer. */
  seal (infoHash: string | null): void { this.#flow.neighbours.seal(infoHash) }

  /** What would be lost if we left now; null if the session is closed. */
  get outstanding (): Outstanding | null { return this.#isClosed ? null : this.#flow.neighbours.handOver.outstanding() }

  /** How far the connected peers have announced their pieces. */
  get meeting (): Meeting { return this.#flow.neighbours.meeting }
}

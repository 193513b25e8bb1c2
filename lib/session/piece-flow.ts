/**
 * What happens to the pieces of one task: announced, fetched, computed, stored, told, lost. Joins the peers, the
 * downloads and the slots: it is the host of all three, so that what one finds out reaches the others by one call.
 * Owned by work-session.ts.
 */
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { hexOf } from '../base/digest.ts'
import { CommandError } from '../base/errors.ts'
import type { DownloadHost, DownloadSink } from '../download/download-host.ts'
import { WireDownloads } from '../download/downloads.ts'
import type { Downloads } from '../download/downloads.ts'
import { Neighbours } from '../peers/neighbours.ts'
import type { NeighbourHost, Respond } from '../peers/neighbours.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import { ResultTable } from '../results/result-table.ts'
import type { Claim } from '../scheduling/claim.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Generated, Generation, PieceStore } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import { ComputeSlots } from './compute-slots.ts'
import type { ComputeSlotsHost } from './compute-slots.ts'
import { pieceResult } from './events.ts'
import type { Finisher } from './finisher.ts'
import type { Progress } from './progress.ts'
import { PieceReaders } from './readers.ts'
import type { SessionHost } from './session-host.ts'
import { schedulerOf } from './session-parts.ts'
import type { SessionParts } from './session-parts.ts'
import { WorkReports } from './work-reports.ts'

/** Those who follow what is stored. */
export interface Followers { progress: Progress, finisher: Finisher }

/** The pieces of one task. */
export class PieceFlow implements NeighbourHost, DownloadHost, ComputeSlotsHost {
  readonly results: ResultTable
  readonly scheduler: Scheduler
  readonly neighbours: Neighbours
  readonly downloads: Downloads
  /** those who wait for pieces that are not stored yet */
  readonly readers = new PieceReaders()
  readonly counts = { computed: 0, downloaded: 0 }
  readonly #host: SessionHost
  readonly #progress: Progress
  readonly #finisher: Finisher
  readonly #parts: SessionParts
  readonly #store: PieceStore
  /** downloaded pieces on their way to disk */
  readonly #storing = new Set<number>()
  #slots: ComputeSlots | null = null
  #reports: WorkReports | null = null
  /** of each piece that is computed: work items of a round that was stopped may end in the next one */
  readonly #reportsOf = new Map<number, WorkReports>()
  #isStuck = false
  #isOpen = false
  #isClosed = false

  constructor ({ pieceCount }: Task, parts: SessionParts, host: SessionHost, { progress, finisher }: Followers) {
    this.#host = host
    this.#progress = progress
    this.#finisher = finisher
    this.#parts = parts
    this.#store = parts.store
    this.results = new ResultTable(pieceCount)
    this.scheduler = schedulerOf(parts, {
      pieceCount,
      peerId: hexOf(host.peerId),
      overdue: () => {
        this.downloads.reassign()
      }
    })
    this.neighbours = new Neighbours(this.results, this.scheduler, this)
    this.downloads = parts.createDownloads?.(this) ?? new WireDownloads(this)
    parts.store.onLost(index => { this.#onLost(index) })
  }

  /** A piece that an earlier run left. */
  restored (index: number, result: Result): void {
    this.#settle(index, result)
    this.#progress.add(index, result.size)
    this.#host.stored(index)
  }

  /** All that earlier runs left is known. */
  open (): void {
    this.#isOpen = true
    this.readers.wakeAll()
  }

  async close (): Promise<void> {
    this.#isClosed = true
    this.downloads.close()
    this.neighbours.close()
    this.readers.wakeAll()
    await this.#slots?.stop()
  }

  /** To be called every few seconds. */
  tidy (): void {
    this.neighbours.tidy()
    this.scheduler.deliveries.expire()
    this.downloads.hasten()
  }

  /** The piece goes before others from now on, even if the user did not select it. */
  urge (index: number): void {
    if (!this.scheduler.isMissing(index) || this.scheduler.isUrgent(index)) return
    this.scheduler.setUrgent(index, true)
    this.neighbours.offerAgain(index)
    this.#updateAll()
  }

  /** What the user wants. Nothing is requested before this was said. */
  setWanted (isWanted: (index: number) => boolean): void {
    for (let index = 0; index < this.results.pieceCount; index++) {
      const wasWanted = this.scheduler.isWanted(index)
      this.scheduler.setWanted(index, isWanted(index))
      if (!wasWanted && this.scheduler.isWanted(index)) this.neighbours.offerAgain(index)
    }
    this.downloads.open()
    this.#updateAll()
  }

  #updateAll (): void {
    for (const peer of this.neighbours) this.updated(peer)
    this.#slots?.run()
  }

  //
  // COMPUTING
  //

  get computing (): 'off' | 'on' | 'paused' {
    const state = this.#slots?.state ?? 'stopped'
    return state === 'stopped' ? 'off' : state
  }

  /** Work items that were reported to have begun, and not to have ended. */
  get running (): number { return this.#reports?.running ?? 0 }

  /** Everything that is missing has failed here, and nobody has it. */
  get isStuck (): boolean { return this.#isStuck }

  /** @param slots work items at a time; none are started while it is paused */
  startComputing (slots: number, isPaused: boolean): void {
    this.#reports = new WorkReports(slots, this.#host)
    this.#slots = new ComputeSlots(this.scheduler, this, { slots, clock: this.clock })
    if (isPaused) this.#slots.pause()
    this.#finisher.allowCommands()
    this.#slots.run()
  }

  pauseComputing (): void { this.#slots?.pause() }

  resumeComputing (): void { this.#slots?.resume() }

  /** Kills the work items; resolves when they are gone. */
  async stopComputing (): Promise<void> {
    await this.#slots?.stop()
    this.#slots?.run() // if it was started again meanwhile: what has just ended may be computed
  }

  generate (index: number): Generation { return this.#store.generate(index) }

  started (index: number): void {
    const reports = this.#reports!
    this.#reportsOf.set(index, reports)
    reports.begun(index)
  }

  claim (claims: ClaimRecord[], opts: { isBackup: boolean }): void { this.neighbours.claim(claims, opts) }

  release (indices: number[]): void { this.neighbours.release(indices) }

  computed (index: number, result: Result, run: Pick<Generated, 'ms' | 'stderr'>): void {
    if (this.#isClosed || this.results.has(index)) return this.aborted(index, 'it was downloaded')
    this.counts.computed++
    this.downloads.cancel(index)
    this.#ended(index).computed(index, result, run)
    this.#onStored(index, result)
  }

  failed (index: number, err: Error, final: boolean): void {
    const reports = this.#ended(index)
    // nothing here can be computed: the command is not to blame
    if (!(err instanceof CommandError) || err.code === 'BW_ERR_NO_SHELL') return this.#host.broken(err)
    if (reports.failed(index, err, final, () => this.results.hasAny)) void this.#slots?.stop()
  }

  aborted (index: number, reason: string): void { this.#ended(index).aborted(index, reason) }

  #ended (index: number): WorkReports {
    const reports = this.#reportsOf.get(index)!
    this.#reportsOf.delete(index)
    return reports
  }

  idle (): void {
    if (this.scheduler.running === 0) this.downloads.hurry()
    const pieces = this.#isOpen ? this.scheduler.hopeless() : []
    if (pieces.length > 0 && !this.#isStuck) this.#host.report('stuck', { pieces })
    this.#isStuck = pieces.length > 0
  }

  //
  // PEERS
  //

  get clock (): Clock { return this.#parts.clock }

  get peerId (): Uint8Array { return this.#host.peerId }

  claims (opts: { isBackup: boolean }): ClaimRecord[] { return this.#slots?.claims(opts) ?? [] }

  available (peer: TaskPeer, index: number): void {
    // whoever has delivered nothing, or not enough for this piece, must not be able to end our work by a word
    if (peer.hasDelivered && this.scheduler.deliveries.isExpectedFrom(peer.holder, index)) {
      this.#slots?.abort(index, 'another peer has it')
    }
    this.downloads.offer(peer, index)
  }

  yield (index: number, other: Claim): void { this.#slots?.yieldTo(index, other) }

  /** Something about the peer changed: request what it has, compute what nobody has. */
  updated (peer: TaskPeer): void {
    if (this.#isClosed) return
    this.scheduler.deliveries.expire()
    if (this.downloads.isAwaited(peer)) peer.wire.interested()
    this.#slots?.run()
    this.downloads.consider(peer)
  }

  left (peer: TaskPeer): void {
    this.downloads.removePeer(peer)
    this.#slots?.run()
  }

  wants (peer: TaskPeer): boolean { return this.downloads.needs(peer) }

  serve (index: number, offset: number, length: number, respond: Respond): void {
    this.#store.get(index, { offset, length }, respond)
  }

  strike ({ name }: TaskPeer, reason: string): void { this.#host.report('strike', { peer: name, reason }) }

  ban ({ wire, name, ext }: TaskPeer, reason: string): void {
    this.#host.report('ban', { peer: name, reason })
    this.#host.ban(wire)
    // not wire.destroy(), which still takes in what the wire has buffered
    ext.close()
  }

  //
  // DOWNLOADS
  //

  get peers (): Iterable<TaskPeer> { return this.neighbours }

  get deliveries (): Scheduler['deliveries'] { return this.scheduler.deliveries }

  get random (): () => number { return this.#parts.random }

  get busyMs (): number { return this.#slots?.busyMs ?? 0 }

  needs (index: number): boolean {
    return this.scheduler.isMissing(index) && this.scheduler.isWanted(index) && !this.#storing.has(index)
  }

  isUrgent (index: number): boolean { return this.scheduler.isUrgent(index) }

  receive (index: number, size: number): DownloadSink { return this.#store.receive(index, size) }

  distrust (peer: TaskPeer, index: number, reason: string): void {
    this.neighbours.distrust(peer, index, reason)
    this.#slots?.run()
  }

  broken (err: Error): void { if (!this.#isClosed) this.#host.broken(err) }

  async downloaded (
    index: number, result: Result, sink: Pick<DownloadSink, 'commit'>, peers: Iterable<TaskPeer>
  ): Promise<void> {
    const sources = [...peers]
    if (result.size > 0) for (const peer of sources) this.neighbours.delivered(peer, result.size / sources.length)
    this.#slots?.abort(index, 'it was downloaded')
    if (this.results.has(index)) return // computed meanwhile
    this.#storing.add(index)
    let stored: Result
    try {
      // if a work item here was faster, what it stored stays
      stored = await sink.commit(result)
    } catch (err) {
      this.#host.broken(err as Error)
      return
    } finally {
      this.#storing.delete(index)
    }
    // a work item that was faster tells what it stored itself
    if (this.#isClosed || this.results.has(index) || !sameResult(stored, result)) return
    this.counts.downloaded++
    this.#host.report('downloaded', pieceResult(index, stored))
    this.#onStored(index, stored, peers)
  }

  //
  // STORED AND LOST
  //

  #onStored (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    this.#settle(index, result)
    this.#progress.add(index, result.size, this.clock.now())
    this.#host.stored(index)
    this.neighbours.announce(index, result, sources)
    if (this.scheduler.missing === 0) this.neighbours.loseInterest()
    this.readers.wake(index)
    this.#finisher.check(index)
  }

  /** Own result and nothing to compute or to wait for any more. */
  #settle (index: number, result: Result): void {
    this.results.setOwn(index, result)
    this.scheduler.setMissing(index, false)
    this.scheduler.setUrgent(index, false)
  }

  /** A stored piece is gone or damaged: fetch or compute it again. */
  #onLost (index: number): void {
    const size = this.results.ownSize(index)
    if (size === undefined || this.#isClosed) return
    this.results.setOwn(index, undefined)
    this.#progress.remove(index, size)
    this.scheduler.setMissing(index, true)
    this.#host.lost(index)
    this.#finisher.reopen(index)
    this.neighbours.withdraw(index)
    this.neighbours.offerAgain(index)
    this.#updateAll()
  }
}

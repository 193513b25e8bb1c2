/**
 * The conductor of one task: connects what peers announce, what is stored, what is downloaded and what is computed.
 *
 * It decides nothing itself: neighbours.ts talks with the peers, result-table.ts knows who has which result, scheduler.ts what
 * to compute, downloader.ts what to fetch from whom, compute-slots.ts keeps the slots busy, compute-store.ts keeps the pieces,
 * finisher.ts makes files of them. torrent.ts owns a session and is its `SessionHost`; WebTorrent's internals are unknown here.
 */
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { systemClock } from '../base/clock.ts'
import { CommandError } from '../base/errors.ts'
import type { BitWorkerError } from '../base/errors.ts'
import type { Wire } from '../base/wire.ts'
import type { DownloadSink } from '../download/download-host.ts'
import { Downloader } from '../download/downloader.ts'
import { RequestDelay } from '../download/request-delay.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import { Neighbours } from '../peers/neighbours.ts'
import type { Meeting } from '../peers/neighbours.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import { sameResult } from '../results/result.ts'
import { ResultTable } from '../results/result-table.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import type { Task } from '../task/task.ts'
import { ComputeSlots } from './compute-slots.ts'
import { pieceResult } from './events.ts'
import type { ComputedEvent, TaskStats } from './events.ts'
import { Finisher } from './finisher.ts'
import { OwnScheduler } from './own-scheduler.ts'
import { Progress } from './progress.ts'
import { PieceReaders } from './readers.ts'
import { endOfReading } from './session-host.ts'
import type { SessionHost } from './session-host.ts'
import { WorkReports } from './work-reports.ts'

/** How often claims that lapsed and peers that only choke us are looked for. */
const HOUSEKEEPING_MS = 10_000

/** One task at work. */
export class WorkSession {
  readonly task: Task
  readonly store: ComputeStore
  readonly results: ResultTable
  readonly scheduler: OwnScheduler
  readonly progress: Progress
  readonly #host: SessionHost
  readonly #downloader: Downloader
  readonly #requestDelay: RequestDelay
  readonly #finisher: Finisher
  readonly #neighbours: Neighbours
  readonly #housekeeping: NodeJS.Timeout
  /** downloaded pieces on their way to disk */
  readonly #storing = new Set<number>()
  /** readers of pieces that are not stored yet */
  readonly #readers = new PieceReaders()
  #slots: ComputeSlots | null = null
  #reports: WorkReports | null = null
  #counts = { computed: 0, downloaded: 0 }
  #isStuck = false
  #isOpen = false
  #isClosed = false
  #error: Error | null = null

  constructor (task: Task, store: ComputeStore, host: SessionHost) {
    this.task = task
    this.store = store
    this.#host = host
    this.results = new ResultTable(task.pieceCount)
    const overdue = (): void => { this.#downloader.reassign() }
    this.scheduler = new OwnScheduler({ pieceCount: task.pieceCount, peerId: host.peerId, overdue })
    this.progress = new Progress(task)
    this.#finisher = this.#createFinisher()
    this.#neighbours = this.#createNeighbours()
    this.#downloader = this.#createDownloader()
    this.#requestDelay = this.#createRequestDelay()
    store.on('lost', index => { this.#onLost(index) })
    this.#housekeeping = setInterval(() => {
      this.#neighbours.tidy()
      this.scheduler.deliveries.expire()
      this.#downloader.hasten()
    }, HOUSEKEEPING_MS).unref()
  }

  #createFinisher (): Finisher {
    const host = this.#host
    return new Finisher(this.task, this.store, {
      isComplete: file => this.progress.fraction(file) === 1,
      completing: file => { host.report('completing', { file }) },
      finished: (file, finished) => { host.fileFinished(file, finished) },
      failed: failure => { host.report('failed', failure) },
      done: () => { host.done() },
      stuck: () => { host.report('stuck', { pieces: [] }) },
      broken: err => { host.broken(err) }
    })
  }

  #createNeighbours (): Neighbours {
    const host = this.#host
    return new Neighbours(this.results, this.scheduler, {
      clock: systemClock,
      peerId: host.peerId,
      claims: opts => this.#slots?.claims(opts) ?? [],
      available: (peer, index) => {
        // whoever has delivered nothing, or not enough for this piece, must not be able to end our work by a word
        if (peer.hasDelivered && this.scheduler.deliveries.isExpectedFrom(peer.holder, index)) this.#slots?.abort(index, 'another peer has it')
        this.#downloader.offer(peer, index)
      },
      yield: (index, other) => { this.#slots?.yieldTo(index, other) },
      updated: peer => { this.#update(peer) },
      left: peer => {
        this.#downloader.removePeer(peer)
        this.#slots?.run()
      },
      wants: peer => [peer.urgent, peer.queue].some(queue => queue.some(index => this.#needs(index))),
      serve: (index, offset, length, respond) => { this.store.get(index, { offset, length }, respond) },
      strike: ({ name }, reason) => { host.report('strike', { peer: name, reason }) },
      ban: ({ wire, name, ext }, reason) => {
        host.report('ban', { peer: name, reason })
        host.ban(wire)
        // not wire.destroy(), which still takes in what the wire has buffered
        ext.close()
      }
    })
  }

  #createRequestDelay (): RequestDelay {
    return new RequestDelay({
      clock: systemClock,
      random: Math.random,
      busyMs: () => this.#slots?.busyMs ?? 0,
      fetch: peer => { this.#downloader.requestMore(peer) }
    })
  }

  #createDownloader (): Downloader {
    return new Downloader({
      needs: index => this.#needs(index),
      isUrgent: index => this.scheduler.isUrgent(index),
      peers: this.#neighbours,
      receive: (index, size) => this.store.receive(index, size),
      store: (index, result, sink, peers) => this.#storeDownloaded(index, result, sink, peers),
      broken: err => { if (!this.#isClosed) this.#host.broken(err) },
      deliveries: this.scheduler.deliveries,
      distrust: (peer, index, reason) => {
        this.#neighbours.distrust(peer, index, reason)
        this.#slots?.run()
      }
    })
  }

  #needs (index: number): boolean {
    return this.scheduler.isMissing(index) && this.scheduler.isWanted(index) && !this.#storing.has(index)
  }

  /** Takes up what the store has on disk. */
  async open (): Promise<void> {
    for (const [index, result] of await this.store.open()) {
      if (this.#isClosed) return
      this.#settle(index, result)
      this.progress.add(index, result.size)
      this.#host.stored(index)
    }
    this.#isOpen = true
    this.#readers.wakeAll()
    this.#finisher.checkAll()
    void this.store.verifyRest()
  }

  /** Ends everything: kills work items, forgets peers. @param error why, unless it was asked for */
  async close (error: Error | null): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#error = error
    clearInterval(this.#housekeeping)
    this.scheduler.close()
    this.#downloader.close()
    this.#neighbours.close()
    this.#requestDelay.close()
    this.#readers.wakeAll()
    await Promise.all([this.#slots?.stop(), this.#finisher.stop()])
  }

  /** Bytes stored or received. */
  get downloadedBytes (): number { return this.progress.tally().bytes + this.#downloader.bufferedBytes }

  stats (): TaskStats {
    const { stored } = this.progress.tally()
    return {
      pieces: this.task.pieceCount,
      stored,
      missing: this.task.pieceCount - stored,
      ...this.#counts,
      running: this.#reports?.running ?? 0,
      claimed: this.scheduler.claims.size,
      expected: this.scheduler.deliveries.expected,
      failed: this.scheduler.givenUp
    }
  }

  /** How long the rest may take, milliseconds; Infinity: nobody knows. */
  get remainingMs (): number {
    if (this.#isStuck || this.#finisher.isOpenEnded) return Infinity
    return Math.max(this.progress.remainingMs(performance.now()), this.#slots?.busyMs ?? 0)
  }

  // COMPUTING

  get computing (): 'off' | 'on' | 'paused' {
    const state = this.#slots?.state ?? 'stopped'
    return state === 'stopped' ? 'off' : state
  }

  /** Files are complete but for their complete command, which nobody has allowed to run here. */
  get hasUnmergedFiles (): boolean { return this.#finisher.hasUnmerged }

  /** @param slots work items at a time; none are started while it is paused */
  startComputing (slots: number, isPaused: boolean): void {
    if (this.#isClosed || this.computing !== 'off') return
    this.progress.begin(performance.now())
    const reports = this.#reports = new WorkReports(slots, this.#host)
    this.#slots = new ComputeSlots(this.scheduler, {
      generate: index => this.store.generate(index),
      started: piece => { reports.begun(piece) },
      claim: (claims, opts) => { this.#neighbours.claim(claims, opts) },
      release: indices => { this.#neighbours.release(indices) },
      computed: (index, result, run) => { this.#onComputed(index, result, run, reports) },
      failed: (index, err, final) => { this.#onFailed(index, err, final, reports) },
      aborted: (piece, reason) => { reports.aborted(piece, reason) },
      idle: () => { this.#onIdle() }
    }, { slots, clock: systemClock })
    if (isPaused) this.#slots.pause()
    this.#finisher.allowCommands()
    this.#slots.run()
  }

  pauseComputing (): void { this.#slots?.pause() }

  resumeComputing (): void { this.#slots?.resume() }

  /** Kills the work items; resolves when they are gone. */
  async stopComputing (): Promise<void> {
    this.#finisher.forbidCommands()
    await this.#slots?.stop()
    this.#slots?.run() // if it was started again meanwhile: what has just ended may be computed
  }

  // READING

  /** What readers are told when the session is closed. */
  get endReason (): BitWorkerError { return endOfReading(this.#error) }

  /** Resolves when the piece is stored; until then it is fetched or computed before others. Rejects with BW_ERR_DESTROYED. */
  async waitFor (index: number): Promise<void> {
    while (!this.results.has(index) && !this.#isClosed) {
      this.urge(index)
      await this.#readers.wait(index)
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
  urge (index: number): void {
    if (!this.scheduler.isMissing(index) || this.scheduler.isUrgent(index)) return
    this.scheduler.setUrgent(index, true)
    this.#neighbours.offerAgain(index)
    for (const peer of this.#neighbours) this.#update(peer)
    this.#slots?.run()
  }

  /** What the user wants (`select`, `deselect`). Nothing is requested before this was said, after `open`. */
  setWanted (isWanted: (index: number) => boolean): void {
    for (let index = 0; index < this.task.pieceCount; index++) {
      const wasWanted = this.scheduler.isWanted(index)
      this.scheduler.setWanted(index, isWanted(index))
      if (!wasWanted && this.scheduler.isWanted(index)) this.#neighbours.offerAgain(index)
    }
    this.#downloader.open()
    for (const peer of this.#neighbours) this.#update(peer)
    this.#slots?.run()
  }

  // PEERS

  /** Listens to a peer; what it says may come before `greet`. */
  addPeer (wire: Wire, ext: UtBitworker): void { this.#neighbours.add(wire, ext) }

  /** True when the wire's peer was added. */
  has (wire: Wire): boolean { return this.#neighbours.has(wire) }

  /** The wire is ready for messages and our bitfield was sent: tell the peer what we have and do. */
  greet (wire: Wire): void { this.#neighbours.greet(wire) }

  /** What would be lost if we left now; null: nobody is connected any more. */
  get outstanding (): Outstanding | null { return this.#isClosed ? null : this.#neighbours.handOver.outstanding() }

  /** How far the connected peers have told what they have. */
  get meeting (): Meeting { return this.#neighbours.meeting }

  // PIECES

  async #storeDownloaded (index: number, result: Result, sink: DownloadSink, peers: Iterable<TaskPeer>): Promise<void> {
    const sources = [...peers]
    if (result.size > 0) for (const peer of sources) this.#neighbours.delivered(peer, result.size / sources.length)
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
    this.#counts.downloaded++
    this.#host.report('downloaded', pieceResult(index, stored))
    this.#onStored(index, stored, peers)
  }

  #onComputed (index: number, result: Result, run: Pick<ComputedEvent, 'ms' | 'stderr'>, reports: WorkReports): void {
    if (this.#isClosed || this.results.has(index)) return reports.aborted(index, 'it was downloaded')
    this.#counts.computed++
    this.#downloader.cancel(index)
    reports.computed(index, result, run)
    this.#onStored(index, result)
  }

  #onFailed (index: number, err: Error, final: boolean, reports: WorkReports): void {
    // nothing here can be computed: the command is not to blame
    if (!(err instanceof CommandError) || err.code === 'BW_ERR_NO_SHELL') return this.#host.broken(err)
    if (reports.failed(index, err, final, () => this.results.hasAny)) void this.#slots?.stop()
  }

  #onStored (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    this.#settle(index, result)
    this.progress.add(index, result.size, performance.now())
    this.#host.stored(index)
    this.#neighbours.announce(index, result, sources)
    if (this.scheduler.missing === 0) this.#neighbours.loseInterest()
    this.#readers.wake(index)
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
    this.progress.remove(index, size)
    this.scheduler.setMissing(index, true)
    this.#host.lost(index)
    this.#finisher.reopen(index)
    this.#neighbours.withdraw(index)
    this.#neighbours.offerAgain(index)
    for (const peer of this.#neighbours) this.#update(peer)
    this.#slots?.run()
  }

  /** Something about the peer changed: request what it has, compute what nobody has. */
  #update (peer: TaskPeer): void {
    if (this.#isClosed) return
    this.scheduler.deliveries.expire()
    if (peer.isAwaited) peer.wire.interested()
    this.#slots?.run()
    this.#requestDelay.consider(peer)
  }

  #onIdle (): void {
    if (this.scheduler.running === 0) this.#requestDelay.hurry()
    const pieces = this.#isOpen ? this.scheduler.hopeless() : []
    if (pieces.length > 0 && !this.#isStuck) this.#host.report('stuck', { pieces })
    this.#isStuck = pieces.length > 0
  }
}

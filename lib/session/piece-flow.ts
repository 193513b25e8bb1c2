/**
 * The flow of one task's pieces: announced, downloaded, computed, stored, lost. Connects peers, downloads and
 * computing, so that each learns in one call what another has found out. Owned by work-session.ts.
 */
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { DownloadHost, IncomingDraft } from '../download/download-host.ts'
import { WireDownloads } from '../download/downloads.ts'
import type { Downloads } from '../download/downloads.ts'
import { Neighbours } from '../peers/neighbours.ts'
import type { NeighbourHost } from '../peers/neighbours.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import { ResultTable } from '../results/result-table.ts'
import type { Claim } from '../scheduling/claim.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Task } from '../task/task.ts'
import { Agreement } from './agreement.ts'
import { Arrivals } from './arrivals.ts'
import { Believing } from './believing.ts'
import { Computing } from './computing.ts'
import type { Finisher } from './finisher.ts'
import type { Progress } from './progress.ts'
import { PieceReaders } from './readers.ts'
import type { SessionHost } from './session-host.ts'
import { schedulerOf } from './session-parts.ts'
import type { SessionParts } from './session-parts.ts'
import { Vetting } from './vetting.ts'

/** The parts that follow which pieces are stored. */
export interface Followers { progress: Progress, finisher: Finisher }

/** The pieces of one task. */
export class PieceFlow implements NeighbourHost, DownloadHost {
  readonly results: ResultTable
  readonly scheduler: Scheduler
  readonly neighbours: Neighbours
  readonly downloads: Downloads
  /** readers that wait for missing pieces */
  readonly readers = new PieceReaders()
  readonly computing: Computing
  /** which results are accepted */
  readonly believing: Believing
  readonly vetting: Vetting
  readonly #host: SessionHost
  readonly #progress: Progress
  readonly #finisher: Finisher
  readonly #clock: SessionParts['clock']
  readonly #store: SessionParts['store']
  readonly #agreement: Agreement
  readonly #arrivals: Arrivals
  #isClosed = false

  constructor (task: Task, parts: SessionParts, host: SessionHost, { progress, finisher }: Followers) {
    const { pieceCount } = task
    this.#host = host
    this.#progress = progress
    this.#finisher = finisher
    this.#clock = parts.clock
    this.#store = parts.store
    this.results = new ResultTable(pieceCount)
    this.scheduler = schedulerOf(parts, {
      pieceCount,
      needsInputs: task.inputs !== undefined,
      checkShare: () => this.believing.checkShare,
      overdue: () => { this.downloads.reassign() }
    })
    const { results, scheduler } = this
    this.believing = new Believing({ ...parts, task, results, scheduler }, {
      reconsider: index => { this.#reconsider(index) },
      believed: (index, isAccepted) => { this.#onBelieved(index, isAccepted) },
      settled: () => { finisher.release() },
      run: () => { if (!this.#isClosed) this.computing.run() },
      misbehaved: (peer, reason, isFinal) => { this.misbehaved(peer, reason, isFinal) }
    }, {
      report: (event, payload) => { if (!this.#isClosed) host.report(event, payload) },
      warn: err => { host.warn(err) }
    })
    const peers = this.neighbours = new Neighbours({ ...parts, results, scheduler }, this)
    this.#agreement = new Agreement(peers)
    const given = { ...parts, scheduler, peers }
    const downloads = this.downloads = parts.createDownloads?.(given, this) ?? new WireDownloads(given, this)
    const store = this.believing.own.checking(parts.store)
    this.computing = new Computing({ ...parts, store, results, scheduler, downloads, claims: peers.claims }, host, {
      computed: (index, own) => { this.believing.own.computed(index, own) },
      stored: (index, result) => { this.vetting.computed(index, result) },
      gaveUp: () => { this.believing.held.setComputing(false) }
    })
    this.vetting = new Vetting(task, { ...parts, results, scheduler, neighbours: peers }, host, {
      unjudged: why => host.unjudged?.(why) === true,
      paceMs: () => this.computing.paceMs,
      stored: (index, result) => { this.#onStored(index, result) },
      withdraw: (index, size) => { this.#withdraw(index, size) },
      need: index => { this.#need(index) },
      changed: () => { this.#updateAll() }
    })
    this.#arrivals = new Arrivals(
      { results, scheduler, neighbours: peers, computing: this.computing, vetting: this.vetting }, host,
      (index, result, sources) => { this.#onStored(index, result, sources) }
    )
    parts.store.onLost(index => { this.#onLost(index) })
  }

  /** A piece of an earlier run. */
  restored (index: number, result: Result): void {
    if (this.vetting.restored(index, result)) return
    this.#progress.add(index, result.size)
    this.#settle(index, result)
    this.#host.stored(index)
  }

  /** The number of pieces computed and downloaded since the session began. */
  get counts (): { computed: number, downloaded: number } {
    return { computed: this.computing.count, downloaded: this.#arrivals.count }
  }

  /** The pieces of earlier runs are known. */
  open (): void {
    this.believing.open()
    this.computing.open()
    this.readers.wakeAll()
  }

  async close (): Promise<void> {
    this.#isClosed = true
    this.#arrivals.close()
    this.vetting.close()
    this.downloads.close()
    this.neighbours.close()
    this.believing.close()
    this.readers.wakeAll()
    await this.computing.close()
  }

  /** To be called every few seconds. */
  tidy (): void {
    this.neighbours.tidy(peer => this.downloads.needs(peer))
    this.scheduler.deliveries.expire()
    this.downloads.hasten()
    if (this.believing.held.look(this.#clock.now(), this.computing)) this.readers.wakeAll()
  }

  /** The piece goes before others from now on, even if the user did not select it. */
  urge (index: number): void {
    if (this.isReadable(index) || this.scheduler.isUrgent(index)) return
    this.scheduler.setUrgent(index, true)
    if (this.scheduler.isMissing(index)) this.neighbours.offerAgain(index)
    this.#updateAll()
  }

  /** Sets the user's selection. Nothing is requested before the first call. */
  setWanted (isWanted: (index: number) => boolean): void {
    for (let index = 0; index < this.results.pieceCount; index++) {
      const wasWanted = this.scheduler.isWanted(index)
      this.scheduler.setWanted(index, isWanted(index))
      if (!wasWanted && this.scheduler.isWanted(index)) this.neighbours.offerAgain(index)
    }
    this.believing.reconsiderChecks()
    this.downloads.open()
    this.#updateAll()
  }

  #updateAll (): void {
    for (const peer of this.neighbours) this.updated(peer)
    this.computing.run()
  }

  /** The piece is stored, and its result accepted, without a second look to come. */
  isReadable (index: number): boolean { return this.results.has(index) && this.believing.held.isReadable(index) }

  //
  // PEERS
  //

  joined (peer: TaskPeer): void { this.believing.joined(peer) }

  believes (peer: TaskPeer, index: number): boolean {
    if (!peer.isAdmitted) return false
    return this.vetting.accepts(peer, index) && this.believing.believes(index, peer.results.result(index))
  }

  claims (opts: { isBackup: boolean }): ClaimRecord[] { return this.computing.claims(opts) }

  available (peer: TaskPeer, index: number): void {
    // a peer that has delivered nothing, or not enough for this piece, must not be able to end our work by an
    // announcement
    if (peer.hasDelivered && this.scheduler.deliveries.isExpectedFrom(peer.holder, index)) {
      this.computing.abort(index, 'another peer has it')
    }
    this.downloads.offer(peer, index)
  }

  yield (index: number, other: Claim): void { this.computing.yieldTo(index, other) }

  /** Something about the peer has changed: requests its pieces, computes what nobody has. */
  updated (peer: TaskPeer): void {
    if (this.#isClosed) return
    this.scheduler.deliveries.expire()
    if (this.downloads.isAwaited(peer)) peer.wire.interested()
    this.computing.run()
    this.downloads.consider(peer, this.computing.busyMs)
  }

  left (peer: TaskPeer): void {
    this.believing.left(peer)
    this.downloads.removePeer(peer)
    this.computing.run()
  }

  sealed (infoHash: string, peers: number): void { this.#host.report('peerSealed', { infoHash, peers }) }

  misbehaved ({ id, wire, name, ext }: TaskPeer, reason: string, isFinal: boolean): void {
    this.#host.report(isFinal ? 'ban' : 'strike', { peer: name, reason })
    if (!isFinal) return
    this.scheduler.claims.ban(id)
    this.#host.ban(wire)
    ext.close() // not wire.destroy(), which still processes what the wire has buffered
  }

  //
  // DOWNLOADS
  //

  accepts (peer: TaskPeer, index: number): boolean {
    return peer.isAdmitted && this.vetting.accepts(peer, index) &&
      this.believing.fetches(index, peer.results.result(index)) && this.#agreement.accepts(peer, index)
  }

  needs (index: number): boolean {
    return this.scheduler.isMissing(index) && this.scheduler.isWanted(index) && !this.#arrivals.has(index)
  }

  get isFull (): boolean { return this.#arrivals.isFull }
  distrust (peer: TaskPeer, index: number, reason: string): void {
    this.neighbours.distrust(peer, index, reason)
    this.computing.run()
  }

  broken (err: Error): void { if (!this.#isClosed) this.#host.broken(err) }

  async downloaded (index: number, result: Result, draft: IncomingDraft, peers: Iterable<TaskPeer>): Promise<void> {
    return this.#arrivals.add(index, result, draft, peers)
  }

  //
  // STORED AND LOST
  //

  #onStored (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    this.#progress.add(index, result.size, this.#clock.now())
    this.#settle(index, result)
    if (!this.results.has(index)) return // not accepted any more, and dropped
    this.#host.stored(index)
    this.neighbours.announce(index, result, sources)
    if (this.scheduler.missing === 0) this.neighbours.loseInterest()
    this.readers.wake(index)
    this.#finisher.check(index)
  }

  /** Records our own result; the piece need not be computed or waited for any more. */
  #settle (index: number, result: Result): void {
    this.#agreement.stored(index, result)
    this.results.setOwn(index, result)
    this.scheduler.setMissing(index, false)
    this.scheduler.setUrgent(index, false)
    this.believing.stored(index, result) // last, as it may drop the piece
  }

  /**
   * Drops the stored pieces of which a connected peer holds a result with a lower digest, and downloads that one
   * instead. Returns their number.
   */
  agree (): number {
    const pieces = this.#agreement.choose(this.results, (index, result) =>
      !this.vetting.verifier.refuses(index, result) && this.believing.accepts(index, result))
    for (const index of pieces) this.#store.drop(index)
    return pieces.length
  }

  /** A stored piece is gone or damaged: downloads or computes it again. */
  #onLost (index: number): void {
    const size = this.results.ownSize(index)
    if (this.#isClosed || (size === undefined && !this.vetting.lost(index))) return
    this.scheduler.setMissing(index, true)
    if (size !== undefined) this.#withdraw(index, size)
    this.#need(index)
  }

  /** The stored piece does not count any more. */
  #withdraw (index: number, size: number): void {
    this.results.setOwn(index, undefined)
    this.#progress.remove(index, size)
    this.believing.stored(index, undefined)
    this.#host.lost(index)
    this.#finisher.reopen(index)
    this.neighbours.withdraw(index)
  }

  #need (index: number): void {
    this.neighbours.offerAgain(index, peer => this.accepts(peer, index))
    this.#updateAll()
  }

  //
  // BELIEVED
  //

  /** Another result of a missing piece is accepted than before, or none. */
  #reconsider (index: number): void {
    if (this.#isClosed || !this.scheduler.isMissing(index) || this.#arrivals.has(index)) return
    this.downloads.cancel(index)
    this.neighbours.reconsider(index)
  }

  #onBelieved (index: number, isAccepted: boolean): void {
    if (!isAccepted) return this.#finisher.reopen(index)
    this.scheduler.setUrgent(index, false)
    this.readers.wake(index)
    this.#finisher.check(index)
  }
}

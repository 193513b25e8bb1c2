/**
 * A WebTorrent torrent that may be a task: the integration with WebTorrent's internals.
 *
 * Ordinary torrents behave as in WebTorrent: every override calls super unless the torrent is a task. For a task,
 * WebTorrent still handles discovery, connections, metadata (BEP 9), PEX and choking; a WorkSession handles everything
 * about pieces.
 */
import type { EventEmitter } from 'node:events'
import { join } from 'node:path'
import BitField from 'bitfield'
import type { WireIdentity } from '../../extensions/ut_bitworker/index.ts'
import { systemClock } from '../base/clock.ts'
import { guardMetadata, guardPex } from '../connections/extension-guards.ts'
import type { InternalPeer } from '../connections/internals.ts'
import { extensionOf, replayHandshake } from '../connections/task-wire.ts'
import { TaskWires } from '../connections/task-wires.ts'
import { explain } from '../explain/explain.ts'
import type { Explanation } from '../explain/explain.ts'
import type { RunSituation } from '../explain/situation.ts'
import { isMadeHere } from '../inputs/made-tasks.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import { noStats } from '../session/events.ts'
import type { InputEvent, TaskStats } from '../session/events.ts'
import type { Overview } from '../session/overview.ts'
import { WorkSession } from '../session/work-session.ts'
import { ComputeStore } from '../store/compute-store.ts'
import type { Task } from '../task/task.ts'
import type { PieceState } from '../verification/types.ts'
import { agree } from './agreeing.ts'
import type { BlockBlame } from './block-blame.ts'
import { closeAfter, noteClosing, previousClosed } from './closing-store.ts'
import { ComputeControl } from './compute-control.ts'
import { Explaining } from './explaining.ts'
import { IdentifiedTorrent } from './identified-torrent.ts'
import type { DestroyCallback, InternalClient } from './internals.ts'
import { handOver } from './leave.ts'
import type { HandOverOptions } from './leave.ts'
import { checkComputable, checkTask } from './options.ts'
import type { ComputeOptions, PauseOptions, SealingOptions, TaskTorrentOptions } from './options.ts'
import './package-guards.ts'
import { ProcessLag } from './process-lag.ts'
import type { Torrent } from './public-types.ts'
import { Sealing } from './sealing.ts'
import { WantedPieces } from './selections.ts'
import { missingPieces, SessionMirror } from './session-mirror.ts'
import { TaskFileView } from './task-file-view.ts'
import type { DestroyOptions } from './inherited-options.ts'
import { TorrentPolicy } from './torrent-policy.ts'
import type { VerificationReport } from './verify-types.ts'
import type { Wire } from './types.ts'

/**
 * The torrents of a BitWorker client. Private members have WebTorrent's underscore instead of a #: user interfaces wrap
 * torrents in proxies, through which # members cannot be reached.
 */
export class ComputeTorrent extends IdentifiedTorrent {
  /** resolves when a destroyed task's folder has been released; at once for other torrents */
  _closed: Promise<void> = Promise.resolve()
  _session: WorkSession<ComputeStore> | null = null
  _lag: ProcessLag | null = null
  readonly _policy = new TorrentPolicy(this)
  readonly _control: ComputeControl
  readonly _taskWires = new TaskWires(this)
  readonly _explaining = new Explaining(this)
  readonly _wanted = new WantedPieces()
  /** of the torrent of an input */
  _blame: BlockBlame | null = null
  readonly _sealing = new Sealing(this, task => this._folderOf(task))

  constructor (torrentId: unknown, client: InternalClient, opts: TaskTorrentOptions) {
    super(torrentId, client, opts)
    const { compute = false } = opts
    this._control = new ComputeControl(this, compute === false ? null : compute === true ? {} : compute)
  }

  override async _startTask (task: Task): Promise<void> {
    this._xsRequestsController?.abort()
    this._xsRequestsController = null
    this._leavePublicSources()
    this.bitfield = new BitField(task.pieceCount)
    this.pieces = missingPieces(task.pieceCount)
    if (this._options.uploads === undefined) this._rechokeNumSlots = this.client.maxConns
    const store = this._createStore(task)
    const session = this._createSession(task, store)
    this.metadata = this.torrentFile
    this.files = task.files.map((file, index) => new TaskFileView(this, session, file, index))
    this._selectFiles()
    this.emit('metadata')
    if (this.destroyed) return
    try {
      await this._policy.open(session)
      if (this.destroyed) return
      this._taskWires.open(session, this.wires)
      await previousClosed(this._folderOf(task), task.infoHash)
      if (this.destroyed) return
      await store.open()
      await this._policy.stored()
      if (this.destroyed) return
      await session.open()
      if (this.destroyed) return
      this._onStore()
      this._control.ready()
    } catch (err) {
      this._destroy(err as Error)
    }
  }

  _folderOf (task: Task): string {
    return this.addUID ? join(this.path, `${task.name} - ${task.infoHash.slice(0, 8)}`) : this.path
  }

  override _taskLength (task: Task): number { return this._session?.progress.length() ?? task.length }

  _createStore (task: Task): ComputeStore {
    const store = new ComputeStore({ task, path: this._folderOf(task), force: this._options.force === true })
    this.store = store
    return store
  }

  /** Of a connection, for ut_bitworker. */
  newIdentity (): WireIdentity | null { return this._policy.newIdentity() }

  _createSession (task: Task, store: ComputeStore): WorkSession<ComputeStore> {
    const lag = this._lag = new ProcessLag()
    const { peerIdBuffer: peerId } = this.client
    const parts = {
      store,
      peerId,
      clock: systemClock,
      random: Math.random,
      lag: () => lag.ms,
      completes: this._completes(task)
    }
    this._session = new WorkSession(task, parts, new SessionMirror(this, task))
    this._session.expectComputing(this._control.isWanted || this._options.expectsComputing === true)
    return this._session
  }

  _completes (task: Task): boolean {
    return task.completeBy !== 'author' || (this._options.complete ?? isMadeHere(task.digest))
  }

  /** See public-types.ts. */
  get leavesParts (): boolean { return this.task !== null && !this._completes(this.task) }

  // COMPUTING

  /** Whether pieces are computed here. */
  get computing (): 'off' | 'on' | 'paused' {
    return this._control.state
  }

  /** The progress of the task; all zero before 'metadata', and for ordinary torrents. */
  stats (): TaskStats { return this._session?.stats() ?? noStats() }

  get verification (): VerificationReport | null { return this._policy.report }

  standing (piece: number): PieceState | null { return this._session?.standing(piece) ?? null }

  get overview (): Overview | null { return this._session?.overview ?? null }

  retry (piece: number): void { this._session?.retry(piece) }

  /** See public-types.ts. */
  explain (piece: number | null = null, run: Partial<RunSituation> = {}): Explanation {
    checkTask(this)
    return explain(this._explaining.situation(piece, run))
  }

  /** See public-types.ts. */
  startComputing (options: ComputeOptions = {}): void {
    checkComputable(this)
    this._control.start(options)
  }

  get slots (): number { return this._session?.slots ?? 0 }

  set slots (count: number) { this._control.resize(count) }

  /** The progress of the task's inputs; empty if none are downloaded. */
  get inputs (): InputEvent[] { return this._control.inputs }

  async stages (): Promise<Torrent[]> { return this._control.stages() }

  /** Suspends the running work items, or lets them end, and starts no others. */
  pauseComputing (options?: PauseOptions): void { this._control.pause(options) }

  /** Resumes computing after `pauseComputing()`. */
  resumeComputing (): void { this._control.resume() }

  /** Kills the running work items. Resolves when they have ended. Results of others are still downloaded. */
  async stopComputing (): Promise<void> {
    await this._control.stop()
  }

  /** See public-types.ts. */
  async handOver (opts?: HandOverOptions): Promise<Outstanding> {
    return handOver(
      () => this._session?.outstanding ?? null,
      left => {
        ;(this as EventEmitter).emit('leaving', left)
      },
      opts
    )
  }

  /** See public-types.ts. */
  async seal (opts?: SealingOptions): Promise<Torrent> {
    if (opts?.agree === true) await agree(this)
    return this._sealing.seal(opts)
  }

  // PEERS

  override _startDiscovery (): void {
    super._startDiscovery()
    if (!this.destroyed) this._control.discovering()
  }

  override _addPeer (peer: unknown, _type: string, source?: string): InternalPeer | null {
    if (!this._taskWires.takes(peer, source)) {
      if (typeof peer !== 'string') (peer as { destroy (): void }).destroy()
      return null
    }
    // uTP is tried later, if at all
    const newPeer = super._addPeer(peer, 'tcp', source)
    if (newPeer !== null && typeof peer === 'string') this._taskWires.prepareCall(newPeer)
    return newPeer
  }

  override _drain (): void { this._taskWires.dialler.drain() }

  override _onWire (wire: Wire, addr?: string): void {
    if (this._taskWires.refuses(wire, addr)) return wire.destroy()
    super._onWire(wire, addr)
    guardMetadata(wire, this.infoHash)
    guardPex(wire)
    wire.on('extended', extension => { if (extension === 'handshake') this._control.met(wire) })
    if (extensionOf(wire) !== undefined) replayHandshake(wire)
    this._taskWires.join(wire)
  }

  override _onWireWithMetadata (wire: Wire): void {
    const session = this._session
    if (session === null) return super._onWireWithMetadata(wire)
    if (wire.destroyed) return
    wire.isSeeder = false
    session.onceAdmitted(wire, () => {
      wire.on('interested', () => { wire.unchoke() })
      if (wire.peerInterested) wire.unchoke()
      this._taskWires.present(wire, session.stats())
      session.greet(wire)
    })
  }

  // PIECES AND FILES

  override _request (wire: Wire, index: number, hotswap: boolean): boolean {
    const ask = (isHotswap: boolean): boolean => super._request(wire, index, isHotswap)
    return this._blame === null ? ask(hotswap) : this._blame.request(wire, index, hotswap, ask)
  }

  override get downloaded (): number { return this._session?.downloadedBytes ?? super.downloaded }

  override get progress (): number { return this._session?.progress.fraction() ?? super.progress }

  override get timeRemaining (): number { return this._session?.remainingMs ?? super.timeRemaining }

  override _updateSelections (): void {
    if (this._session === null) return super._updateSelections()
    if (!this.ready || this.destroyed) return
    this._wanted.update(this._selections, this.pieces.length, isWanted => {
      if (!this.destroyed) this._session?.setWanted(isWanted)
    })
  }

  override critical (start: number, end: number): void {
    if (this._session === null) return super.critical(start, end)
    for (let index = start; index <= Math.min(end, this.pieces.length - 1); index++) this._session.urge(index)
  }

  override rescanFiles (cb: DestroyCallback = () => {}): void {
    if (this._session === null) return super.rescanFiles(cb)
    this._session.rescan().then(() => { cb(null) }, cb)
  }

  // WebTorrent checks after every change; a session reports it itself
  override _checkDone (): boolean { return this._session === null ? super._checkDone() : this.done }

  override _update (): void { if (this._session === null) super._update() }

  _selectFiles (): void {
    if (this._startAsDeselected) return
    // BEP 53: only the files that the magnet link selects
    if (this.so === undefined) this.select(0, this.pieces.length - 1)
    else this.files.forEach((file, index) => { if (this.so!.includes(index)) file.select() })
  }

  override _destroy (err: Error | null, opts?: DestroyOptions | DestroyCallback | null, cb?: DestroyCallback): void {
    const session = this._session
    const { store } = this
    // an invalid magnet link ends the torrent before this exists
    this._sealing?.break()
    if (!this.destroyed && session !== null && store !== null) {
      this._lag?.close()
      const closing = session.close(err).then(() => this._control.close()).then(() => this._policy.close())
      // WebTorrent closes the store at once; work items must have ended before
      this._closed = new Promise(resolve => { this.store = closeAfter(closing, store, resolve) })
      noteClosing(this._folderOf(session.task), session.task.infoHash, this._closed)
    }
    super._destroy(err, opts, cb)
  }
}

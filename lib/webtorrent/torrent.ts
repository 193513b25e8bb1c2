/**
 * A WebTorrent torrent that may be a task: the one seam with WebTorrent's internals.
 *
 * Ordinary torrents go through untouched: every override begins with "not a task? then super". For a task, WebTorrent
 * keeps doing discovery, connections, metadata (BEP 9), PEX and choking; a WorkSession does everything about pieces.
 */
import type { EventEmitter } from 'node:events'
import { join } from 'node:path'
import BitField from 'bitfield'
import { systemClock } from '../base/clock.ts'
import { guardMetadata, guardPex } from '../connections/extension-guards.ts'
import type { InternalPeer } from '../connections/internals.ts'
import { extensionOf, replayHandshake } from '../connections/task-wire.ts'
import { TaskWires } from '../connections/task-wires.ts'
import { announceWhileAlone } from '../discovery/dht-retry.ts'
import type { Outstanding } from '../peers/hand-over.ts'
import { noStats } from '../session/events.ts'
import type { TaskStats } from '../session/events.ts'
import { WorkSession } from '../session/work-session.ts'
import { ComputeStore } from '../store/compute-store.ts'
import { magnetOf } from '../task/magnet.ts'
import { magnetProblem } from '../task/magnet-check.ts'
import { encodeTask, isTask, isTaskObject, locate, parseTask, usableTrackers } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { closeAfter, noteClosing, previousClosed } from './closing-store.ts'
import { ComputeControl } from './compute-control.ts'
import { GuardedTorrent } from './guarded-torrent.ts'
import type {
  DestroyCallback, InternalClient, ParsedTorrent
} from './internals.ts'
import { handOver } from './leave.ts'
import type { HandOverOptions } from './leave.ts'
import { checkComputable } from './options.ts'
import type { ComputeOptions, TaskTorrentOptions } from './options.ts'
import './package-guards.ts'
import { fromMetadata, loadTorrent, toParsedTorrent } from './parsed-torrent.ts'
import { ProcessLag } from './process-lag.ts'
import { WantedPieces } from './selections.ts'
import { TaskFileView } from './task-file-view.ts'
import { bytesOf, harmlessId, isRemoteId } from './torrent-id.ts'
import type { RemoteId } from './torrent-id.ts'
import type { DestroyOptions, Wire } from './types.ts'

/** Stands in `torrent.pieces` for a piece that is not here; WebTorrent's are null once a piece is. */
const MISSING = Object.freeze({ missing: true })

/**
 * The torrents of a BitWorker client. What is private has WebTorrent's underscore instead of a #: user interfaces wrap
 * torrents into proxies, through which # cannot be reached.
 */
export class ComputeTorrent extends GuardedTorrent {
  /** the task, once its metadata is known; null for an ordinary torrent */
  task: Task | null = null
  /** resolves when a destroyed task's folder was given back; at once for what has none */
  _closed: Promise<void> = Promise.resolve()
  _session: WorkSession<ComputeStore> | null = null
  _lag: ProcessLag | null = null
  readonly _control: ComputeControl
  readonly _options: TaskTorrentOptions
  readonly _taskWires = new TaskWires(this)
  readonly _wanted = new WantedPieces()

  constructor (torrentId: unknown, client: InternalClient, opts: TaskTorrentOptions) {
    super(torrentId, client, opts)
    this._options = opts
    const { compute = false } = opts
    this._control = new ComputeControl(this, compute === false ? null : compute === true ? {} : compute)
  }

  //
  // FROM TORRENT ID TO METADATA. WebTorrent's constructor calls _onTorrentId, when our own fields do not exist yet:
  // nothing up to the first await may touch them.
  //

  override async _onTorrentId (torrentId: unknown): Promise<void> {
    if (this.destroyed) return
    const problem = magnetProblem(torrentId)
    if (problem !== undefined) return queueMicrotask(() => { this._destroy(problem) })
    if (isTaskObject(torrentId)) {
      queueMicrotask(() => { this._onTask(() => torrentId) })
    } else if (ArrayBuffer.isView(torrentId) && isTask(bytesOf(torrentId))) {
      queueMicrotask(() => { this._onTask(() => parseTask(bytesOf(torrentId), this._options)) })
    } else if (isRemoteId(torrentId)) {
      await this._load(torrentId)
    } else {
      await super._onTorrentId(harmlessId(torrentId))
    }
  }

  async _load (torrentId: RemoteId): Promise<void> {
    const parsed = await loadTorrent(torrentId, this._options).catch((err: unknown) => { this._destroy(err as Error) })
    if (parsed !== undefined) this._onParsedTorrent(parsed)
  }

  _onTask (read: () => Task): void {
    try {
      this._onParsedTorrent(toParsedTorrent(read()))
    } catch (err) {
      this._destroy(err as Error)
    }
  }

  override _processParsedTorrent (parsed: ParsedTorrent): void {
    super._processParsedTorrent(parsed)
    if (this.task === null) return
    // what was added to the trackers is passed on with the task file
    const task = { ...this.task, announce: usableTrackers(this.announce) }
    this.torrentFile = encodeTask(task)
    this.magnetURI = magnetOf(task)
    // sizes vary: WebTorrent's own property would be a constant
    Object.defineProperty(this, 'length', {
      get: () => this._session?.progress.length() ?? task.length, configurable: true, enumerable: true
    })
  }

  override async _onMetadata (metadata: unknown): Promise<void> {
    if (this.metadata !== null || this.destroyed) return
    try {
      const parsed = fromMetadata(metadata, this)
      if (parsed !== null) this._processParsedTorrent(parsed)
    } catch (err) {
      return this._destroy(err as Error)
    }
    return this.task === null ? super._onMetadata(metadata) : this._startTask(this.task)
  }

  async _startTask (task: Task): Promise<void> {
    this._xsRequestsController?.abort()
    this._xsRequestsController = null
    this._leavePublicSources()
    this.metadata = this.torrentFile
    this.bitfield = new BitField(task.pieceCount)
    this.pieces = Array.from({ length: task.pieceCount }, () => MISSING)
    if (this._options.uploads === undefined) this._rechokeNumSlots = this.client.maxConns
    const session = this._createSession(task)
    this.files = task.files.map((file, index) => new TaskFileView(this, session, file, index))
    this._selectFiles()
    for (const wire of this.wires) this._taskWires.join(wire, session)
    this.emit('metadata')
    if (this.destroyed) return
    try {
      await previousClosed(this._folderOf(task), task.infoHash)
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

  _createSession (task: Task): WorkSession<ComputeStore> {
    const store = new ComputeStore({ task, path: this._folderOf(task), force: this._options.force === true })
    this.store = store
    const lag = this._lag = new ProcessLag()
    this._session = new WorkSession(task, { store, clock: systemClock, random: Math.random, lag: () => lag.ms }, {
      peerId: this.client.peerIdBuffer,
      stored: index => { this._onStored(index) },
      lost: index => { this._onLost(index) },
      report: (event, payload) => { (this as EventEmitter).emit(event, payload) },
      fileFinished: (file, finished) => { this._onFileFinished(file, finished) },
      done: () => { this._onDone() },
      ban: wire => { this._taskWires.ban(wire) },
      broken: err => { if (!this.destroyed) this._destroy(err) }
    })
    return this._session
  }

  //
  // COMPUTING
  //

  /** Whether pieces are computed here. */
  get computing (): 'off' | 'on' | 'paused' {
    return this._control.state
  }

  /** How far the task is; all zero before 'metadata', and for ordinary torrents. */
  stats (): TaskStats { return this._session?.stats() ?? noStats() }

  /**
   * Computes missing pieces from now on. Starts once the sources of peers that are enabled have answered for the first
   * time (at most 5 s), so that nothing is computed that a peer already has.
   * Throws BW_ERR_DESTROYED, BW_ERR_NOT_A_TASK, BW_ERR_TASK_REQUIRES (before 'metadata' a 'warning' brings it),
   * BW_ERR_COMPUTE_OPTIONS, and for a missing `binds` path BW_ERR_BIND.
   */
  startComputing (options: ComputeOptions = {}): void {
    checkComputable(this)
    this._control.start(options)
  }

  /** Suspends the running work items and starts no others. */
  pauseComputing (): void {
    this._control.pause()
  }

  /** Resumes computing after `pauseComputing()`. */
  resumeComputing (): void {
    this._control.resume()
  }

  /** Kills the running work items; resolves when they are gone. What others have is still downloaded. */
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

  //
  // PEERS
  //

  override _startDiscovery (): void {
    const isFirst = this.discovery === null || this.discovery === undefined
    super._startDiscovery()
    if (!this.destroyed) this._control.discovering()
    const { dht } = this.client ?? {}
    const isOrdinary = this.task === null && this.metadata !== null
    if (!isFirst || isOrdinary || this.destroyed || !dht || this.private === true) return
    this.once(
      'close',
      announceWhileAlone({
        dht,
        infoHash: this.infoHash,
        port: this.client.torrentPort,
        isAlone: () => this.wires.length === 0 && this.private !== true
      })
    )
  }

  override _addPeer (peer: unknown, _type: string, source?: string): InternalPeer | null {
    if (!this._taskWires.takes(peer, source)) {
      if (typeof peer !== 'string') (peer as { destroy (): void }).destroy()
      return null
    }
    // uTP comes later, if at all
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
    if (extensionOf(wire) !== undefined) replayHandshake(wire)
    if (this._session !== null) this._taskWires.join(wire, this._session)
  }

  override _onWireWithMetadata (wire: Wire): void {
    if (this._session === null) return super._onWireWithMetadata(wire)
    if (wire.destroyed) return
    wire.isSeeder = false
    wire.on('interested', () => { wire.unchoke() })
    if (wire.peerInterested) wire.unchoke()
    const { stored, missing } = this._session.stats()
    if (wire.hasFast && missing === 0) wire.haveAll()
    else if (wire.hasFast && stored === 0) wire.haveNone()
    else wire.bitfield(this.bitfield)
    const { dht } = this.client
    if (wire.peerExtensions.dht === true && dht && dht.listening) wire.port(dht.address().port)
    this._session.greet(wire)
  }

  //
  // PIECES AND FILES
  //

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

  // WebTorrent asks after every change; a session says so itself
  override _checkDone (): boolean { return this._session === null ? super._checkDone() : this.done }

  override _update (): void { if (this._session === null) super._update() }

  _selectFiles (): void {
    if (this._startAsDeselected) return
    // BEP 53: only the files that the magnet link names
    if (this.so === undefined) this.select(0, this.pieces.length - 1)
    else this.files.forEach((file, index) => { if (this.so!.includes(index)) file.select() })
  }

  _onStored (index: number): void {
    this.pieces[index] = null
    this.bitfield.set(index, true)
    this.emit('verified', index)
    for (const { from, to, notify } of this._selections) if (from <= index && index <= to) notify?.()
  }

  _onLost (index: number): void {
    this.pieces[index] = MISSING
    this.bitfield.set(index, false)
    this.done = false
    ;(this.files[locate(this.task!, index).file] as TaskFileView | undefined)?.reopen()
  }

  _onFileFinished (index: number, finished: { path: string, length: number } | null): void {
    if (this.destroyed) return
    const file = this.files[index] as TaskFileView
    file.finish(finished)
    if (finished !== null) this.emit('file', finished)
    file.emit('done')
  }

  _onDone (): void {
    if (this.destroyed || this.done) return
    if (!this.ready) return void this.once('ready', () => { this._onDone() })
    this.done = true
    this.emit('done')
    this.emit('idle')
    // the 'done' handler may have destroyed the torrent
    if (!this.destroyed) this.discovery?.complete()
  }

  override _destroy (err: Error | null, opts?: DestroyOptions | DestroyCallback | null, cb?: DestroyCallback): void {
    const session = this._session
    const { store } = this
    if (!this.destroyed && session !== null && store !== null) {
      this._lag?.close()
      const closing = session.close(err).then(() => this._control.close())
      // WebTorrent closes the store at once; work items must be gone before
      this._closed = new Promise(resolve => { this.store = closeAfter(closing, store, resolve) })
      noteClosing(this._folderOf(session.task), session.task.infoHash, this._closed)
    }
    super._destroy(err, opts, cb)
  }
}

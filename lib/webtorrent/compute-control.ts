/**
 * Controls the computing of one torrent: start, pause, resume, stop, and when enough is known to begin. Called by
 * torrent.ts.
 */
import { availableParallelism } from 'node:os'
import { isInputGone } from '../base/errors.ts'
import { settled, Sources } from '../discovery/settling.ts'
import type { Meeting } from '../peers/meeting.ts'
import { noRoots } from '../executor/failures.ts'
import { RootSupply, rootOf } from '../inputs/roots/root-supply.ts'
import { InputSupply } from '../inputs/supply.ts'
import type { Hold, InputEvent } from '../session/events.ts'
import type { WorkSession } from '../session/work-session.ts'
import type { ComputeStore } from '../store/compute-store.ts'
import { areChecksWithInputs, devicesFor, needsProblem } from '../store/missing-needs.ts'
import type { Given } from '../store/types.ts'
import { TorrentExecutors } from './executors.ts'
import type { Choice } from './executors.ts'
import type { InternalTorrent } from './internals.ts'
import { checkComputeOptions } from './options.ts'
import type { CheckedComputeOptions, ComputeOptions, PauseOptions, TaskTorrentOptions } from './options.ts'
import { TaskInputs } from './input-torrents.ts'
import type { ParentTorrent } from './input-types.ts'
import type { Torrent } from './public-types.ts'
import type { Wire } from './types.ts'

/** The part of ComputeTorrent that is needed here. */
export interface ControlledTorrent extends InternalTorrent {
  readonly _session: WorkSession<ComputeStore> | null
  readonly _options: TaskTorrentOptions
  readonly _policy: { follow (): void }
}

/** The computing of one torrent. */
export class ComputeControl {
  readonly #torrent: ControlledTorrent
  readonly #executors = new TorrentExecutors()
  /** how to compute; null: not at all */
  #options: ComputeOptions | null
  #sources: Sources | null = null
  #inputs: TaskInputs | null = null
  #supply: InputSupply | null = null
  #root: RootSupply | null = null
  #isSettling = false
  /** why commands cannot run here after all */
  #problem: Error | null = null
  /** no work items start */
  #hold: Hold | null = null

  /** @param options how to compute when the task is known; null: not at all */
  constructor (torrent: ControlledTorrent, options: ComputeOptions | null) {
    this.#torrent = torrent
    this.#options = options
  }

  get state (): 'off' | 'on' | 'paused' {
    if (this.#isSettling) return this.#hold === null ? 'on' : 'paused'
    return this.#torrent._session?.computing ?? 'off'
  }

  /** Starts computing, now or when the torrent is ready. Throws BW_ERR_COMPUTE_OPTIONS and BW_ERR_BIND. */
  start (options: ComputeOptions): void {
    const checked = this.#options = checkComputeOptions(options)
    this.#problem = null
    this.resume()
    this.#torrent._policy.follow()
    this.#torrent._session?.expectComputing(true)
    if (this.#torrent.ready) this.#startWhenSettled(checked)
  }

  /** How it computes; null: not at all. */
  get options (): ComputeOptions | null { return this.#options }

  /** Why commands cannot run here after all. */
  get problem (): Error | null { return this.#problem }

  pause ({ running }: PauseOptions = {}): void {
    this.#hold = running === 'finish' ? 'finish' : 'suspend'
    this.#torrent._session?.pauseComputing(this.#hold)
    this.#supply?.pause()
  }

  resume (): void {
    this.#hold = null
    this.#torrent._session?.resumeComputing()
    this.#supply?.resume()
  }

  /** Number of work items at a time, 1 to 1024, also of what has not begun. Throws BW_ERR_COMPUTE_OPTIONS. */
  resize (slots: number): void {
    if (this.#options === null) return
    this.#options = checkComputeOptions({ ...this.#options, slots })
    const session = this.#torrent._session
    if (session !== null) session.slots = slots
  }

  async stop (): Promise<void> {
    this.#options = null
    this.#torrent._session?.expectComputing(false)
    if (this.state === 'off' || this.#isSettling) this.#closeRoot()
    this.#torrent._session?.checkDone()
    const stopping = this.#torrent._session?.stopComputing()
    this.#closeSupply()
    await stopping
  }

  /** Ends the download of inputs that nothing computes with any more. */
  #closeSupply (): void {
    this.#supply?.close()
    this.#supply = null
  }

  /** Computing was requested. */
  get isWanted (): boolean { return this.#options !== null }

  /** Computing was requested, but has not begun. */
  get isStarting (): boolean { return this.#options !== null && this.#torrent._session?.computing === 'off' }

  /** The sources of peers are being asked from now on. */
  discovering (): Sources {
    return this.#sources ??= new Sources(this.#torrent, this.#torrent.client.lsd && this.#torrent.private !== true)
  }

  /** The store is open. Throws like `start`. */
  ready (): void {
    const { task } = this.#torrent._session!
    if (task.inputs !== undefined) this.#openInputs().share(task.inputs, task.pieceCount)
    if (this.#options !== null) this.#startWhenSettled(this.#options = checkComputeOptions(this.#options))
  }

  #openInputs (): TaskInputs {
    const { inputs = {} } = this.#torrent._options
    return this.#inputs ??= new TaskInputs(this.#torrent as unknown as ParentTorrent, inputs)
  }

  /** The tasks whose outputs this one reads, once they are added. */
  async stages (): Promise<Torrent[]> {
    const task = this.#torrent._session?.task
    if (task?.inputs === undefined || this.#torrent.destroyed) return []
    return this.#openInputs().stages(task.inputs, task.pieceCount)
  }

  async close (): Promise<void> {
    this.#closeSupply()
    this.#closeRoot()
    await Promise.all([this.#executors.close(), this.#inputs?.close()])
  }

  /** The progress of the task's inputs; empty if none are downloaded. */
  get inputs (): InputEvent[] {
    return [...this.#root === null ? [] : [this.#root.state], ...this.#supply?.states ?? []]
  }

  /** A peer of the task may not come back. */
  banned (wire: Wire): void { this.#inputs?.ban(wire) }

  /** A peer of the task has told its listening port. */
  met (wire: ParentTorrent['wires'][number]): void { this.#inputs?.addPeer(wire) }

  #startWhenSettled (options: CheckedComputeOptions): void {
    const torrent = this.#torrent
    const session = torrent._session
    if (session === null || session.computing !== 'off') return
    const { binds = [], timeoutMs = 0, executor } = options
    session.store.configure({ binds, timeoutMs, ...(executor !== undefined && { executor }) })
    if (this.#isSettling) return
    this.#isSettling = true
    const settling = settled(this.discovering(), torrent, () => this.#meeting(session))
    const prepare = (choice: Choice): void => {
      if (session === torrent._session) session.store.prepare(choice.executor, slotsOf(choice))
    }
    const current = (): ComputeOptions | null => torrent.destroyed ? null : this.#options
    const choose = async (): Promise<Choice | null> => {
      const choice = await this.#executors.choose(session.task, settling, current, prepare)
      if (choice === null) return null
      session.store.configure({ executor: choice.executor })
      if (!await this.#bringRoot(session, choice)) return choose()
      await checkNeeds(session, choice.options.gpu)
      return choice.options === current() ? choice : choose()
    }
    choose().finally(() => { this.#isSettling = false }).then(chosen => {
      if (chosen === null) return
      // complete commands that were not allowed are now due, so the task is not finished after all
      if (session.hasUnmergedFiles) torrent.done = false
      if (this.#inputs !== null) {
        const { maxSliceBytes } = torrent._options.inputs ?? {}
        const isChecked = areChecksWithInputs(session.task)
        this.#supply = new InputSupply(session, this.#inputs, {
          slots: slotsOf(chosen),
          maxSliceBytes,
          ...(isChecked && { check: async given => this.#check(session, given) })
        })
        if (this.#hold !== null) this.#supply.pause()
      }
      const { pieces } = chosen.options
      session.startComputing(slotsOf(chosen), this.#hold, pieces === undefined ? pieces : new Set(pieces))
    }, (err: Error) => {
      this.#options = null
      this.#problem = err
      session.expectComputing(false)
      this.#closeRoot()
      if (!torrent.destroyed) torrent.emit('warning', err)
      session.checkDone()
    })
  }

  /**
   * Resolves with false if commands are not to run any more. Throws BW_ERR_NO_SANDBOX and the errors of RootSupply.
   */
  async #bringRoot (session: WorkSession<ComputeStore>, { executor }: Choice): Promise<boolean> {
    const input = rootOf(session.task)
    if (input === undefined || this.#inputs === null) return true
    if (executor.hasRoots !== true) throw noRoots()
    const { maxSliceBytes: maxRootBytes, ...cache } = this.#torrent._options.inputs ?? {}
    this.#root ??= new RootSupply(session, input, this.#inputs, { ...cache, maxRootBytes })
    return !hasWork(session) || this.#root.ready
  }

  #closeRoot (): void {
    this.#root?.close()
    this.#root = null
  }

  /** What the task needs is looked for among its inputs; where it fails, nothing is computed after all. */
  async #check (session: WorkSession<ComputeStore>, inputs: Given): Promise<void> {
    try {
      const missing = await session.store.failingCommands(inputs)
      if (missing.length > 0) throw needsProblem(missing)
    } catch (err) {
      if (!isInputGone(err) && !this.#torrent.destroyed) {
        this.#problem = err as Error
        this.#torrent.emit('warning', err as Error)
        void this.stop()
      }
      throw err
    }
  }

  #meeting ({ meeting: { hasMet, isConnecting } }: WorkSession<ComputeStore>): Meeting {
    const { _numPending, _peers, wires } = this.#torrent
    return { hasMet, isConnecting: isConnecting || _numPending > 0 || (_peers?.size ?? 0) > wires.length }
  }
}

/** Throws BW_ERR_NEEDS if commands are left that cannot run on this machine. */
async function checkNeeds (session: WorkSession<ComputeStore>, gpu: ComputeOptions['gpu']): Promise<void> {
  const { needs, root } = session.task
  if ((needs === undefined && root === undefined) || !hasWork(session)) return
  session.store.configure({ devices: devicesFor(session.task, gpu) })
  const missing = await session.store.missingNeeds()
  if (missing.length > 0) throw needsProblem(missing)
}

function hasWork (session: WorkSession<ComputeStore>): boolean {
  return session.stats().missing > 0 || session.hasUnmergedFiles
}

function slotsOf ({ options: { slots } }: Choice): number { return slots ?? availableParallelism() }

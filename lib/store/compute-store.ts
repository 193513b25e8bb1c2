/**
 * The pieces of a task on disk: a chunk store whose chunks may be shorter than `chunkLength`, and which can be asked to
 * compute one. A `get` never computes. types.ts specifies the methods. Called by the work session. Its parts are
 * restore.ts (start), task-folder.ts (state), generate.ts, finish-file.ts, complete-command.ts.
 */
import { EventEmitter } from 'node:events'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import type { Executor } from '../executor/bash-executor.ts'
import { checkBinds } from '../executor/binds.ts'
import type { Bind } from '../executor/binds.ts'
import { PackedResults } from '../results/packed-results.ts'
import type { ReadonlyResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import type { Task } from '../task/task.ts'
import { checkRest } from './check-rest.ts'
import type { FileMark } from './files/marks.ts'
import { finishFile } from './finish-file.ts'
import { generate, prepare } from './generate.ts'
import type { RunOptions } from './generate.ts'
import { compareResults, verifyPiece } from './judge.ts'
import { failingCommands, missingNeeds } from './missing-needs.ts'
import { hasResultsFile, removeResultsFile, writeResultsFile } from './results-file.ts'
import type { HowAccepted } from './results-file.ts'
import { TaskFolder } from './task-folder.ts'
import type {
  ChunkStore, DoneCallback, FinishOptions, FinishedFile, GenerateOptions, Given, Generation, GetCallback, GetOptions,
  Inputs, Judging, KnownKey, PieceDraft, PieceStore, UnstoredResult
} from './types.ts'

const trace = traceOf('store')

/** How a task's store runs commands. */
export interface StoreRunOptions {
  /** default: no commands can be run */
  executor?: Executor
  /** files and folders of this machine that appear in every scratch folder */
  binds?: readonly Bind[]
  /** the inputs of the task; default: it has none */
  inputs?: Inputs
  /** absolute path of the folder that commands see as `/`; default: the task has none */
  root?: string
  /** absolute paths of the device nodes that commands may use; default: none */
  devices?: readonly string[]
  /** limit for each work item, in addition to the task's own; milliseconds, 0 = none */
  timeoutMs?: number
}

/** Options of ComputeStore. */
export interface ComputeStoreOptions extends StoreRunOptions {
  task: Task
  /** the output folder */
  path: string
  /** overwrite files that BitWorker did not write; default false */
  force?: boolean
}

/** The store of a task. Emits 'lost' with a piece's index when a stored piece is found to be gone or damaged. */
export class ComputeStore extends EventEmitter<{ lost: [index: number] }> implements ChunkStore, PieceStore {
  readonly #opts: ComputeStoreOptions
  readonly #pending = new Set<Promise<unknown>>()
  readonly #running = new Set<Generation | Judging>()
  readonly #finishing = new Map<number, Promise<FinishedFile | null>>()
  readonly #abort = new AbortController()
  #run: RunOptions = { binds: [], timeoutMs: 0 }
  #folder: TaskFolder | null = null
  #opening: Promise<ReadonlyResults> | null = null
  #closing: Promise<void> | null = null

  /** Throws BW_ERR_BIND. */
  constructor (opts: ComputeStoreOptions) {
    super()
    this.#opts = opts
    this.configure(opts)
  }

  get chunkLength (): number { return this.#opts.task.pieceLength }

  /** The stored results by index. Empty until the store is open. */
  get results (): ReadonlyResults { return this.#folder?.table.results ?? NONE }

  /** Changes how commands are run from now on; omitted options are unchanged. Throws BW_ERR_BIND. */
  configure (options: StoreRunOptions): void {
    const { executor = this.#run.executor, binds, timeoutMs = this.#run.timeoutMs } = options
    const { inputs = this.#run.inputs, root = this.#run.root, devices = this.#run.devices } = options
    this.#run = {
      binds: binds === undefined ? this.#run.binds : checkBinds(binds, this.#opts.task.inputs?.map(({ name }) => name)),
      timeoutMs,
      ...(inputs !== undefined && { inputs }),
      ...(root !== undefined && { root }),
      ...(devices !== undefined && { devices }),
      ...(executor !== undefined && { executor })
    }
  }

  /**
   * Opens a task's folder. Resolves with what is stored there, judging by names and sizes. Each piece is compared with
   * its digest before its first byte is used, and is 'lost' if it does not match. Rejects with BW_ERR_OUTPUT_FOLDER,
   * BW_ERR_DISK_FULL, BW_ERR_LOCKED, BW_ERR_FILE_EXISTS, BW_ERR_SYMLINK, or BW_ERR_ABORTED if the store is closed in
   * the meantime.
   */
  async open (): Promise<ReadonlyResults> {
    this.#opening ??= this.#track(this.#open())
    return this.#opening
  }

  async #open (): Promise<ReadonlyResults> {
    if (this.#closing !== null) throw closed()
    const { task, path, force = false } = this.#opts
    const onLost = (index: number): void => {
      trace('piece %d is gone or damaged', index)
      this.emit('lost', index)
    }
    this.#folder = await TaskFolder.open({ task, path, force, onLost, signal: this.#abort.signal })
    trace('%s has %d of %d pieces', path, this.#folder.table.results.size, task.pieceCount)
    return this.#folder.table.results
  }

  onLost (listener: (index: number) => void): void { this.on('lost', listener) }

  put (index: number, bytes: Uint8Array, cb: DoneCallback = () => {}): void {
    this.#track(this.#put(index, bytes)).then(
      () => queueMicrotask(() => cb(null)), (err: Error) => queueMicrotask(() => cb(err))
    )
  }

  async #put (index: number, bytes: Uint8Array): Promise<void> {
    const folder = this.#openFolder()
    checkRange(folder.task, index, bytes.length)
    await folder.put(index, bytes)
  }

  get (index: number, cb?: GetCallback): void
  get (index: number, opts: GetOptions | null | undefined, cb?: GetCallback): void
  get (index: number, opts?: GetOptions | GetCallback | null, cb: GetCallback = () => {}): void {
    if (typeof opts === 'function') return this.get(index, null, opts)
    const { offset, length } = opts ?? {}
    const cached =
      this.#closing === null && length !== undefined
        ? this.#folder?.reader.readCached(index, offset ?? 0, length)
        : undefined
    if (cached !== undefined) return queueMicrotask(() => cb(null, cached))
    this.#track(this.#get(index, opts ?? {}))
      .then(chunk => queueMicrotask(() => cb(null, chunk)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  async read (index: number, offset: number, length: number): Promise<Buffer> {
    return this.#track(this.#get(index, { offset, length }))
  }

  async #get (index: number, { offset, length }: GetOptions): Promise<Buffer> {
    return this.#openFolder().reader.read(index, offset, length)
  }

  async verify (index: number): Promise<boolean> {
    return this.#track(Promise.resolve(this.#openFolder().reader.verify(index)))
  }

  /** The same for who only looks: damage is not recorded. */
  async isIntact (index: number): Promise<boolean> {
    return this.#track(this.#openFolder().reader.isIntact(index))
  }

  /** Checks the remaining pieces, so that damage is found before anyone waits for them. */
  async verifyRest (): Promise<void> {
    const check = async (index: number): Promise<boolean> =>
      await this.#track(Promise.resolve(this.#openFolder().reader.verifyOnce(index)))
    await checkRest(this.results.keys(), check, this.#abort.signal)
  }

  receive (index: number, size: number): PieceDraft {
    const folder = this.#openFolder()
    checkRange(folder.task, index, size)
    const incoming = folder.receive(index, size)
    const whileOpen = async <T>(use: () => Promise<T>): Promise<T> => {
      this.#openFolder()
      return this.#track(use())
    }
    return {
      write: (at, bytes) => whileOpen(() => incoming.write(at, bytes)),
      hashInto: (digest, at, length) => whileOpen(() => incoming.hashInto(digest, at, length)),
      commit: result => whileOpen(() => incoming.commit(result)),
      discard: () => { incoming.discard() }
    }
  }

  /**
   * This many pieces at a time will soon be computed by this executor: it starts what it can. Throws
   * BW_ERR_STORE_CLOSED.
   */
  prepare (executor: Executor, count: number): void {
    const folder = this.#openFolder()
    // with inputs, the mounts of the first piece are not known yet
    if (this.#run.inputs === undefined) prepare(folder, executor, count)
  }

  /**
   * The needs of the task that this machine does not meet, in words. Rejects with BW_ERR_NO_EXECUTOR,
   * BW_ERR_STORE_CLOSED, and the errors of missing-needs.ts.
   */
  async missingNeeds (): Promise<string[]> { return this.#track(missingNeeds(this.#openFolder(), this.#run)) }

  /** Of the commands among its needs, those that fail with these inputs: see missing-needs.ts. */
  async failingCommands (inputs: Given): Promise<string[]> {
    return this.#track(failingCommands(this.#openFolder(), this.#run, inputs))
  }

  /** A path for what commands need, until the store is opened again. Throws BW_ERR_STORE_CLOSED. */
  newPath (): string { return this.#openFolder().newWork() }

  drop (index: number): void { this.#openFolder().lose(index) }

  generate (index: number, opts?: GenerateOptions): Generation {
    return this.#untilEnd(generate(this.#openFolder(), index, this.#run, opts))
  }

  verifyBy (index: number, other?: UnstoredResult): Judging {
    return this.#untilEnd(verifyPiece(this.#openFolder(), index, this.#run, other))
  }

  compare (index: number, other: UnstoredResult): Judging {
    return this.#untilEnd(compareResults(this.#openFolder(), index, this.#run, other))
  }

  isVerified (index: number): boolean { return this.#folder?.table.isVerified(index) === true }

  setVerified (index: number): void { this.#openFolder().setVerified(index) }

  computed (index: number): Result | undefined { return this.#folder?.table.computed(index) }

  async setComputed (index: number, own: Result): Promise<void> { return this.#openFolder().setComputed(index, own) }

  async finishFile (file: number, opts: FinishOptions): Promise<FinishedFile | null> {
    const known = this.#finishing.get(file)
    if (known !== undefined) {
      const finished = await known
      return finished === null && opts.run ? this.finishFile(file, opts) : finished
    }
    const signal = opts.signal === undefined ? this.#abort.signal : AbortSignal.any([opts.signal, this.#abort.signal])
    const finishing = this.#track(finishFile(this.#openFolder(), file, { ...opts, signal }, this.#run))
      .finally(() => this.#finishing.delete(file))
    this.#finishing.set(file, finishing)
    return finishing
  }

  /** A finished file as it was when it was compared with its record; undefined: there is none, or it was not yet. */
  finishedMark (file: number): FileMark | undefined { return this.#folder?.table.checkedMark(file) }

  /** See results-file.ts. */
  async writeResults (...how: [accepted: HowAccepted, keys?: () => Iterable<KnownKey>]): Promise<string> {
    return this.#track(writeResultsFile(this.#openFolder(), ...how))
  }

  /** Whether `writeResults` has written a file, now or earlier. */
  async hasResults (): Promise<boolean> { return this.#track(hasResultsFile(this.#opts.task, this.#opts.path)) }

  /** Also kills running commands. */
  close (cb: DoneCallback = () => {}): void {
    this.#close().then(() => queueMicrotask(() => cb(null)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  /** Removes everything of the task from the disk, including finished files. */
  destroy (cb: DoneCallback = () => {}): void {
    this.#close().then(async () => this.#folder?.destroy())
      .then(async () => removeResultsFile(this.#opts.task, this.#opts.path))
      .then(() => queueMicrotask(() => cb(null)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  async #close (): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end (): Promise<void> {
    this.#abort.abort()
    for (const running of this.#running) running.kill()
    await Promise.allSettled(this.#pending)
    await this.#folder?.scratch.close()
    this.#folder?.close()
  }

  #openFolder (): TaskFolder {
    if (this.#folder === null || this.#closing !== null) throw closed()
    return this.#folder
  }

  /** close() kills it. */
  #untilEnd<T extends Generation | Judging> (running: T): T {
    this.#running.add(running)
    const forget = (): void => { this.#running.delete(running) }
    this.#track<unknown>(running.done).then(forget, forget)
    return running
  }

  /** close() waits for the promise. */
  async #track<T> (promise: Promise<T>): Promise<T> {
    const end = promise.then(() => {}, () => {})
    this.#pending.add(end)
    void end.then(() => this.#pending.delete(end))
    return promise
  }
}

const NONE: ReadonlyResults = new PackedResults(0)

function checkRange ({ pieceCount, pieceLength }: Task, index: number, size: number): void {
  if (Number.isInteger(index) && index >= 0 && index < pieceCount && size <= pieceLength) return
  throw new BitWorkerError(
    'BW_ERR_PIECE_RANGE',
    'usage',
    `Piece ${index} of ${size} bytes does not fit the task, which has ${pieceCount} pieces of at most ${pieceLength} bytes.`
  )
}

function closed (): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_STORE_CLOSED', 'usage', 'The store is not open. Open it before use, and do not use it after closing it.'
  )
}

/**
 * The pieces of a task on disk, as an abstract-chunk-store whose chunks may be shorter than `chunkLength`, and which can
 * be asked, explicitly, to compute one. A `get` never computes. Called by the work session; the parts are in store-*.ts:
 * layout, lock, restore (start), folder (state), generate, finish, complete.
 */
import { EventEmitter } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { BitWorkerError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import type { Executor } from '../executor/bash-executor.ts'
import { checkBinds } from '../executor/binds.ts'
import type { Bind } from '../executor/binds.ts'
import { PackedResults } from '../results/packed-results.ts'
import type { ReadonlyResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import type { Task } from '../task/task.ts'
import { finishFile } from './finish-file.ts'
import type { FinishOptions } from './finish-file.ts'
import { generate, prepare } from './generate.ts'
import type { Generation, RunOptions } from './generate.ts'
import type { IncomingPiece } from './incoming-piece.ts'
import { PlainStore } from './plain-store.ts'
import { TaskFolder } from './task-folder.ts'
import type { FinishedFile } from './types.ts'

const trace = traceOf('store')

/** What is checked in the background works for this long, and then leaves disk and processor to others for so many times that. */
const CHECK_SLICE_MS = 5
const CHECK_PAUSES = 4

export type { FinishOptions } from './finish-file.ts'
export type { FinishedFile } from './types.ts'
export type { Generated, Generation } from './generate.ts'

/** How a task's store runs commands. */
export interface StoreRunOptions {
  /** default: nothing can be run */
  executor?: Executor
  /** files and folders of this machine that appear in every scratch folder */
  binds?: readonly Bind[]
  /** a cap for one work item, beside the task's own; milliseconds, 0 = none */
  timeoutMs?: number
}

/** What makes a store a task's. */
export interface ComputeStoreOptions extends StoreRunOptions {
  task: Task
  /** the output folder */
  path: string
  /** overwrite files that are not ours; default false */
  force?: boolean
}

/** Called with the chunk. */
export type GetCallback = (err: Error | null, chunk?: Buffer) => void
/** Called when it is done. */
export type DoneCallback = (err?: Error | null) => void
/** A part of a chunk, in bytes; default all of it. */
export interface GetOptions { offset?: number, length?: number }

/**
 * A chunk store. Without `task` it is an ordinary one in a temporary folder. Emits 'lost' with a piece's index when a
 * stored piece turns out to be gone or damaged.
 */
export class ComputeStore extends EventEmitter<{ lost: [index: number] }> {
  /** bytes, the most a chunk may have (exactly that many without a task) */
  readonly chunkLength: number
  readonly #opts: ComputeStoreOptions | null
  readonly #plain: PlainStore
  readonly #pending = new Set<Promise<unknown>>()
  readonly #generations = new Set<Generation>()
  readonly #finishing = new Map<number, Promise<FinishedFile | null>>()
  readonly #abort = new AbortController()
  #run: RunOptions = { binds: [], timeoutMs: 0 }
  #folder: TaskFolder | null = null
  #opening: Promise<ReadonlyResults> | null = null
  #closing: Promise<void> | null = null

  /** Throws BW_ERR_BIND. */
  constructor (chunkLength: number, opts?: Partial<ComputeStoreOptions>) {
    super()
    this.chunkLength = chunkLength
    this.#plain = new PlainStore(chunkLength)
    this.#opts = opts?.task === undefined || opts.path === undefined ? null : opts as ComputeStoreOptions
    if (this.#opts !== null) this.configure(this.#opts)
  }

  /** What is stored, by index. Empty until the store is open. */
  get results (): ReadonlyResults { return this.#folder?.table.results ?? NONE }

  /** Calls `listener` with each piece that turns out to be gone or damaged. */
  onLost (listener: (index: number) => void): void { this.on('lost', listener) }

  /** Changes how commands started from now on are run; what is not given stays. Throws BW_ERR_BIND. */
  configure ({ executor = this.#run.executor, binds, timeoutMs = this.#run.timeoutMs }: StoreRunOptions): void {
    this.#run = { binds: binds === undefined ? this.#run.binds : checkBinds(binds), timeoutMs, ...(executor !== undefined && { executor }) }
  }

  /**
   * Opens a task's folder: resolves with what is stored there by names and sizes. Each piece is compared with its digest
   * before its first byte is used, and 'lost' if it does not match; see `verifyOnce`. Rejects with
   * BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL, BW_ERR_LOCKED, BW_ERR_FILE_EXISTS, BW_ERR_SYMLINK, or BW_ERR_ABORTED if it is
   * closed meanwhile.
   */
  async open (): Promise<ReadonlyResults> {
    this.#opening ??= this.#track(this.#open())
    return this.#opening
  }

  async #open (): Promise<ReadonlyResults> {
    if (this.#opts === null || this.#closing !== null) throw closed()
    const { task, path, force = false } = this.#opts
    const onLost = (index: number): void => {
      trace('piece %d is gone or damaged', index)
      this.emit('lost', index)
    }
    this.#folder = await TaskFolder.open({ task, path, force, onLost, signal: this.#abort.signal })
    trace('%s has %d of %d pieces', path, this.#folder.table.results.size, task.pieceCount)
    return this.#folder.table.results
  }

  /** Size and digest of a stored piece. */
  result (index: number): Result | undefined { return this.results.get(index) }

  /** Whether a file has its final name and content. */
  isFinished (file: number): boolean { return this.#folder?.table.finished.has(file) === true }

  /** Stores a chunk, in place of the one there was. Errors: see `putResult`, BW_ERR_PIECE_RANGE. */
  put (index: number, bytes: Uint8Array, cb: DoneCallback = () => {}): void {
    const put = this.#opts === null ? this.#track(this.#putPlain(index, bytes)) : this.#track(this.#put(index, bytes, { replace: true }))
    put.then(() => queueMicrotask(() => cb(null)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  /**
   * Stores a piece whose SHA-256 was checked. Resolves with what is stored: if another result came first, that one.
   * Rejects with BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER, BW_ERR_PIECE_RANGE, BW_ERR_STORE_CLOSED.
   */
  async putResult (index: number, bytes: Uint8Array, digest?: Uint8Array): Promise<Result> {
    return this.#track(this.#put(index, bytes, { ...(digest !== undefined && { digest }) }))
  }

  async #putPlain (index: number, bytes: Uint8Array): Promise<void> {
    if (this.#closing !== null) throw closed()
    await this.#plain.put(index, bytes)
  }

  async #put (index: number, bytes: Uint8Array, opts: { digest?: Uint8Array, replace?: boolean }): Promise<Result> {
    const folder = this.#openFolder()
    checkRange(folder.task, index, bytes.length)
    return folder.put(index, bytes, opts)
  }

  /** Reads a chunk or a part of it. A missing one is an error, and never computed: BW_ERR_PIECE_MISSING, _RANGE, _LOST. */
  get (index: number, cb?: GetCallback): void
  get (index: number, opts: GetOptions | null | undefined, cb?: GetCallback): void
  get (index: number, opts?: GetOptions | GetCallback | null, cb: GetCallback = () => {}): void {
    if (typeof opts === 'function') return this.get(index, null, opts)
    const { offset, length } = opts ?? {}
    const cached = this.#closing === null && length !== undefined ? this.#folder?.reader.readCached(index, offset ?? 0, length) : undefined
    if (cached !== undefined) return queueMicrotask(() => cb(null, cached))
    this.#track(this.#get(index, opts ?? {}))
      .then(chunk => queueMicrotask(() => cb(null, chunk)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  /** As `get`. */
  async read (index: number, offset: number, length: number): Promise<Buffer> {
    return this.#track(this.#get(index, { offset, length }))
  }

  async #get (index: number, { offset, length }: GetOptions): Promise<Buffer> {
    if (this.#opts !== null) return this.#openFolder().reader.read(index, offset, length)
    if (this.#closing !== null) throw closed()
    return this.#plain.read(index, offset, length)
  }

  /** Compares a stored piece with its digest; false, after 'lost', if it does not match or is not there. */
  async verify (index: number): Promise<boolean> {
    return this.#track(Promise.resolve(this.#openFolder().reader.verify(index)))
  }

  /** As `verify`, unless the piece was compared with its digest since the store was opened. */
  async verifyOnce (index: number): Promise<boolean> {
    return this.#track(Promise.resolve(this.#openFolder().reader.verifyOnce(index)))
  }

  /**
   * Compares what was stored before the store was opened with its digests, little by little: what is damaged is to be
   * known before somebody waits for it. Resolves when all was looked at, or the store is closing.
   */
  async verifyRest (): Promise<void> {
    const { signal } = this.#abort
    let since = performance.now()
    for (const index of this.results.keys()) {
      if (signal.aborted) return
      await this.verifyOnce(index).catch(() => {}) // whoever needs the piece will meet the error
      const elapsed = performance.now() - since
      if (elapsed < CHECK_SLICE_MS) continue
      await setTimeout(elapsed * CHECK_PAUSES, undefined, { signal, ref: false }).catch(() => {})
      since = performance.now()
    }
  }

  /** Begins to store a piece of `size` bytes that comes bit by bit. Throws BW_ERR_PIECE_RANGE, BW_ERR_STORE_CLOSED. */
  receive (index: number, size: number): Pick<IncomingPiece, keyof IncomingPiece> {
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

  /** So many pieces at a time are to be computed soon, by this executor: it starts what it can. Throws BW_ERR_STORE_CLOSED. */
  prepare (executor: Executor, count: number): void { prepare(this.#openFolder(), executor, count) }

  /** Starts computing a piece, at once. Throws BW_ERR_STORE_CLOSED. */
  generate (index: number): Generation {
    const generation = generate(this.#openFolder(), index, this.#run)
    this.#generations.add(generation)
    const forget = (): void => { this.#generations.delete(generation) }
    this.#track(generation.done).then(forget, forget)
    return generation
  }

  /** Finishes a file whose parts are all stored; null if its complete command may not run. Errors: see finish-file.ts. */
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

  /** Kills what runs, waits for what is under way, and gives the folder back; the second call does no more. */
  close (cb: DoneCallback = () => {}): void {
    this.#close().then(() => queueMicrotask(() => cb(null)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  /** Closes, and removes everything of the task's on disk, finished files included. */
  destroy (cb: DoneCallback = () => {}): void {
    this.#close().then(async () => this.#folder?.destroy())
      .then(() => queueMicrotask(() => cb(null)), (err: Error) => queueMicrotask(() => cb(err)))
  }

  async #close (): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end (): Promise<void> {
    this.#abort.abort()
    for (const generation of this.#generations) generation.kill()
    await Promise.allSettled(this.#pending)
    await this.#folder?.scratch.close()
    this.#folder?.close()
    await this.#plain.close()
  }

  #openFolder (): TaskFolder {
    if (this.#folder === null || this.#closing !== null) throw closed()
    return this.#folder
  }

  /** close() waits for it. */
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
  throw new BitWorkerError('BW_ERR_PIECE_RANGE', 'usage',
    `piece ${index} with ${size} bytes does not fit the task, which has ${pieceCount} pieces of at most ${pieceLength} bytes`)
}

function closed (): BitWorkerError {
  return new BitWorkerError('BW_ERR_STORE_CLOSED', 'usage', 'the store is not open; open it before use, and not after close')
}

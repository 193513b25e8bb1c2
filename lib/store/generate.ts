/**
 * Computes one piece: an empty scratch folder, the command, and its output, which is hashed on the way and then
 * renamed.
 */
import { open } from 'node:fs/promises'
import { BitWorkerError, CommandError, NO_COST } from '../base/errors.ts'
import type { Executor, ItemOutcome, RunningItem, WorkItem } from '../executor/bash-executor.ts'
import { mountsOf } from '../executor/binds.ts'
import type { Binds } from '../executor/binds.ts'
import { gpuMounts } from '../executor/sandbox/gpu.ts'
import type { Mount } from '../executor/types.ts'
import { killed, noRoots } from '../executor/failures.ts'
import { sameResult } from '../results/result.ts'
import { readAt } from '../system/file-io.ts'
import { ioError } from '../system/io-errors.ts'
import { spaceAsked } from '../task/asks.ts'
import { workItemEnv } from '../task/task.ts'
import { checkRoom, removeFile } from './files/folders.ts'
import { linkInto } from './files/scratch.ts'
import type { Scratch } from './files/scratch.ts'
import type { TaskFolder } from './task-folder.ts'
import type { GenerateOptions, Generated, Generation, Given, Inputs, UnstoredResult } from './types.ts'

/** How commands are run. */
export interface RunOptions {
  executor?: Executor
  binds: Binds
  /** default: the task has none */
  inputs?: Inputs
  /** absolute path of the folder that commands see as `/`; default: the task has none */
  root?: string
  /** absolute paths of the device nodes that commands may use; default: none */
  devices?: readonly string[]
  /** milliseconds; 0 = only the task's limit */
  timeoutMs: number
}

const NOTHING: Given = { files: [] }

/**
 * Makes inputs, binds and devices available to a command: in a sandbox by mounts, which are returned, otherwise inputs
 * by links in its folder `cwd`. Throws BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER.
 */
export function show ({ executor, binds, devices = [] }: RunOptions, { files }: Given, cwd: string): Mount[] {
  if (executor?.scratch === undefined) linkInto(cwd, files)
  return [...mountsOf([...binds, ...files]), ...gpuMounts(devices)]
}

/** Throws BW_ERR_INPUT if a command would run without the task's inputs: its result would be wrong. */
export function checkInputs ({ inputs, root }: RunOptions, task: TaskFolder['task']): void {
  if ((inputs !== undefined || task.inputs === undefined) && (root !== undefined || task.root === undefined)) return
  throw new BitWorkerError('BW_ERR_INPUT', 'usage', 'The task has inputs, which are not fetched here; nothing is run.')
}

/**
 * Waits for a command. Where what it has read was changed meanwhile, its result may be of both, and its failure may not
 * be its own: rejects with BW_ERR_INPUT, which counts as a failure of it all the same, since it may have done it.
 */
export async function untilIntact<T> (done: Promise<T>, given: Given): Promise<T> {
  const [ended] = await Promise.allSettled([done])
  if (await given.isIntact?.() === false) {
    const { exitCode = null, signal = null, stderr = '', cost = NO_COST } = ended.status === 'rejected' && ended.reason instanceof CommandError ? ended.reason : {}
    throw new CommandError(
      'BW_ERR_INPUT', 'An input changed while the command read it, so the result is discarded.', { exitCode, signal, stderr, cost }
    )
  }
  if (ended.status === 'rejected') throw ended.reason
  return ended.value
}

/** Runs a work item. Throws BW_ERR_NO_EXECUTOR, BW_ERR_NO_SANDBOX. */
export function runItem ({ executor, root }: RunOptions, item: WorkItem): RunningItem {
  if (executor === undefined) {
    throw new BitWorkerError('BW_ERR_NO_EXECUTOR', 'usage', 'The store has no executor to run commands with. Give it one.')
  }
  if (root === undefined) return executor.run(item)
  if (executor.hasRoots !== true) throw noRoots()
  return executor.run({ ...item, root })
}

/** Makes the executor start what this many work items of the folder's task will need. */
export function prepare (folder: TaskFolder, executor: Executor, count: number): void {
  const { task, table } = folder
  if (table.results.size === task.pieceCount) return
  const like: WorkItem = {
    command: task.command,
    env: workItemEnv(task, 0),
    cwd: folder.newWork(),
    stdout: null,
    maxOutputBytes: task.pieceLength,
    timeoutMs: 0
  }
  executor.prepare?.(like, count)
}

/** Starts computing a piece of the folder's task at once. */
export function generate (folder: TaskFolder, piece: number, run: RunOptions, opts: GenerateOptions = {}): Generation {
  return new PieceGeneration(folder, piece, run, opts)
}

class PieceGeneration implements Generation {
  readonly piece: number
  readonly ended: Promise<void>
  readonly done: Promise<Generated>
  readonly #folder: TaskFolder
  readonly #replaces: GenerateOptions['replaces']
  #end: () => void = () => {}
  #item: RunningItem | null = null
  #isKilled = false
  #onKilled: () => void = () => {}

  constructor (folder: TaskFolder, piece: number, run: RunOptions, { replaces }: GenerateOptions) {
    this.piece = piece
    this.#folder = folder
    this.#replaces = replaces
    this.ended = new Promise(resolve => { this.#end = resolve })
    this.done = this.#run(run)
    this.done.then(this.#end, this.#end) // callers that kill it need not handle the rejection
  }

  kill (): void {
    this.#isKilled = true
    this.#onKilled()
    this.#item?.kill()
  }

  pause (): void { this.#item?.pause() }

  resume (): void { this.#item?.resume() }

  async #run (run: RunOptions): Promise<Generated> {
    const { task, layout, scratch } = this.#folder
    const stdout = `${this.#folder.newWork()}.out` // outside the working directory
    let cwd: Scratch | undefined
    let given = NOTHING
    let isGood = false
    try {
      checkInputs(run, task)
      if (run.inputs !== undefined) {
        given = await run.inputs.forPiece(this.piece)
        if (this.#isKilled) throw killed()
      }
      cwd = scratch.take(run.binds)
      const timeoutMs = strictest(task.timeoutMs, run.timeoutMs)
      this.#item = runItem(run, {
        command: task.command,
        env: { ...workItemEnv(task, this.piece), ...given.env },
        cwd: cwd.path,
        mounts: show(run, given, cwd.path),
        ...(given.stdin !== undefined && { stdin: given.stdin }),
        asks: spaceAsked(task),
        stdout,
        maxOutputBytes: task.pieceLength,
        timeoutMs
      })
      const outcome = await untilIntact(this.#finish(this.#item), this.#unlessKilled(given))
      if (this.#isKilled) throw killed()
      const { size, digest } = outcome
      const own = { size, digest }
      const ms = Math.round(outcome.ms)
      const replaces = this.#replaces?.bind(null, { ...own, draft: fileDraft(stdout), ms })
      const stored = replaces === undefined
        ? await this.#folder.commit(this.piece, stdout, own)
        : await this.#folder.commitComputed(this.piece, stdout, own, replaces)
      isGood = true
      return {
        ...stored,
        ...(!sameResult(stored, own) && { discarded: own }),
        ms,
        cpuMs: outcome.cpuMs,
        memoryBytes: outcome.memoryBytes,
        stderr: outcome.stderr
      }
    } catch (err) {
      removeFile(stdout)
      throw ioError(err, layout.folder)
    } finally {
      given.giveBack?.()
      if (cwd !== undefined) await scratch.giveBack(cwd, isGood)
    }
  }

  /** What was killed is discarded, whatever it has read. */
  #unlessKilled (given: Given): Given {
    const isKilled = new Promise<true>(resolve => { this.#onKilled = () => { resolve(true) } })
    return {
      ...given,
      isIntact: async () => this.#isKilled || Promise.race([given.isIntact?.() ?? true, isKilled])
    }
  }

  /** On a full disk, a command fails with any exit code, or does not notice. */
  async #finish (item: RunningItem): Promise<ItemOutcome> {
    try {
      const outcome = await item.done
      this.#end()
      checkRoom(this.#folder.layout)
      return outcome
    } catch (err) {
      if (err instanceof CommandError && (err.code === 'BW_ERR_COMMAND_EXIT' || err.code === 'BW_ERR_COMMAND_SIGNAL')) {
        checkRoom(this.#folder.layout, err)
      }
      throw err
    }
  }
}

/** A finished file, read as a draft is. */
function fileDraft (at: string): UnstoredResult['draft'] {
  return {
    async hashInto (digest, offset, length) {
      const file = await open(at)
      try {
        digest.update(await readAt(file.fd, offset, length))
      } finally {
        await file.close()
      }
    }
  }
}

/** The stricter of two time limits; 0: none. */
export function strictest (a = 0, b = 0): number {
  return a === 0 || b === 0 ? Math.max(a, b) : Math.min(a, b)
}

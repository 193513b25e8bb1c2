/**
 * Runs the verify command of a task on a piece, and its compare command on two results of one: as the work item of the
 * piece would run, but for its standard input, its files and its time. A command gets copies, so that it can change
 * nothing of what is stored. Called by ComputeStore.
 */
import { open } from 'node:fs/promises'
import { CommandError } from '../base/errors.ts'
import type { RunningItem } from '../executor/bash-executor.ts'
import { killed } from '../executor/failures.ts'
import { ioError } from '../system/io-errors.ts'
import { spaceAsked } from '../task/asks.ts'
import { workItemEnv } from '../task/task.ts'
import { removeFile } from './files/folders.ts'
import { checkInputs, runItem, show, strictest, untilIntact } from './generate.ts'
import type { RunOptions } from './generate.ts'
import type { TaskFolder } from './task-folder.ts'
import type { Given, GivenFile, Judgement, Judging, UnstoredResult } from './types.ts'

/** What the command prints is discarded; more than this, it cannot tell. */
const MAX_STDOUT_BYTES = 1024 ** 3
const COPY_BYTES = 1024 ** 2
/** Whoever runs the command may read it, nobody may write it. */
const COPY_MODE = 0o444
const WRONG = 1

/** What a command is asked about a piece: files that it finds in its working directory, or on standard input. */
interface Question { command: string, timeoutMs: number | undefined, stdin?: Source, files: Record<string, Source> }

/** Where a result is: `null`: stored. */
type Source = UnstoredResult | null

/** Starts running the task's verify command on the stored result of a piece, or on another one. */
export function verifyPiece (
  folder: TaskFolder, index: number, run: RunOptions, other: UnstoredResult | null = null
): Judging {
  const { verifyCommand: command = '', verifyTimeoutMs: timeoutMs = folder.task.timeoutMs } = folder.task
  return new Judge(folder, index, { command, timeoutMs, stdin: other, files: {} }, run)
}

/** Starts running the task's compare command on the stored result of a piece, and on another one. */
export function compareResults (folder: TaskFolder, index: number, run: RunOptions, other: UnstoredResult): Judging {
  const { compareCommand: command = '', timeoutMs } = folder.task
  return new Judge(folder, index, { command, timeoutMs, files: { a: null, b: other } }, run)
}

class Judge implements Judging {
  readonly done: Promise<Judgement>
  readonly #folder: TaskFolder
  readonly #index: number
  #item: RunningItem | null = null
  #isKilled = false

  constructor (folder: TaskFolder, index: number, question: Question, run: RunOptions) {
    this.#folder = folder
    this.#index = index
    this.done = this.#judge(question, run)
    this.done.catch(() => {}) // callers that kill it need not handle the rejection
  }

  kill (): void {
    this.#isKilled = true
    this.#item?.kill()
  }

  pause (): void { this.#item?.pause() }

  resume (): void { this.#item?.resume() }

  async #judge (question: Question, run: RunOptions): Promise<Judgement> {
    const copies: string[] = []
    try {
      return await this.#run(question, run, copies)
    } catch (err) {
      if (this.#isKilled) throw killed()
      if (err instanceof CommandError && err.code === 'BW_ERR_COMMAND_EXIT' && err.exitCode === WRONG) {
        return { verdict: 'wrong' }
      }
      return { verdict: 'unknown', why: ioError(err, this.#folder.layout.folder) }
    } finally {
      for (const copy of copies) removeFile(copy)
    }
  }

  async #run ({ command, timeoutMs, stdin, files }: Question, run: RunOptions, copies: string[]): Promise<Judgement> {
    const { task, scratch } = this.#folder
    checkInputs(run, task)
    const copy = async (source: Source): Promise<string> => {
      const at = `${this.#folder.newWork()}.in`
      copies.push(at)
      await this.#copy(source, at)
      return at
    }
    const read = stdin === undefined ? undefined : await copy(stdin)
    const own: GivenFile[] = []
    for (const [name, source] of Object.entries(files)) own.push({ name, path: await copy(source) })
    const given: Given = await run.inputs?.forPiece(this.#index) ?? { files: [] }
    const seen = [...given.files.filter(({ name }) => !(name in files)), ...own]
    let cwd
    let isGood = false
    try {
      if (this.#isKilled) throw killed()
      cwd = scratch.take(run.binds)
      this.#item = runItem(run, {
        command,
        env: { ...workItemEnv(task, this.#index), ...given.env },
        cwd: cwd.path,
        mounts: show(run, { ...given, files: seen }, cwd.path),
        ...(read !== undefined && { stdin: read }),
        asks: spaceAsked(task),
        stdout: null,
        maxOutputBytes: MAX_STDOUT_BYTES,
        timeoutMs: strictest(timeoutMs, run.timeoutMs)
      })
      const { ms } = await untilIntact(this.#item.done, given)
      isGood = true
      return { verdict: 'right', ms }
    } finally {
      given.giveBack?.()
      if (cwd !== undefined) await scratch.giveBack(cwd, isGood)
    }
  }

  async #copy (source: Source, at: string): Promise<void> {
    const { reader, table } = this.#folder
    const size = source?.size ?? table.results.get(this.#index)?.size ?? 0
    const file = await open(at, 'wx', COPY_MODE)
    try {
      for (let offset = 0; offset < size; offset += COPY_BYTES) {
        const length = Math.min(COPY_BYTES, size - offset)
        const chunks: Uint8Array[] = []
        if (source === null) chunks.push(await reader.read(this.#index, offset, length))
        else await source.draft.hashInto({ update: bytes => chunks.push(Uint8Array.from(bytes)) }, offset, length)
        for (const chunk of chunks) await file.writeFile(chunk)
      }
    } finally {
      await file.close()
    }
  }
}

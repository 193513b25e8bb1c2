/**
 * Judges the files that a complete command made: whether their bytes are as they were recorded, and whether the command
 * makes the same of the pieces again. For `verify`.
 */
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { CommandError } from '../../base/errors.ts'
import { sameResult } from '../../results/result.ts'
import type { Result } from '../../results/result.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import type { Output } from '../../store/output.ts'
import { hashFile, isGone } from '../../system/file-io.ts'
import type { Task } from '../../task/task.ts'

/** How a file was found. */
export interface CheckedFile {
  /** as the task has it */
  path: string
  /**
   * `right`: the complete command makes the same of the pieces; `wrong`: it makes something else; `unsure`: here, two
   * runs of it differ; `failed`; `damaged`: its bytes are gone or changed; `unmade`: they are as recorded, and the
   * command was not run
   */
  state: 'right' | 'wrong' | 'unsure' | 'failed' | 'damaged' | 'unmade'
  /** why it failed */
  message?: string
}

/** Where files are, and how they can be made again. */
export interface CheckFilesOptions {
  task: Task
  output: Output
  /** null: the complete command is not run; otherwise the store has all pieces */
  store: ComputeStore | null
  signal: AbortSignal
}

/** Checks the files, one by one. Rejects with the signal's reason, and with errors that are not those of a command. */
export async function checkFiles ({ task, output, store, signal }: CheckFilesOptions): Promise<CheckedFile[]> {
  const checked: CheckedFile[] = []
  for (const made of output.made) {
    signal.throwIfAborted()
    const name = task.files[made.file]!.path
    const there = await hashOf(made.path)
    if (there === null || !sameResult(there, made)) checked.push({ path: name, state: 'damaged' })
    else checked.push({ path: name, ...(store === null ? { state: 'unmade' } : await makeAgain(store, made.file, there, signal)) })
  }
  return checked
}

async function makeAgain (
  store: ComputeStore, file: number, there: Result, signal: AbortSignal
): Promise<Omit<CheckedFile, 'path'>> {
  try {
    const first = await make(store, file, signal)
    if (sameResult(first, there)) return { state: 'right' }
    return { state: sameResult(first, await make(store, file, signal)) ? 'wrong' : 'unsure' }
  } catch (err) {
    if (signal.aborted) throw signal.reason
    if (!(err instanceof CommandError)) throw err
    return { state: 'failed', message: err.message }
  }
}

async function make (store: ComputeStore, file: number, signal: AbortSignal): Promise<Result> {
  const { path: made } = (await store.finishFile(file, { run: true, signal }))!
  const result = await hashFile(made)
  // so that the next call runs the command again
  await rm(path.resolve(made))
  return result
}

async function hashOf (file: string): Promise<Result | null> {
  try {
    return await hashFile(file)
  } catch (err) {
    if (isGone(err)) return null
    throw err
  }
}

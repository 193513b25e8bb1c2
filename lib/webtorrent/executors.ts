/**
 * The executors that a torrent makes for itself, one for each requested way of running commands. They have a sandbox,
 * unless running without one was requested explicitly.
 */
import { BitWorkerError } from '../base/errors.ts'
import { BashExecutor } from '../executor/bash-executor.ts'
import type { Executor } from '../executor/bash-executor.ts'
import { detectSandbox } from '../executor/sandbox/detect.ts'
import { unsupportedProblem } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { ComputeOptions } from './options.ts'

/** The options with which computing begins, and the executor of its commands. */
export interface Choice { options: ComputeOptions, executor: Executor }

/** Makes executors when they are needed, and closes them together. */
export class TorrentExecutors {
  readonly #made = new Map<string, Promise<BashExecutor>>()

  /**
   * Resolves when computing should begin, with the way to compute; null if it is no longer wanted. Testing a sandbox
   * takes a moment, during which `current` may change. Rejects with BW_ERR_TASK_REQUIRES for a task that must not be
   * computed here, and with BW_ERR_NO_SANDBOX if there is no sandbox.
   * @param prepare called with the expected choice, as far as it is known before `settling` ends
   */
  async choose (
    task: Task, settling: Promise<void>, current: () => ComputeOptions | null, prepare: (choice: Choice) => void
  ): Promise<Choice | null> {
    const problem = unsupportedProblem(task)
    if (problem !== null) throw problem
    let options = current()
    while (options !== null) {
      const executor = await this.#get(options)
      if (options === current()) prepare({ options, executor })
      await settling
      if (options === current()) return { options, executor }
      options = current()
    }
    return null
  }

  async #get ({ executor, sandbox = 'auto', limits = {} }: ComputeOptions): Promise<Executor> {
    if (executor !== undefined) return executor
    const key = JSON.stringify([sandbox, limits])
    const made = this.#made.get(key) ?? create(sandbox, limits)
    this.#made.set(key, made)
    return made
  }

  /** Kills running commands. Resolves when all of them have ended. */
  async close (): Promise<void> {
    await Promise.allSettled(Array.from(this.#made.values(), async made => (await made).close()))
  }
}

async function create (
  choice: NonNullable<ComputeOptions['sandbox']>, limits: NonNullable<ComputeOptions['limits']>
): Promise<BashExecutor> {
  if (choice === 'none') return new BashExecutor({ limits })
  const { sandbox, problems } = await detectSandbox(choice)
  if (sandbox !== null) return new BashExecutor({ sandbox, limits })
  throw new BitWorkerError(
    'BW_ERR_NO_SANDBOX', 'system', `No sandbox works here, so nothing is computed. ${problems.join(' ')}`
  )
}

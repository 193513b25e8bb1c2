/** What `client.add` and `torrent.startComputing` take for tasks, besides WebTorrent's options. */
import { BitWorkerError } from '../base/errors.ts'
import type { Executor } from '../executor/bash-executor.ts'
import type { Bind } from '../executor/binds.ts'
import { checkLimits } from '../executor/limits.ts'
import type { Limits } from '../executor/limits.ts'
import type { SandboxChoice } from '../executor/sandbox/types.ts'
import type { CacheOptions } from '../inputs/cache.ts'
import type { FoundInput } from '../inputs/original.ts'
import type { SealOptions } from '../seal/seal.ts'
import { unsupportedProblem } from '../task/task.ts'
import type { ParseTaskOptions, Task } from '../task/task.ts'
import type { TorrentOptions } from './inherited-options.ts'

/** How pieces are computed here. */
export interface ComputeOptions {
  /** work items at a time, at least 1; default: the machine's cores */
  slots?: number
  /** default: none */
  binds?: readonly Bind[]
  /** limit for one work item in milliseconds, if the task allows more; default: the task's */
  timeoutMs?: number
  /** what each command may use at most, whatever the task asks for; default: docs/SECURITY.md */
  limits?: Partial<Limits>
  /**
   * How commands are confined. Default 'auto': as well as this machine can; where it cannot, nothing is computed, and
   * the torrent emits a 'warning' with BW_ERR_NO_SANDBOX. 'none': with all the rights of this process.
   */
  sandbox?: SandboxChoice
  /** runs the commands, in place of a BashExecutor with `limits` and `sandbox` */
  executor?: Executor
}

/** Where inputs are had from and kept. */
export interface InputOptions extends CacheOptions {
  /** what is on this machine already, and is shared without a copy; default: what was made here */
  find? (infoHash: string): Promise<FoundInput | null>
  /** have all of them, even if nothing is computed here, to pass them on; default false */
  seed?: boolean
  /** compute no piece whose slice of a split input has more bytes; default: all */
  maxSliceBytes?: number
}

/** WebTorrent's options for a torrent, and those for tasks, which ordinary torrents ignore. */
export interface TaskTorrentOptions extends TorrentOptions, ParseTaskOptions {
  /**
   * Compute missing pieces, that is: run the task's command on this machine. Default false: adding a task only
   * downloads what others have.
   */
  compute?: boolean | ComputeOptions
  /** where the task's inputs are kept, and had from before anything is downloaded */
  inputs?: InputOptions
  /** Overwrite files in `path` that have the names of the task's files but were not made by it. Default false. */
  force?: boolean
}

/** How a task is sealed. */
export type SealingOptions = Pick<SealOptions, 'onProgress'>

/** Throws BW_ERR_COMPUTE_OPTIONS. */
export function checkComputeOptions ({ slots, limits = {} }: ComputeOptions): void {
  checkLimits(limits)
  if (slots === undefined || (Number.isSafeInteger(slots) && slots >= 1)) return
  throw new BitWorkerError('BW_ERR_COMPUTE_OPTIONS', 'usage', `slots is ${slots}, not a whole number of at least 1.`)
}

/**
 * Throws where nothing can be computed, whatever the options are: BW_ERR_DESTROYED, BW_ERR_NOT_A_TASK for an ordinary
 * torrent, BW_ERR_TASK_REQUIRES for a task of a later version. What is not known yet may be.
 */
export function checkComputable ({
  destroyed, metadata, task
}: {
  destroyed: boolean
  metadata: unknown
  task: Task | null
}): void {
  if (destroyed) throw new BitWorkerError('BW_ERR_DESTROYED', 'usage', 'The torrent was destroyed. Add it again.')
  if (metadata === null) return
  if (task === null)
    throw new BitWorkerError(
      'BW_ERR_NOT_A_TASK', 'usage', 'This is an ordinary torrent, which has nothing to compute. Add a task file.'
    )
  const problem = unsupportedProblem(task)
  if (problem !== null) throw problem
}

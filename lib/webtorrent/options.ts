/** Options of `client.add` and `torrent.startComputing` for tasks, in addition to WebTorrent's. */
import { BitWorkerError } from '../base/errors.ts'
import type { Executor } from '../executor/bash-executor.ts'
import type { Bind } from '../executor/binds.ts'
import { validLimits } from '../executor/limits.ts'
import type { Limits, ValidLimits } from '../executor/limits.ts'
import type { SandboxChoice } from '../executor/sandbox/types.ts'
import type { CacheOptions } from '../inputs/cache.ts'
import type { FoundInput } from '../inputs/original.ts'
import type { SealOptions } from '../seal/seal.ts'
import type { Hold } from '../session/events.ts'
import { unsupportedProblem } from '../task/task.ts'
import type { ParseTaskOptions, Task } from '../task/task.ts'
import type { TorrentOptions } from './inherited-options.ts'
import type { VerifyOptions, VerifyingOptions } from './verify-types.ts'

/** How pieces are computed. */
export interface ComputeOptions {
  /** number of work items at a time, at least 1; default: the number of processor cores */
  slots?: number
  /**
   * compute only these pieces, and leave the others to other peers for as long as the torrent is open; default: all
   */
  pieces?: readonly number[]
  /** files and folders that commands may read; default: none */
  binds?: readonly Bind[]
  /** limit for each work item in milliseconds, if the task allows more; default: the task's */
  timeoutMs?: number
  /** limits for each command, whatever the task asks for; default: docs/SECURITY.md */
  limits?: Partial<Limits>
  /**
   * How commands are confined. Default 'auto': in the best way that this machine supports; if there is none, nothing is
   * computed, and the torrent emits a 'warning' with BW_ERR_NO_SANDBOX. 'none': with all the permissions of this
   * process.
   */
  sandbox?: SandboxChoice
  /**
   * Whether tasks that need a GPU may use one: `true`: all of this machine; a list: these device nodes, as absolute
   * paths. Default false: such a task is not computed, and the torrent emits a 'warning' with BW_ERR_NEEDS. The
   * commands then talk to the drivers in the kernel.
   */
  gpu?: boolean | readonly string[]
  /** runs the commands, instead of a BashExecutor with `limits` and `sandbox` */
  executor?: Executor
}

/** Where inputs are found and stored. */
export interface InputOptions extends CacheOptions {
  /** finds an input on this machine, which is shared without a copy; default: those that were made here */
  find? (infoHash: string): Promise<FoundInput | null>
  /** download all inputs to pass them on, even if nothing is computed here; default false */
  seed?: boolean
  /** the folder in which `createTaskFrom` recorded what was made here; default: see lib/inputs/registry.ts */
  registry?: string
  /**
   * do not compute pieces whose slice of a split input, or tasks whose root, unpacked, is larger than this, in bytes;
   * default: no limit
   */
  maxSliceBytes?: number
}

/** WebTorrent's options for a torrent, and those for tasks, which have no effect on ordinary torrents. */
export interface TaskTorrentOptions extends TorrentOptions, ParseTaskOptions, VerifyOptions {
  /**
   * Compute missing pieces, i.e. run the task's command on this machine. Default false: the task is only downloaded
   * from others.
   */
  compute?: boolean | ComputeOptions
  /** where the task's inputs are stored, and where they are looked for before they are downloaded */
  inputs?: InputOptions
  /**
   * Run the complete command here, even if the task leaves it to its author (`completeBy`). Default: if the task was
   * made on this machine by `createTaskFrom`, or `bitworker create`.
   */
  complete?: boolean
  /**
   * Write `NAME.results.json` to `path` when the task is done, before 'done': size, digest and origin of each piece,
   * and who attests it.
   * Default false.
   */
  results?: boolean
  /**
   * Log what becomes of each piece, in the task's folder, for `bitworker log` (docs/internals.md). Default false.
   */
  log?: boolean
  /** what to call public keys (64 hex digits) in events and in that file; default: nothing */
  labels?: ReadonlyMap<string, string>
  /** @internal how results are verified by attestations, instead of what `verify` says */
  verifying?: VerifyingOptions
  /** Overwrite files in `path` with the names of the task's files that BitWorker did not write. Default false. */
  force?: boolean
}

/** Options of `torrent.seal`. */
export interface SealingOptions extends Pick<SealOptions, 'onProgress'> {
  /**
   * First replace own results of pieces by the one with the lowest digest that a connected peer holds, so that peers
   * whose results differ seal the same files. Any peer can so replace results: only among peers that you trust.
   * Default false.
   */
  agree?: boolean
}

/** Options of `torrent.pauseComputing`. */
export interface PauseOptions {
  /** what happens to the running work items: they are suspended (the default), or go on to their end */
  running?: Hold
}

/** Options that have passed `checkComputeOptions`. */
export interface CheckedComputeOptions extends ComputeOptions { readonly limits: ValidLimits }

/** Throws BW_ERR_COMPUTE_OPTIONS. */
export function checkComputeOptions (options: ComputeOptions): CheckedComputeOptions {
  const { slots, limits = {}, gpu = false, pieces = [] } = options
  const checked = { ...options, limits: validLimits(limits) }
  const isGpu = typeof gpu === 'boolean' || (Array.isArray(gpu) && gpu.every(isDevicePath))
  if (!isGpu) {
    throw new BitWorkerError('BW_ERR_COMPUTE_OPTIONS', 'usage', 'The option gpu is neither true nor false, nor a list of absolute paths.')
  }
  if (!Array.isArray(pieces)) {
    throw new BitWorkerError('BW_ERR_COMPUTE_OPTIONS', 'usage', 'The option pieces is not a list of pieces.')
  }
  if (slots === undefined || (Number.isSafeInteger(slots) && slots >= 1)) return checked
  throw new BitWorkerError('BW_ERR_COMPUTE_OPTIONS', 'usage', `slots is ${slots}, not a whole number of at least 1.`)
}

function isDevicePath (at: unknown): boolean { return typeof at === 'string' && at.startsWith('/') && !at.includes('\0') }

/**
 * Throws if nothing can be computed with any options: BW_ERR_DESTROYED, BW_ERR_NOT_A_TASK for an ordinary torrent,
 * BW_ERR_TASK_REQUIRES for a task of a later version. A torrent that is not known yet may be computable.
 */
export function checkComputable (torrent: KnownTorrent): void {
  checkTask(torrent)
  const problem = torrent.task === null ? null : unsupportedProblem(torrent.task)
  if (problem !== null) throw problem
}

interface KnownTorrent { destroyed: boolean, metadata: unknown, task: Task | null }

/** The same, but a task of a later version is one. */
export function checkTask ({ destroyed, metadata, task }: KnownTorrent): void {
  if (destroyed) throw new BitWorkerError('BW_ERR_DESTROYED', 'usage', 'The torrent was destroyed. Add it again.')
  if (metadata === null) return
  if (task === null)
    throw new BitWorkerError(
      'BW_ERR_NOT_A_TASK', 'usage', 'This is an ordinary torrent, which has nothing to compute. Add a task file.'
    )
}

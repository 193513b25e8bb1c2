/** The interface of an executor. The store depends only on these types, so that a test can replace bash. */

import type { RunCost } from '../base/errors.ts'
import type { Asks } from './limits.ts'

/** A path of this machine that is mounted in the sandbox. */
export interface Mount {
  /** absolute path outside */
  path: string
  /** absolute path inside */
  at: string
  /** default: read-only */
  writable?: boolean
  /** a device node, which can be used; default false */
  isDevice?: boolean
}

/** One execution of a command: a work item, or a file's complete command. */
export interface WorkItem {
  /** run by `/bin/bash -c` */
  command: string
  /** added to the allowed variables of the parent; takes precedence over them */
  env: Record<string, string>
  /** working directory, HOME and TMPDIR; a sandbox has a fresh folder of its own instead */
  cwd: string
  /** what a sandbox shows of this machine besides the system; without a sandbox, the command sees everything anyway */
  mounts?: readonly Mount[]
  /** absolute path of a file of this machine that is its standard input, read-only; default: empty */
  stdin?: string
  /** the limits that the command asks for; default: the general ones */
  asks?: Omit<Asks, 'timeoutMs'>
  /** path of the part file to create for stdout, which must not exist; null: stdout is counted, but not kept */
  stdout: string | null
  /** largest size of stdout in bytes; more is a failure */
  maxOutputBytes: number
  /** milliseconds of running time that it asks for; 0: the general limit */
  timeoutMs: number
  /** $0, $1 … of the command */
  args?: string[]
  /**
   * absolute path of the folder that the command sees as `/`, read-only, in place of this machine's programs; only an
   * executor with `hasRoots` runs such an item
   */
  root?: string
}

/** The result of a successful run, and what it cost. */
export interface ItemOutcome extends RunCost {
  ms: number
  /** size of stdout in bytes */
  size: number
  /** SHA-256 of stdout, 32 bytes; of the empty string if it is not kept */
  digest: Uint8Array
  /** the last lines of stderr, without control characters */
  stderr: string
}

/** A work item that was started. */
export interface RunningItem {
  /** undefined if there is no process */
  readonly pid: number | undefined
  /**
   * Settles when no process of the item is left. Rejects with a CommandError: BW_ERR_COMMAND_EXIT, _SIGNAL, _TIMEOUT,
   * _OUTPUT, _MEMORY, _DISK, _KILLED, _SPAWN or BW_ERR_NO_SHELL; or, if its part file cannot be made, with
   * BW_ERR_DISK_FULL or BW_ERR_OUTPUT_FOLDER. Never causes an unhandled rejection.
   */
  readonly done: Promise<ItemOutcome>
  /** Kills it and everything that it started, at once. */
  kill (): void
  /** Suspends it (SIGSTOP); its timeout is suspended, too. */
  pause (): void
  /** Resumes it (SIGCONT). */
  resume (): void
}

/** Runs work items, any number at a time. */
export interface Executor {
  /** the working directory of every command; undefined: the `cwd` of its item */
  readonly scratch?: string | undefined
  /** whether it runs items with a `root`; default false */
  readonly hasRoots?: boolean
  run (item: WorkItem): RunningItem
  /** Items like this one will follow, `count` at a time: starts what they need ahead, if possible. */
  prepare? (item: WorkItem, count: number): void
  /** Kills everything. Resolves when all processes have ended. Later items are rejected with BW_ERR_COMMAND_KILLED. */
  close (): Promise<void>
}

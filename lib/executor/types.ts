/**
 * What an executor is. The store depends on these shapes only, so a test, or a sandbox, can stand in for bash.
 */

import type { Asks } from './limits.ts'

/** Something of this machine in the sandbox. */
export interface Mount {
  /** absolute path outside */
  path: string
  /** absolute path inside */
  at: string
  /** default: read-only */
  writable?: boolean
}

/** One execution of a command: a work item, or a file's complete command. */
export interface WorkItem {
  /** run by `/bin/bash -c` */
  command: string
  /** added to the allow-listed variables of the parent; wins over them */
  env: Record<string, string>
  /** working directory; also HOME and TMPDIR. A sandbox has a fresh one of its own instead */
  cwd: string
  /** what a sandbox shows of this machine besides the system; without one the command sees everything anyway */
  mounts?: readonly Mount[]
  /** absolute path of a file of this machine that is its standard input, to be read only; default: empty */
  stdin?: string
  /** what the command would like to use; default: what each gets */
  asks?: Omit<Asks, 'timeoutMs'>
  /** path of the part file to create for stdout; must not exist yet. null: stdout is counted, and not kept */
  stdout: string | null
  /** bytes of stdout; one more is a failure */
  maxOutputBytes: number
  /** milliseconds of running time it may ask for; 0: what each gets */
  timeoutMs: number
  /** $0, $1 … of the command */
  args?: string[]
}

/** How a successful run went. */
export interface ItemOutcome {
  /** running time in milliseconds, without the time it was paused */
  ms: number
  /** bytes of stdout, which is what a reader of a pipe gets until its end */
  size: number
  /** SHA-256 of stdout, 32 bytes; of nothing, if it is not kept */
  digest: Uint8Array
  /** the last lines of stderr, control characters stripped */
  stderr: string
}

/** A work item that was started. */
export interface RunningItem {
  /** undefined while, or because, there is no process */
  readonly pid: number | undefined
  /**
   * Settles when nothing of the item runs any more. Rejects with a CommandError: BW_ERR_COMMAND_EXIT, _SIGNAL,
   * _TIMEOUT, _OUTPUT, _MEMORY, _DISK, _KILLED, _SPAWN or BW_ERR_NO_SHELL; or, when its part file cannot be made, with
   * BW_ERR_DISK_FULL or BW_ERR_OUTPUT_FOLDER. Never an unhandled rejection.
   */
  readonly done: Promise<ItemOutcome>
  /** Kills it and everything it started, at once. */
  kill (): void
  /** Stops it (SIGSTOP); its time-out stands still. */
  pause (): void
  /** Lets it go on. */
  resume (): void
}

/** Runs work items; as many at a time as it is given. */
export interface Executor {
  /** the folder that every command finds itself in; undefined: the `cwd` of its item */
  readonly scratch?: string | undefined
  run (item: WorkItem): RunningItem
  /** Items like this one are to come, so many at a time: what they need is started ahead, as far as that can be. */
  prepare? (item: WorkItem, count: number): void
  /** Kills everything; resolves when all of it is gone. Items given later are refused with BW_ERR_COMMAND_KILLED. */
  close (): Promise<void>
}

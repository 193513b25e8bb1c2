/** The errors of a work item, one function per cause: what happened, and what to do about it, in one line. */
import { accessSync, constants } from 'node:fs'
import { BitWorkerError, CommandError } from '../base/errors.ts'
import type { CommandFailure, RunCost } from '../base/errors.ts'
import { errnoOf } from '../system/io-errors.ts'
import type { Limits } from './limits.ts'

/** A message ends with at most this many characters of the last line of stderr. */
export const STDERR_CHARACTERS = 200

/** The reasons for which we kill an item ourselves. */
export type StopReason = 'killed' | 'timeout' | 'output' | 'memory' | 'disk'

/** The data about an item that has ended. */
export interface Ending extends CommandFailure {
  stopped: StopReason | null
  size: number
  maxOutputBytes: number
  limits: Limits
  cost: RunCost
}

/** The error of an item that has ended; null if it succeeded. */
export function failureOf (end: Ending): CommandError | null {
  const failure = { exitCode: end.exitCode, signal: end.signal, stderr: end.stderr, cost: end.cost }
  if (end.stopped === 'killed') return killed(failure)
  if (end.stopped === 'timeout') {
    return new CommandError(
      'BW_ERR_COMMAND_TIMEOUT',
      `The command ran longer than its time limit of ${end.limits.timeoutMs / 1000} s and was killed.`,
      failure
    )
  }
  if (end.stopped === 'memory') {
    return new CommandError(
      'BW_ERR_COMMAND_MEMORY',
      `The command used more than ${mib(end.limits.memoryBytes)} of memory (shared memory and files in memory included) and was killed.`,
      failure
    )
  }
  if (end.stopped === 'disk') {
    return new CommandError(
      'BW_ERR_COMMAND_DISK',
      `The command wrote more than ${mib(end.limits.fileBytes)} to its file or ${mib(end.limits.scratchBytes)} elsewhere, too many files, or a folder that cannot be read, and was killed.`,
      failure
    )
  }
  // first, because a command that goes on writing is killed by SIGXFSZ
  if (end.size > end.maxOutputBytes) return tooMuch(end, failure)
  if (end.signal !== null) {
    return new CommandError('BW_ERR_COMMAND_SIGNAL', `The command was killed by ${end.signal}${because(end)}`, failure)
  }
  if (end.exitCode !== 0)
    return new CommandError(
      'BW_ERR_COMMAND_EXIT', `The command exited with code ${end.exitCode}${because(end)}`, failure
    )
  return null
}

/** BW_ERR_COMMAND_KILLED: we killed it, or it was given too late to be started. */
export function killed (failure: CommandFailure = { exitCode: null, signal: null, stderr: '' }): CommandError {
  return new CommandError(
    'BW_ERR_COMMAND_KILLED', 'The command was killed because its result is no longer needed.', failure
  )
}

/** BW_ERR_COMMAND_OUTPUT: the part file does not contain what the command printed. */
export function outputChanged (): CommandError {
  return new CommandError(
    'BW_ERR_COMMAND_OUTPUT',
    'The command succeeded, but removed or changed the file behind its stdout.',
    { exitCode: 0, signal: null, stderr: '' }
  )
}

/** The error of a command that could not be started: BW_ERR_NO_SHELL or BW_ERR_COMMAND_SPAWN. */
export function spawnFailure (err: unknown, shell: string): CommandError {
  const failure = { exitCode: null, signal: null, stderr: '' }
  if (!isExecutable(shell)) {
    return new CommandError(
      'BW_ERR_NO_SHELL', `${shell} is missing or cannot be executed. Install bash.`, failure, { cause: err }
    )
  }
  return new CommandError('BW_ERR_COMMAND_SPAWN', `The command could not be started: ${spawnReason(err)}`, failure, {
    cause: err
  })
}

function tooMuch (end: Ending, failure: CommandFailure): CommandError {
  return new CommandError(
    'BW_ERR_COMMAND_OUTPUT',
    `The command wrote ${end.size} bytes to stdout, more than the piece length of ${end.maxOutputBytes} bytes. The task needs a larger piece length.`,
    failure
  )
}

function mib (bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}

function because ({ stderr }: CommandFailure): string {
  const line = stderr.slice(stderr.lastIndexOf('\n') + 1)
  return line === '' ? '.' : `: ${line.slice(0, STDERR_CHARACTERS)}`
}

function isExecutable (path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function spawnReason (err: unknown): string {
  switch (errnoOf(err)) {
    case 'EAGAIN': return 'the system allows no more processes (EAGAIN). Use fewer slots, or raise the limit (ulimit -u).'
    case 'EMFILE': case 'ENFILE': return 'too many files are open. Use fewer slots, or raise the limit (ulimit -n).'
    case 'E2BIG': return 'it or one of its variables is longer than the system allows (128 KiB on Linux).'
    case 'ENOMEM': return 'there is not enough memory. Use fewer slots.'
    default: return `${err instanceof Error ? err.message : String(err)}.`
  }
}

/** BW_ERR_NO_SANDBOX: the executor is no sandbox that can have another root. */
export function noRoots (): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NO_SANDBOX',
    'system',
    'Nothing is computed here, only downloaded: the task has its own root, which commands can see only in the sandbox of bubblewrap. Install bubblewrap.'
  )
}

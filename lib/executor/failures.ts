/**
 * The errors of a work item, one function a cause: what happened, and what to do about it, in one line.
 */
import { accessSync, constants } from 'node:fs'
import { CommandError } from '../base/errors.ts'
import type { CommandFailure } from '../base/errors.ts'
import { errnoOf } from '../system/io-errors.ts'
import type { Limits } from './limits.ts'

/** Why we ended an item ourselves. */
export type StopReason = 'killed' | 'timeout' | 'output' | 'memory' | 'disk'

/** What is known when an item has ended. */
export interface Ending extends CommandFailure {
  stopped: StopReason | null
  size: number
  maxOutputBytes: number
  limits: Limits
}

/** The error of an item that has ended; null when it went well. */
export function failureOf (end: Ending): CommandError | null {
  const failure = { exitCode: end.exitCode, signal: end.signal, stderr: end.stderr }
  if (end.stopped === 'killed') return killed(failure)
  if (end.stopped === 'timeout') {
    return new CommandError(
      'BW_ERR_COMMAND_TIMEOUT',
      `the command ran longer than its time-out of ${end.limits.timeoutMs / 1000} s and was killed`,
      failure
    )
  }
  if (end.stopped === 'memory') {
    return new CommandError(
      'BW_ERR_COMMAND_MEMORY',
      `the command took more memory than the ${mib(end.limits.memoryBytes)} it may have (with what it shares and keeps in files in memory), and was killed`,
      failure
    )
  }
  if (end.stopped === 'disk') {
    return new CommandError(
      'BW_ERR_COMMAND_DISK',
      `the command wrote more than it may (${mib(end.limits.fileBytes)} to its file, ${mib(end.limits.scratchBytes)} besides), or too many files, or folders that cannot be looked into, and was killed`,
      failure
    )
  }
  // first: a command is ended by SIGXFSZ when it goes on writing
  if (end.size > end.maxOutputBytes) return tooMuch(end, failure)
  if (end.signal !== null) {
    return new CommandError('BW_ERR_COMMAND_SIGNAL', `the command was killed by ${end.signal}${because(end)}`, failure)
  }
  if (end.exitCode !== 0)
    return new CommandError(
      'BW_ERR_COMMAND_EXIT', `the command exited with code ${end.exitCode}${because(end)}`, failure
    )
  return null
}

/** BW_ERR_COMMAND_KILLED: we killed it, or it came too late to be started. */
export function killed (failure: CommandFailure = { exitCode: null, signal: null, stderr: '' }): CommandError {
  return new CommandError(
    'BW_ERR_COMMAND_KILLED', 'the command was killed because its result is not needed any more', failure
  )
}

/** BW_ERR_COMMAND_OUTPUT: what it printed is not what is in the part file. */
export function outputChanged (): CommandError {
  return new CommandError(
    'BW_ERR_COMMAND_OUTPUT',
    'the command ended well, but removed or changed the file that its stdout goes to',
    { exitCode: 0, signal: null, stderr: '' }
  )
}

/** The error of a command that could not be started: BW_ERR_NO_SHELL or BW_ERR_COMMAND_SPAWN. */
export function spawnFailure (err: unknown, shell: string): CommandError {
  const failure = { exitCode: null, signal: null, stderr: '' }
  if (!isExecutable(shell)) {
    return new CommandError(
      'BW_ERR_NO_SHELL', `${shell} is missing or cannot be executed; install bash to compute`, failure, { cause: err }
    )
  }
  return new CommandError('BW_ERR_COMMAND_SPAWN', `the command could not be started: ${spawnReason(err)}`, failure, {
    cause: err
  })
}

function tooMuch (end: Ending, failure: CommandFailure): CommandError {
  return new CommandError(
    'BW_ERR_COMMAND_OUTPUT',
    `the command wrote ${end.size} bytes to stdout, beyond the piece length of ${end.maxOutputBytes} bytes; the task needs a larger piece length`,
    failure
  )
}

function mib (bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`
}

function because ({ stderr }: CommandFailure): string {
  const line = stderr.slice(stderr.lastIndexOf('\n') + 1)
  return line === '' ? '' : `: ${line.slice(0, 200)}`
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
    case 'EAGAIN': return 'the system refuses more processes (EAGAIN); use fewer slots, or raise the limit (ulimit -u)'
    case 'EMFILE': case 'ENFILE': return 'too many open files; use fewer slots, or raise the limit (ulimit -n)'
    case 'E2BIG': return 'it, or one of its variables, is longer than the system takes (128 KiB on Linux)'
    case 'ENOMEM': return 'not enough memory; use fewer slots'
    default: return err instanceof Error ? err.message : String(err)
  }
}

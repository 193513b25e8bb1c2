/**
 * Every error BitWorker makes. Match on `code`, never on the message: codes are stable, and two copies of the
 * package in one process break `instanceof`. The list, with what to do about each, is docs/errors.md.
 */

/** Whose fault it is: the caller's, the input's, a remote peer's, the task's command's, or this machine's. */
export type Blame = 'usage' | 'input' | 'peer' | 'command' | 'system'

/** What every error code looks like. */
export type ErrorCode = `BW_ERR_${string}`

/** An error with a stable `code`, whose message is one line: what, why, and what to do. */
export class BitWorkerError extends Error {
  readonly code: ErrorCode
  readonly blame: Blame

  constructor (code: ErrorCode, blame: Blame, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BitWorkerError'
    this.code = code
    this.blame = blame
  }
}

/** How a run of a command ended. */
export interface CommandFailure {
  /** null when it was killed by a signal or never started */
  exitCode: number | null
  /** e.g. 'SIGSEGV'; null when it exited by itself */
  signal: NodeJS.Signals | null
  /** the last lines it wrote to stderr, control characters stripped */
  stderr: string
}

/** A work item or a complete command failed. */
export class CommandError extends BitWorkerError implements CommandFailure {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string

  constructor (code: ErrorCode, message: string, failure: CommandFailure, options?: ErrorOptions) {
    super(code, 'command', message, options)
    this.name = 'CommandError'
    this.exitCode = failure.exitCode
    this.signal = failure.signal
    this.stderr = failure.stderr
  }
}

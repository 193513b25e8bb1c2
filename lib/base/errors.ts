/**
 * The errors that BitWorker creates. Match on `code`, never on the message: codes are stable, and `instanceof` fails
 * when a process has two copies of the package. docs/errors.md lists the codes, and what to do about each.
 */

/** The source of the error: the caller, the input, a remote peer, the task's command, or this machine. */
export type Blame = 'usage' | 'input' | 'peer' | 'command' | 'system'

/** All error codes. docs/errors.md explains each. */
export type ErrorCode =
  | 'BW_ERR_ABORTED'
  | 'BW_ERR_ADDRESS'
  | 'BW_ERR_BENCODE'
  | 'BW_ERR_BIND'
  | 'BW_ERR_COMMAND_DISK'
  | 'BW_ERR_COMMAND_EXIT'
  | 'BW_ERR_COMMAND_KILLED'
  | 'BW_ERR_COMMAND_MEMORY'
  | 'BW_ERR_COMMAND_OUTPUT'
  | 'BW_ERR_COMMAND_SIGNAL'
  | 'BW_ERR_COMMAND_SPAWN'
  | 'BW_ERR_COMMAND_TIMEOUT'
  | 'BW_ERR_COMPLETE_NO_FILE'
  | 'BW_ERR_COMPARE_COMMAND'
  | 'BW_ERR_COMPUTE_OPTIONS'
  | 'BW_ERR_CONSENT'
  | 'BW_ERR_CONTROL'
  | 'BW_ERR_DENIED'
  | 'BW_ERR_DESTROYED'
  | 'BW_ERR_DISK_FULL'
  | 'BW_ERR_FILE_EXISTS'
  | 'BW_ERR_FILE_TOO_LARGE'
  | 'BW_ERR_HOPELESS'
  | 'BW_ERR_HOST'
  | 'BW_ERR_INPUT'
  | 'BW_ERR_INPUT_LIMIT'
  | 'BW_ERR_INPUT_SOURCE'
  | 'BW_ERR_INTERNAL'
  | 'BW_ERR_INTERRUPTED'
  | 'BW_ERR_KEY'
  | 'BW_ERR_KEY_FILE'
  | 'BW_ERR_LOCKED'
  | 'BW_ERR_MAGNET'
  | 'BW_ERR_NEEDS'
  | 'BW_ERR_NOT_A_FILE'
  | 'BW_ERR_NOT_A_TASK'
  | 'BW_ERR_NOT_FINISHED'
  | 'BW_ERR_NOT_FOUND'
  | 'BW_ERR_NOT_LISTED'
  | 'BW_ERR_NOT_PERMITTED'
  | 'BW_ERR_NOT_RUNNING'
  | 'BW_ERR_NO_EXECUTOR'
  | 'BW_ERR_NO_METADATA'
  | 'BW_ERR_NO_SANDBOX'
  | 'BW_ERR_NO_SHELL'
  | 'BW_ERR_OUTPUT_FOLDER'
  | 'BW_ERR_PART_CORRUPT'
  | 'BW_ERR_PART_MISSING'
  | 'BW_ERR_PEER_MESSAGE'
  | 'BW_ERR_PIECE_LOST'
  | 'BW_ERR_PIECE_MISSING'
  | 'BW_ERR_PIECE_RANGE'
  | 'BW_ERR_PAGE'
  | 'BW_ERR_PORT_IN_USE'
  | 'BW_ERR_RECORD'
  | 'BW_ERR_REFUSED'
  | 'BW_ERR_RESULTS_FILE'
  | 'BW_ERR_ROOT'
  | 'BW_ERR_SHORT_READ'
  | 'BW_ERR_STORE_CLOSED'
  | 'BW_ERR_SYMLINK'
  | 'BW_ERR_TASK_CHECKERS'
  | 'BW_ERR_TASK_COMMAND'
  | 'BW_ERR_TASK_FILES'
  | 'BW_ERR_TASK_INFO_HASH'
  | 'BW_ERR_TASK_INPUT'
  | 'BW_ERR_TASK_LENGTH'
  | 'BW_ERR_TASK_LIMITS'
  | 'BW_ERR_TASK_NAME'
  | 'BW_ERR_TASK_NEEDS'
  | 'BW_ERR_TASK_NOT_BENCODE'
  | 'BW_ERR_TASK_NO_COMMAND'
  | 'BW_ERR_TASK_NO_FILES'
  | 'BW_ERR_TASK_NO_INFO'
  | 'BW_ERR_TASK_OPTIONS'
  | 'BW_ERR_TASK_ORDINARY'
  | 'BW_ERR_TASK_PIECE'
  | 'BW_ERR_TASK_PIECE_LENGTH'
  | 'BW_ERR_TASK_REQUIRES'
  | 'BW_ERR_TASK_SIGNATURE'
  | 'BW_ERR_TASK_SIGNER'
  | 'BW_ERR_TASK_TIMEOUT'
  | 'BW_ERR_TASK_TOO_LARGE'
  | 'BW_ERR_TASK_TOO_MANY_FILES'
  | 'BW_ERR_TASK_TOO_MANY_PIECES'
  | 'BW_ERR_TASK_VERSION'
  | 'BW_ERR_TOO_MANY_FILES'
  | 'BW_ERR_TORRENT'
  | 'BW_ERR_TRUST_STORE'
  | 'BW_ERR_UNCHECKED'
  | 'BW_ERR_UNMERGED'
  | 'BW_ERR_USAGE'
  | 'BW_ERR_VERIFY_COMMAND'
  | 'BW_ERR_VERIFY_OPTIONS'

/**
 * What would help, where one code has several cases. A user interface can choose its own advice by it: use another
 * folder, or another key; move something out of the way; finish the task first; fetch its inputs; shorten the command;
 * let the task use the GPUs.
 */
export type Remedy = 'another-folder' | 'another-key' | 'move-away' | 'finish' | 'task-file' | 'fetch' | 'shorten' | 'allow-gpu'

/** Options of an error. */
export interface BitWorkerErrorOptions extends ErrorOptions { remedy?: Remedy | undefined }

/** An error with a stable `code` and a one-line message: what happened, why, and what to do. */
export class BitWorkerError extends Error {
  readonly code: ErrorCode
  readonly blame: Blame
  /** @internal for the advice of the command line; undefined: the code tells enough */
  readonly remedy: Remedy | undefined

  constructor (code: ErrorCode, blame: Blame, message: string, options?: BitWorkerErrorOptions) {
    super(message, options)
    this.name = 'BitWorkerError'
    this.code = code
    this.blame = blame
    this.remedy = options?.remedy
  }
}

/** The same error with a message that names its subject first, such as a file. */
export function errorAbout (subject: string, error: BitWorkerError): BitWorkerError {
  const { code, blame, message, remedy } = error
  return new BitWorkerError(code, blame, `${subject}: ${message}`, { cause: error, remedy })
}

/** How a run of a command ended. */
export interface CommandFailure {
  /** null if the command was killed by a signal or never started */
  exitCode: number | null
  /** e.g. 'SIGSEGV'; null if the command exited by itself */
  signal: NodeJS.Signals | null
  /** the last lines that it wrote to stderr, without control characters */
  stderr: string
}

/** What a command cost. */
export interface RunCost {
  /** running time in milliseconds, without pauses; null: it did not run */
  ms: number | null
  /** processor time of all its processes in milliseconds; null: it ended before that was measured */
  cpuMs: number | null
  /** the most memory that its processes were seen to use at a time, in bytes; null as above */
  memoryBytes: number | null
}

/** The cost of a command that did not run. */
export const NO_COST: RunCost = Object.freeze({ ms: null, cpuMs: null, memoryBytes: null })

/** A work item or a complete command failed. */
export class CommandError extends BitWorkerError implements CommandFailure {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
  readonly cost: RunCost

  constructor (
    code: ErrorCode, message: string, failure: CommandFailure & { cost?: RunCost }, options?: ErrorOptions
  ) {
    super(code, 'command', message, options)
    this.name = 'CommandError'
    this.exitCode = failure.exitCode
    this.signal = failure.signal
    this.stderr = failure.stderr
    this.cost = failure.cost ?? NO_COST
  }
}

/** An input that a command needs is not stored any more: it can be tried again when it is. */
export function isInputGone (err: unknown): boolean {
  return err instanceof BitWorkerError && !(err instanceof CommandError) && err.code === 'BW_ERR_INPUT' &&
    err.blame === 'system'
}

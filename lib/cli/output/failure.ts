/** Turns any error into one line on stderr, an `error` event and an exit code. */
import { styleText } from 'node:util'
import { BitWorkerError } from '../../base/errors.ts'
import type { ErrorCode, Remedy } from '../../base/errors.ts'
import { escapeText, fit } from './format.ts'
import { JsonOutput } from './json-output.ts'

/** The exit codes; scripts rely on them. */
export const EXIT = { done: 0, workFailed: 1, refused: 2, unmet: 3, interrupted: 130 } as const

/** A BitWorkerError with its own exit code, for the few cases where blame alone does not determine it. */
export class ExitError extends BitWorkerError {
  readonly exitCode: number

  constructor (exitCode: number, code: ErrorCode, message: string, options?: ErrorOptions) {
    super(code, 'usage', message, options)
    this.exitCode = exitCode
  }
}

// Errors of the system, with advice for the user.
const SYSTEM: Record<string, [code: ErrorCode, why: string, what: string]> = {
  EADDRINUSE: ['BW_ERR_PORT_IN_USE', 'Another program uses this port.', 'Choose another port, or 0 for any free one.'],
  EADDRNOTAVAIL: [
    'BW_ERR_ADDRESS', 'This machine does not have this address.', 'Choose one that it has, such as 127.0.0.1.'
  ],
  EACCES: ['BW_ERR_NOT_PERMITTED', 'Permission denied.', 'Choose another place, or change its permissions.'],
  EPERM: ['BW_ERR_NOT_PERMITTED', 'Operation not permitted.', 'Choose another place, or change its permissions.'],
  EROFS: ['BW_ERR_NOT_PERMITTED', 'The file system is read-only.', 'Choose another place.'],
  ENOSPC: ['BW_ERR_DISK_FULL', 'The disk is full.', 'Free some space, then run the same command again to resume.'],
  EDQUOT: [
    'BW_ERR_DISK_FULL', 'The disk quota is used up.', 'Free some space, then run the same command again to resume.'
  ],
  ENOENT: ['BW_ERR_NOT_FOUND', 'No such file or folder.', 'Check the path.'],
  ENOTDIR: ['BW_ERR_NOT_FOUND', 'A part of the path is not a folder.', 'Check the path.'],
  EISDIR: ['BW_ERR_NOT_A_FILE', 'This is a folder.', 'Name a file.'],
  EMFILE: ['BW_ERR_TOO_MANY_FILES', 'Too many files are open.', 'Raise the limit with ulimit -n.']
}

const ANOTHER_KEY: Advice = { 'another-key': ' (bitworker keygen, --key FILE).' }
const ANOTHER_FOLDER: Advice = {
  'another-folder': ' with -o.', 'move-away': ', or choose another folder with -o.'
}
const ALLOW_GPU: Advice = { 'allow-gpu': '. Run it again with --gpu to let it use yours.' }
// a run fetches what it computes with; a finished one computes nothing
const FETCH_INPUTS: Advice = { fetch: '; run --seed-inputs fetches all of them.' }
const FINISH = '. Run it to its end, or name another folder with --dir.'
const ANOTHER_NAME = '. Choose another name with -o, or overwrite it with --force.'

/** The advice, or the advice for each remedy; an error with another remedy, or without one, gets `else`. */
type Advice = string | Partial<Record<Remedy | 'else', string>>

/**
 * What a command can do about an error of the library, which knows no flags: by code and command, to go on the end of
 * the message. The only place where such advice stands.
 */
const ADVICE: Partial<Record<ErrorCode, Record<string, Advice>>> = {
  BW_ERR_BIND: { run: ' (--bind PATH:NAME).' },
  BW_ERR_FILE_EXISTS: {
    run: ', choose another folder with -o, or overwrite it with --force.',
    // with --reuse, the file may be in the folder of the new task
    create: { 'move-away': ', or choose another folder with --into.', else: ANOTHER_NAME },
    sign: ANOTHER_NAME,
    keygen: '. Choose another file with -o, or overwrite it with --force.',
    seal: ANOTHER_NAME,
    verify: ', or let bitworker run --force restore it.'
  },
  BW_ERR_INPUT: { try: FETCH_INPUTS, verify: FETCH_INPUTS },
  BW_ERR_KEY: { create: ANOTHER_KEY, sign: ANOTHER_KEY },
  BW_ERR_KEY_FILE: { create: ANOTHER_KEY, sign: ANOTHER_KEY },
  BW_ERR_LOCKED: {
    run: '. Choose another folder with -o, or stop the other one.',
    create: '. Stop it, or choose another folder with --into.',
    verify: '. Stop it first, or verify a copy of the files and of NAME.results.json.'
  },
  BW_ERR_NEEDS: { run: ALLOW_GPU, try: ALLOW_GPU },
  BW_ERR_NOT_FINISHED: {
    log: { finish: '. Name the folder of its files with -o.' },
    seal: { finish: FINISH, 'task-file': FINISH },
    verify: {
      finish: '. Name the folder of its files with -o.',
      'task-file': '. Name the folder in which it was run with -o; to check a copy of its files, name the task file, as a link does not contain the task.'
    }
  },
  BW_ERR_OUTPUT_FOLDER: { run: ANOTHER_FOLDER },
  BW_ERR_PIECE_RANGE: { create: '. Leave it out with --pieces.' },
  BW_ERR_SYMLINK: { run: ANOTHER_FOLDER },
  BW_ERR_TASK_CHECKERS: { create: '. Correct --checker.' },
  BW_ERR_TASK_COMMAND: { create: { shorten: '. Put it into a script, and pass that with --script FILE.' } },
  BW_ERR_TASK_LIMITS: { create: '. Choose another --memory or --scratch.' },
  BW_ERR_TASK_NAME: { create: '. Choose another one (--name, --file, --out-pattern).' },
  BW_ERR_TASK_NEEDS: { create: '. Correct --need, --need-command, --need-cpus or --arch.' },
  BW_ERR_TASK_NO_COMMAND: { create: '. Pass --command CMD.' },
  BW_ERR_TASK_PIECE_LENGTH: { create: '. Choose another --piece-length.' },
  BW_ERR_TASK_TIMEOUT: { create: '. Choose another --timeout, --complete-timeout or --verify-timeout.' }
}

/** The error's message, with the advice for this command. */
export function advised ({ code, message, remedy = 'else' }: Pick<BitWorkerError, 'code' | 'message'> & {
  remedy?: Remedy | 'else' | undefined
}, command: string | undefined): string {
  const advices = ADVICE[code]?.[command ?? '']
  const advice = typeof advices === 'string' ? advices : advices?.[remedy] ?? advices?.else
  return advice === undefined ? message : message.replace(/\.$/, '') + advice
}

/** Converts a system error to a BitWorkerError that names its subject; returns every other value unchanged. */
export function explain (error: unknown, subject?: string): unknown {
  if (error instanceof BitWorkerError || !(error instanceof Error)) return error
  const { code, path, port, syscall } = error as NodeJS.ErrnoException & { port?: number }
  const known = code === undefined ? undefined : SYSTEM[code]
  if (known === undefined) return error
  if (code === 'ENOENT' && syscall === 'uv_cwd')
    return new BitWorkerError(known[0], 'system', 'The current folder was removed. Change to another one.', {
      cause: error
    })
  const about = subject ?? path ?? (port === undefined ? null : `port ${port}`)
  return new BitWorkerError(known[0], 'system', `${about === null ? '' : `${about}: `}${known[1]} ${known[2]}`, {
    cause: error
  })
}

function isBitWorkerError (error: unknown): error is BitWorkerError {
  // By code, not by class: two copies of the package break instanceof.
  return error instanceof Error && 'blame' in error && 'code' in error && String(error.code).startsWith('BW_ERR_')
}

/** The exit code for an error. An error of this machine counts as a refusal until work has started. */
function exitCodeOf (error: unknown, started = false): number {
  if (error instanceof ExitError) return error.exitCode
  if (!isBitWorkerError(error)) return EXIT.workFailed
  if (error.blame === 'usage' || error.blame === 'input') return EXIT.refused
  return error.blame === 'system' && !started ? EXIT.refused : EXIT.workFailed
}

/** How an error is reported. */
export interface ReportOptions {
  /** also emits an `error` event on stdout */
  json: boolean
  /** also prints the stack */
  debug: boolean
  /** whether work had started; default false */
  started?: boolean
  /** the command, for its advice */
  command?: string | undefined
}

/** Prints the error on stderr (with `--json` also on stdout). Returns the exit code. */
export function report (error: unknown, { json, debug, started = false, command }: ReportOptions): number {
  const cause = explain(error)
  const message = isBitWorkerError(cause)
    ? advised(cause, command)
    : cause instanceof Error
      ? cause.message
      : String(cause)
  const code = isBitWorkerError(cause) ? cause.code : 'BW_ERR_INTERNAL'
  const [first = '', ...rest] = fit(`bitworker: ${escapeText(message)}`, process.stderr.columns)
  process.stderr.write(
    [first.replace('bitworker:', styleText('red', 'bitworker:', { stream: process.stderr })), ...rest, ''].join('\n')
  )
  if (debug && cause instanceof Error) process.stderr.write(`${cause.stack}\n`)
  if (debug && cause instanceof Error && cause.cause instanceof Error) {
    process.stderr.write(`caused by ${cause.cause.stack}\n`)
  }
  new JsonOutput(json).emit('error', { code, message })
  return exitCodeOf(cause, started)
}

/**
 * The messages to a warm shell, and its answers. Pure.
 *
 * A warm shell (warm-shell.ts) is a bash in this loop: read a job, fork a subshell for it, wait, answer. The subshell
 * should find what a fresh `bash -c command` would: JOB_SETUP does what is needed for that, and TELLTALE has the
 * exceptions.
 */
import { constants } from 'node:os'
import type { Group } from '../cgroup/group.ts'
import { NO_STDIN } from '../launch.ts'
import type { WorkItem } from '../types.ts'

/** Variables of the loop; the subshell unsets them. */
const OWN = ['__n', '__j', '__s']
/** Number of digits before a job, which state its length. */
const LENGTH_DIGITS = 5
/** Larger jobs do not use a warm shell; a job is mostly names and numbers. */
const MAX_JOB_CHARS = 16 * 1024
/** Longer commands do not either: the command is parsed again for every item. */
const MAX_COMMAND_CHARS = 16 * 1024

/**
 * Differences between a subshell and a shell of its own that cannot be hidden: `$$` is the warm shell's pid, and so on.
 * A command that mentions them gets a fresh shell. Other known differences do not matter to commands: `$!` and
 * PIPESTATUS are set from the start, `$_` is another word, `set -x` prints "++", and an error of the shell itself (`set
 * -u`, `${x:?}`) exits with 1 instead of 127. A stopped background process is ended by the kernel when the command ends
 * (SIGHUP to an orphaned group); with a fresh shell, it would keep stdout open.
 */
const TELLTALE = /STOP\b|\$\$|\$\{[!#]?\$|BASH_SUBSHELL|BASH_ARG|BASH_LINENO|BASH_SOURCE|\bcaller\b/

/**
 * The loop, on one line, because the command's own lines must be counted from 1. Descriptors: 0: jobs, 1: answers, 2:
 * the log, 3: the items' stderr. `read -N` reads a job by one system call; other forms of `read` need one for each
 * byte. `set -m` gives each item its own process group. With it, `wait` also returns when the item is stopped (147 to
 * 150); `wait -f`, which would not, occasionally loops for ever (bash 5.2). "L" says that the item left processes in
 * its group: they may still print, so they are not killed here.
 */
const LOOP = [
  '((BASH_VERSINFO[0]>4))||exit',
  `set -m;while read -rN${LENGTH_DIGITS} __n&&read -rN"$__n" __j`,
  'do echo \\#>&2',
  '(eval "$__j$2$1")&wait $!',
  '__s=$?',
  'if ((__s>146&&__s<151))',
  'then while kill -0 $! 2>&-',
  'do sleep .05',
  'done',
  'wait $!',
  '__s=$?',
  'fi',
  'kill -0 -- -$! 2>&-&&__s+=L',
  'echo $__s',
  'done'
].join(';')

/** The setup of each subshell before the command, in addition to its job's own part. */
const JOB_SETUP = `exec 2>&3 3>&-;set +m;SECONDS=0;BASH_EXECUTION_STRING=$1;unset ${OWN.join(' ')} OLDPWD;export OLDPWD;set --;`

/** Whether the command runs in a subshell of a warm shell as in a fresh one; the same for all items with its key. */
export function canBeWarm ({ command, env }: WorkItem): boolean {
  return command.length <= MAX_COMMAND_CHARS && !command.includes('\0') && !TELLTALE.test(command) &&
    OWN.every(name => !(name in env))
}

/** Items with the same key can share a warm shell. */
export function keyOf ({ command, env }: WorkItem): string {
  return `${Object.keys(env).join(' ')}\n${command}`
}

/** The arguments of a warm shell for such items; `$0` is the same as in a fresh shell. */
export function loopArgs (shell: string, command: string): string[] {
  return ['--noprofile', '--norc', '-c', LOOP, shell, command, JOB_SETUP]
}

/**
 * The job of an item, in ASCII; null if it cannot be encoded. `stdout` is the path to write to, `base` the variables
 * that the warm shell was started with.
 */
export function encodeJob (
  { cwd, env, stdin = NO_STDIN }: WorkItem, stdout: string, base: Record<string, string>
): string | null {
  const dir = quote(cwd)
  let job = `cd -P -- ${dir}||exit 1;exec <${quote(stdin)} >${stdout}||exit 1;`
  if (!('HOME' in env)) job += `HOME=${dir};`
  if (!('TMPDIR' in env)) job += `TMPDIR=${dir};`
  if (!('PATH' in env)) job += `PATH=\${PATH%:*}:${dir};`
  for (const name of Object.keys(env)) {
    const value = env[name]!
    if (value === base[name]) continue
    if (!/^[A-Z][A-Z0-9_]*$/.test(name) || value.includes('\0')) return null
    job += `${name}=${quote(value)};`
  }
  if (`${cwd}${stdin}`.includes('\0') || job.length > MAX_JOB_CHARS) return null
  return String(job.length).padStart(LENGTH_DIGITS, '0') + job
}

/** Quotes the characters as a word of bash, in ASCII. */
export function quote (text: string): string {
  if (/^[\w./:@%+,-]+$/.test(text)) return text
  let quoted = ''
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte)
    quoted += /[\w ./-]/.test(char) ? char : `\\${byte.toString(8).padStart(3, '0')}`
  }
  return `$'${quoted}'`
}

/**
 * How an item in a warm shell ended. 'unsaid': it did not begin, or it is not known how it ended; a fresh shell will
 * tell.
 */
export type WarmEnd = 'unsaid' | { exitCode: number | null, signal: NodeJS.Signals | null, hasLeft: boolean }

/** A process that runs one item after the other. */
export interface Reused {
  /** pid of its process, session and process group; undefined if it could not be started */
  readonly pid: number | undefined
  /** Its process has ended. */
  readonly isGone: boolean
  /** the group that counts its usage */
  readonly group?: Group | undefined
  /** Whether an item that ended in this way may have left processes in the session. */
  hasLeft (end: WarmEnd): boolean
  /** Kills the process, and the item with it. */
  kill (): void
}

/**
 * Reads an answer. A status above 128 is a signal or an exit code: the log, in which bash reports the ends of jobs,
 * distinguishes them ("[1]+ Exit 137", but "Killed").
 */
export function decodeEnd (answer: string, readLog: () => string): WarmEnd {
  const exitCode = Number.parseInt(answer, 10)
  const hasLeft = answer.endsWith('L')
  if (exitCode === 0) return { exitCode, signal: null, hasLeft }
  const log = readLog().split('\n').filter(line => line !== '')
  const lines = log.slice(log.lastIndexOf('#') + 1)
  if (exitCode <= 128) {
    // any message of the shell itself means that the command could not start: no folder, no file, a syntax error
    return lines.every(line => line.startsWith('[')) ? { exitCode, signal: null, hasLeft } : 'unsaid'
  }
  const last = lines.at(-1)
  if (last === undefined) return 'unsaid'
  if (new RegExp(`^\\[\\d+\\]\\D*\\b${exitCode}\\b`).test(last)) return { exitCode, signal: null, hasLeft }
  const signal = SIGNALS.get(exitCode - 128)
  return signal === undefined ? 'unsaid' : { exitCode: null, signal, hasLeft }
}

// if a number has two names, Node uses the first
const SIGNALS = new Map(
  Object.entries(constants.signals)
    .toReversed()
    .map(([name, number]) => [number, name as NodeJS.Signals])
)

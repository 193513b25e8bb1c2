/**
 * What outlasts a command in a sandbox of bwrap, which ends with the first process that it started: others may still
 * print then. So that is a small shell, which starts the command's own. When that has ended well, it waits for the end
 * of its stdin, which comes when the end of the command's stdout was seen outside. By sh, which starts in a third of
 * the time that bash takes. Pure.
 */
import { NO_STDIN } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { MARK } from './prelude.ts'
import type { HardLimits } from './prelude.ts'

const KIB = 1024

/** What it is to do. */
export interface OutlastOptions {
  /** the descriptor that is the command's stdout, 4 to 9 */
  fd: number
  limits: Limits
  hard: HardLimits
  /** the highest descriptor that may be open; needed where /proc cannot tell */
  highestFd?: number
  /** absolute path of setsid(1) in the sandbox */
  setsid: string
  /** absolute path of what the command reads, without quotes; default: nothing */
  stdin?: string
  /** the command line */
  command: readonly string[]
}

/**
 * The shell's own part, $1 itself. The limits of processes and memory must be set here, within the sandbox: the first
 * counts what else the user runs outside, and the second would hold for bwrap. The others are those of all around it.
 * A session of its own makes the command the leader of its process group, as it would be without us: `kill 0` is not
 * for us. What the shell says of how it ended is for nobody.
 */
function outlast ({ fd, limits, hard, setsid, stdin = NO_STDIN }: OutlastOptions): string {
  return [
    'shift',
    `unset ${MARK}`,
    `ulimit -n ${Math.min(limits.openFiles, hard.openFiles)}`,
    `ulimit -d ${Math.ceil(limits.memoryBytes / KIB)}`,
    // of processes: one letter is that of bash, the other that of all else
    ['u', 'p'].map(letter => `ulimit -${letter} ${Math.min(limits.processes, hard.processes)} 2>/dev/null||`).join('') + 'exit 125',
    'exec 3>&2 2>/dev/null',
    `${setsid} "$@" <${stdin} >&${fd} 2>&3 3>&- ${fd}>&-`,
    's=$?',
    `exec 3>&- ${fd}>&-`,
    '[ $s != 0 ]||while read -r l;do :;done',
    'exit $s'
  ].join(';')
}

/**
 * No file but its own is open: sh can close those of one digit, and where there are others, bash comes first.
 */
export function outlastCommand (options: OutlastOptions): string[] {
  const { fd, highestFd, command } = options
  const script = outlast(options)
  const closeBy = (files: string): string[] => [
    '/bin/bash', '--noprofile', '--norc', '-c',
    // no redirection around it: bash would keep a copy of what it redirects, to be closed here
    `for f in ${files};do f=\${f##*/};((f>2&&f!=${fd}))&&eval "exec $f>&-";done;exec "$@"`, 'close'
  ]
  if (highestFd !== undefined) {
    return [...closeBy(`{3..${Math.max(3, highestFd)}}`), '/bin/sh', '-c', script, 'outlast', script, ...command]
  }
  const [bash, ...rest] = closeBy('/proc/self/fd/*')
  const quoted = [bash, ...rest].map(word => `'${word}'`).join(' ')
  const close = `for f in /proc/self/fd/*;do f=\${f##*/};case $f in [012]|${fd});;[3-9])eval "exec $f>&-";;*)exec ${quoted} /bin/sh -c "$1" outlast "$@";;esac;done`
  return ['/bin/sh', '-c', `${close};eval "$1"`, 'outlast', script, ...command]
}

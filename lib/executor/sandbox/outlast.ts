/**
 * The process that outlasts a command in a bwrap sandbox. The sandbox ends with its first process, when others may
 * still be printing. The first process is therefore a small shell, which starts the command's own. If the command has
 * succeeded, the shell waits for the end of its stdin, which comes when the end of the command's stdout has been read
 * outside. It is sh, which starts in a third of bash's time. Pure.
 */
import { NO_STDIN } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { MARK } from './prelude.ts'
import type { HardLimits } from './prelude.ts'

const KIB = 1024

/** Options of the shell. */
export interface OutlastOptions {
  /** the descriptor of the command's stdout, 4 to 9 */
  fd: number
  limits: Limits
  hard: HardLimits
  /** the highest descriptor that may be open; needed where /proc is not available */
  highestFd?: number
  /** absolute path of setsid(1) in the sandbox; absent: there is bash, and perhaps no other program */
  setsid?: string
  /** absolute path of the command's stdin, without quotes; default: empty */
  stdin?: string
  /** the command line */
  command: readonly string[]
}

/**
 * The script of the shell; $1 is the script itself. The limits of processes and memory must be set here, inside the
 * sandbox: the first counts what else the user runs outside, and the second would apply to bwrap. The other limits are
 * those of the wrapper. A session of its own makes the command the leader of its process group, as it would be without
 * us: `kill 0` does not reach us. The shell's messages about how the command ended are discarded.
 */
function outlast ({ fd, limits, hard, setsid, stdin = NO_STDIN }: OutlastOptions): string {
  // job control makes it the leader of a process group, too
  const start = setsid ?? 'set -m;'
  return [
    'shift',
    `unset ${MARK}`,
    `ulimit -n ${Math.min(limits.openFiles, hard.openFiles)}`,
    `ulimit -d ${Math.ceil(limits.memoryBytes / KIB)}`,
    // the limit of processes has one letter in bash, and another in all other shells
    ['u', 'p'].map(letter => `ulimit -${letter} ${Math.min(limits.processes, hard.processes)} 2>/dev/null||`).join('') + 'exit 125',
    'exec 3>&2 2>/dev/null',
    `${start} "$@" <${stdin} >&${fd} 2>&3 3>&- ${fd}>&-`,
    's=$?',
    `exec 3>&- ${fd}>&-`,
    '[ $s != 0 ]||while read -r l;do :;done',
    'exit $s'
  ].join(';')
}

/** No file but its own is open: sh can close descriptors of one digit; if there are others, bash comes first. */
export function outlastCommand (options: OutlastOptions): string[] {
  const { fd, highestFd, command } = options
  const script = outlast(options)
  const shell = options.setsid === undefined ? ['/bin/bash', '--noprofile', '--norc'] : ['/bin/sh']
  const closeBy = (files: string): string[] => [
    '/bin/bash', '--noprofile', '--norc', '-c',
    // no redirection around it: bash would keep a copy of the redirected descriptor, which is to be closed here
    `for f in ${files};do f=\${f##*/};((f>2&&f!=${fd}))&&eval "exec $f>&-";done;exec "$@"`, 'close'
  ]
  if (highestFd !== undefined) {
    return [...closeBy(`{3..${Math.max(3, highestFd)}}`), ...shell, '-c', script, 'outlast', script, ...command]
  }
  const [bash, ...rest] = closeBy('/proc/self/fd/*')
  const quoted = [bash, ...rest].map(word => `'${word}'`).join(' ')
  const close = `for f in /proc/self/fd/*;do f=\${f##*/};case $f in [012]|${fd});;[3-9])eval "exec $f>&-";;*)exec ${quoted} ${shell.join(' ')} -c "$1" outlast "$@";;esac;done`
  return [...shell, '-c', `${close};eval "$1"`, 'outlast', script, ...command]
}

/**
 * What bash does in a sandbox before the command: it sets limits, which it cannot raise again, and closes all files but
 * its own three. The prelude is on the command's first line, so that bash's messages have the right line numbers. Pure.
 */
import type { Limits } from '../limits.ts'
import type { WorkItem } from '../types.ts'

/** A process that reaches its limit of processor time and does not end is killed this much later. */
export const CPU_GRACE_S = 5
const KIB = 1024

/** The variable by which the watchdog finds what is left of a sandbox; the command does not see it. */
export const MARK = 'BITWORKER_MARK'

/** The hard limits of this process; Infinity where there are none. */
export interface HardLimits { openFiles: number, processes: number }

const NO_LIMITS: HardLimits = { openFiles: Infinity, processes: Infinity }

/** One limit for all files, wherever the command may write them. Its output goes to pipes. */
export function fileBytesOf ({ mounts = [] }: WorkItem, limits: Limits): number {
  const written = mounts.some(({ writable }) => writable === true) ? limits.fileBytes : 0
  return Math.max(limits.scratchBytes, written)
}

/** The shell that runs an item's command. */
export function bashCommand ({ command, args = [] }: WorkItem, before: string): string[] {
  return ['/bin/bash', '--noprofile', '--norc', '-c', before + command, ...args]
}

/** Options of the prelude. */
export interface PreludeOptions {
  limits: Limits
  /** largest size of any file in bytes */
  fileBytes: number
  hard?: HardLimits
  /** the highest file descriptor that may be open; needed where /proc is not available */
  highestFd?: number
}

/**
 * One line of bash, which ends with a semicolon. The limits of processes and memory must be set here, inside the
 * sandbox: the first counts what else the user runs outside, and the second would apply to bwrap.
 */
export function prelude ({ limits, fileBytes, hard = NO_LIMITS, highestFd }: PreludeOptions): string {
  const cpu = Math.ceil(limits.cpuMs / 1000)
  const flags = [
    '-c 0',
    `-f ${Math.ceil(fileBytes / KIB)}`,
    `-d ${Math.ceil(limits.memoryBytes / KIB)}`,
    `-n ${Math.min(limits.openFiles, hard.openFiles)}`,
    `-u ${Math.min(limits.processes, hard.processes)}`
  ]
  const files = highestFd === undefined ? '/proc/self/fd/*' : `{3..${Math.max(3, highestFd)}}`
  return `unset ${MARK};ulimit -S -t ${cpu};ulimit -H -t ${cpu + CPU_GRACE_S};ulimit ${flags.join(' ')};` +
    // no redirection around it: bash would keep a copy of the redirected descriptor, which is to be closed here
    `for f in ${files};do f=\${f##*/};((f>2))&&eval "exec $f>&-";done;unset f;`
}

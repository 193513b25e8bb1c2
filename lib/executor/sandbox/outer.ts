/**
 * What stands around bwrap: a little shell that takes on limits, and becomes bwrap. The first process of a sandbox is
 * bwrap's own, which the prelude's limits come too late for. Pure.
 */
import type { Limits } from '../limits.ts'
import { CPU_GRACE_S } from './prelude.ts'
import type { HardLimits } from './prelude.ts'

/**
 * Bwrap, and what makes sandboxes in a nest, need a few files and some memory before there is a command to be limited.
 */
const LEAST = { openFiles: 128, memoryBytes: 32 * 1024 ** 2 }
const KIB = 1024

/** What is taken on. */
export interface OuterOptions {
  limits: Limits
  /** bytes that any file may have; as the prelude's */
  fileBytes: number
  hard: HardLimits
  /** descriptors of ours: files that a process writes "0" to, to be counted with others; it ends if it cannot */
  groupFds?: readonly number[]
}

/**
 * The words before a command line. Not the limit of processes: outside of a sandbox it counts all that the user runs.
 * In a POSIX shell the limit of files counts blocks of 512 bytes.
 */
export function outerCommand ({ limits, fileBytes, hard, groupFds = [] }: OuterOptions): string[] {
  const cpu = Math.ceil(limits.cpuMs / 1000)
  const set = [
    '-c 0',
    `-f ${Math.ceil(fileBytes / KIB) * 2}`,
    `-d ${Math.ceil(Math.max(limits.memoryBytes, LEAST.memoryBytes) / KIB)}`,
    `-n ${Math.min(Math.max(limits.openFiles, LEAST.openFiles), hard.openFiles)}`,
    `-S -t ${cpu}`,
    `-H -t ${cpu + CPU_GRACE_S}`
  ]
  const join = groupFds.map(fd => `echo 0 >&${fd}||exit 125;exec ${fd}>&-;`).join('')
  return ['/bin/sh', '-c', `${join}{ ${set.map(flags => `ulimit ${flags};`).join('')} } 2>/dev/null;exec "$@"`, 'outer']
}

/**
 * The wrapper of bwrap: a small shell that sets limits and then becomes bwrap. The first process of a sandbox is
 * bwrap's own, for which the prelude's limits come too late. Pure.
 */
import type { Limits } from '../limits.ts'
import { CPU_GRACE_S } from './prelude.ts'
import type { HardLimits } from './prelude.ts'

/** bwrap, and the supervisor of a nest, need some files and memory before the command's limits apply. */
const LEAST = { openFiles: 128, memoryBytes: 32 * 1024 ** 2 }
const KIB = 1024

/** The limits to set. */
export interface OuterOptions {
  limits: Limits
  /** largest size of any file in bytes; as in the prelude */
  fileBytes: number
  hard: HardLimits
  /** descriptors of ours: files to which the shell writes "0" to join a group; it ends if that fails */
  groupFds?: readonly number[]
}

/**
 * The words before a command line. The limit of processes is not set: outside a sandbox it counts all processes of the
 * user. In a POSIX shell, the limit of file size counts blocks of 512 bytes.
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

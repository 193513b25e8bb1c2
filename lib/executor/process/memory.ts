/** Measures the memory of processes with /proc. Each call reads a few small files. */
import { statSync, statfsSync } from 'node:fs'
import { readOrEmpty } from '../../system/lenient-reads.ts'
import { livingThread } from '../../system/process-table.ts'

/** The folders of a sandbox whose files are in memory. */
const IN_MEMORY = ['/scratch', '/tmp', '/dev/shm']
/** TMPFS_MAGIC. */
const TMPFS = 0x01021994
/** Device number of memory without a name in any folder: shared anonymous memory, System V's, memfd's. */
const NAMELESS = ' 00:01 '

/**
 * Bytes of a process's private memory, including swap, and of anonymous memory that it shares; without the programs
 * that it runs.
 */
export function memoryOf (pid: number): number {
  let status = readOrEmpty(`/proc/${pid}/status`)
  // a process whose first thread has ended still has its memory
  if (!status.includes('RssAnon')) {
    status = readOrEmpty(`/proc/${pid}/task/${livingThread(pid, undefined)?.tid ?? pid}/status`)
  }
  return (kib(status, 'RssAnon') + kib(status, 'RssShmem') + kib(status, 'VmSwap')) * 1024
}

/** Bytes of shared memory of all programs on this machine, including all files in memory. */
export function sharedBytes (): number {
  return kib(readOrEmpty('/proc/meminfo'), 'Shmem') * 1024
}

/** The number of nameless shared memory areas of these processes. */
export function segmentsOf (pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readOrEmpty(`/proc/${pid}/maps`).split(NAMELESS).length - 1, 0)
}

/** Bytes of files in memory in the sandbox of the last of these processes; 0 if it sees the machine's own folders. */
export function tmpfsBytes (pids: readonly number[]): number {
  const inside = pids.at(-1)
  if (inside === undefined || isOurRoot(inside)) return 0
  return IN_MEMORY.reduce((sum, folder) => {
    try {
      const { type, blocks, bfree, bsize } = statfsSync(`/proc/${inside}/root${folder}`)
      return type === TMPFS ? sum + (blocks - bfree) * bsize : sum
    } catch {
      return sum // it has ended, or may not be inspected
    }
  }, 0)
}

function isOurRoot (pid: number): boolean {
  try {
    const [theirs, ours] = [statSync(`/proc/${pid}/root`), statSync('/')]
    return theirs.dev === ours.dev && theirs.ino === ours.ino
  } catch {
    return true
  }
}

function kib (text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

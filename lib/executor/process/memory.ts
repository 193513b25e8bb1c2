/**
 * What processes have of this machine's memory, as far as /proc tells. Each look is a few small reads.
 */
import { readFileSync, statSync, statfsSync } from 'node:fs'
import { livingThread } from '../../system/process-table.ts'

/** Where a sandbox has files in memory. */
const IN_MEMORY = ['/scratch', '/tmp', '/dev/shm']
/** TMPFS_MAGIC. */
const TMPFS = 0x01021994
/** Device of memory that has no name in any folder: shared anonymous memory, System V's, memfd's. */
const NAMELESS = ' 00:01 '

/**
 * Bytes that the process has for itself, also swapped out, or shares with others of its kind, but not the programs that
 * it runs.
 */
export function memoryOf (pid: number): number {
  let status = readOrEmpty(`/proc/${pid}/status`)
  // a process whose first thread has ended has its memory still
  if (!status.includes('RssAnon')) {
    status = readOrEmpty(`/proc/${pid}/task/${livingThread(pid, undefined)?.tid ?? pid}/status`)
  }
  return (kib(status, 'RssAnon') + kib(status, 'RssShmem') + kib(status, 'VmSwap')) * 1024
}

/** Bytes of memory that all programs of this machine share, and of all files in memory. */
export function sharedBytes (): number {
  return kib(readOrEmpty('/proc/meminfo'), 'Shmem') * 1024
}

/** In how many places these processes share memory that has no name. */
export function segmentsOf (pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + readOrEmpty(`/proc/${pid}/maps`).split(NAMELESS).length - 1, 0)
}

/** Bytes of files in memory in the sandbox that the last of these processes is in; 0 if it sees our own folders. */
export function tmpfsBytes (pids: readonly number[]): number {
  const inside = pids.at(-1)
  if (inside === undefined || isOurRoot(inside)) return 0
  return IN_MEMORY.reduce((sum, folder) => {
    try {
      const { type, blocks, bfree, bsize } = statfsSync(`/proc/${inside}/root${folder}`)
      return type === TMPFS ? sum + (blocks - bfree) * bsize : sum
    } catch {
      return sum // it has ended, or may not be looked into
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

function readOrEmpty (file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // it has ended
  }
}

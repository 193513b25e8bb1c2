/** Reads the system's process table, if there is one (/proc on Linux). */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import process from 'node:process'

/** Whether this system has a readable process table. */
export const HAS_PROC = existsSync('/proc/self/stat')

/**
 * The fields of /proc/PID/stat from the third on (state, parent, group, session …); null if there is no such process.
 */
export function readStat (pid: string | number): string[] | null {
  try {
    // UTF-8 whatever the name is: Node reads that in one call
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field is the program's name in parentheses, and may itself contain spaces and parentheses
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

/**
 * Finds a live thread of the process, by which its state and memory can be read. This is normally the first thread,
 * whose state is `state`. When the first thread has ended, the process looks like a zombie (Z), but other threads may
 * still run. Returns null if the process has ended.
 */
export function livingThread (pid: number, state: string | undefined): { tid: number, state: string } | null {
  if (state !== undefined && state !== 'Z' && state !== 'X') return { tid: pid, state }
  for (const tid of threadsOf(pid)) {
    const found = readStat(`${pid}/task/${tid}`)?.[0]
    if (found !== undefined && found !== 'Z' && found !== 'X') return { tid, state: found }
  }
  return null
}

function threadsOf (pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return [] // it has ended
  }
}

const HAS_CHILDREN = existsSync(`/proc/self/task/${process.pid}/children`)

/** The children of a process; null where the system does not list them. */
export function childrenOf (pid: number): number[] | null {
  if (!HAS_CHILDREN) return null
  try {
    const lists = readdirSync(`/proc/${pid}/task`).map(thread =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
    )
    return lists.join(' ').split(' ').filter(text => text !== '').map(Number)
  } catch {
    return [] // it has ended
  }
}

/**
 * The start time of a process in ticks since boot, which distinguishes it from a later process with the same pid; '' if
 * unknown.
 */
export function startTimeOf (pid: number): string {
  return readStat(pid)?.[19] ?? ''
}

/** Milliseconds of a tick: the kernel tells all programs a hundred ticks a second. */
const TICK_MS = 10

/** Processor time of a process and of its children that it has waited for, in milliseconds. */
export function cpuMsOf (pid: number): number {
  const [user = 0, system = 0, ofChildren = 0, systemOfChildren = 0] = readStat(pid)?.slice(11, 15).map(Number) ?? []
  return (user + system + ofChildren + systemOfChildren) * TICK_MS
}

/** Whether the process exists, whichever user owns it. */
export function isRunning (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (err) {
    return err instanceof Error && 'code' in err && err.code === 'EPERM'
  }
}

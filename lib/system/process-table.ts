/**
 * Looks into the system's table of processes, where there is one (/proc on Linux).
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import process from 'node:process'

/** Whether this system has a process table that can be read. */
export const HAS_PROC = existsSync('/proc/self/stat')

/** Fields of /proc/PID/stat from the third on (state, parent, group, session …); null when there is no such process. */
export function readStat (pid: string | number): string[] | null {
  try {
    // UTF-8, whatever the name is: Node reads that in one call
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // the second field is the program's name in parentheses, and may itself contain blanks and parentheses
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

/**
 * A thread of the process that lives, by which its state and memory are to be asked: as a rule the first one, whose
 * state is `state`; when that has ended, which looks like the end of the process (Z), another may go on. Null: it is
 * dead.
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
    return [] // it has gone
  }
}

const HAS_CHILDREN = existsSync(`/proc/self/task/${process.pid}/children`)

/** Children of a process; null where the system does not tell. */
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
 * When a process was started, in ticks since the system booted; '' where that is not known. Tells it from a later one
 * with its pid.
 */
export function startTimeOf (pid: number): string {
  return readStat(pid)?.[19] ?? ''
}

/** Whether there is such a process, ours or another user's. */
export function isRunning (pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (err) {
    return err instanceof Error && 'code' in err && err.code === 'EPERM'
  }
}

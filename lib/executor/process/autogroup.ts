/**
 * The priority of sessions. If the kernel distributes processor time by session (sched_autogroup, the default on
 * desktops), the priority of a process applies only within its session, so the session's own must be set, too.
 */
import { writeFileSync } from 'node:fs'
import { readOrEmpty } from '../../system/lenient-reads.ts'

const LEAST = 19
let isOn: boolean | undefined
/** Sessions whose priority was set. Their ids are not reused. */
const told = new Set<string>()
const MAX_TOLD = 10_000

/**
 * Gives the sessions of these processes the lowest priority. The kernel limits how often this may be done; a refused
 * call is repeated later.
 */
export function favourGroup (pids: readonly number[]): void {
  isOn ??= readOrEmpty('/proc/sys/kernel/sched_autogroup_enabled').trim() === '1'
  if (!isOn) return
  for (const pid of pids) {
    const [, session = '', nice] = /^(\/autogroup-\d+) nice (-?\d+)/.exec(readOrEmpty(`/proc/${pid}/autogroup`)) ?? []
    if (session === '' || told.has(session)) continue
    if (Number(nice) < LEAST && !isTold(pid)) continue
    if (told.size >= MAX_TOLD) told.clear()
    told.add(session)
  }
}

function isTold (pid: number): boolean {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(LEAST))
    return true
  } catch {
    return false // EAGAIN, or it has ended
  }
}

/**
 * The priority of sessions. Where the kernel gives each session its share of the processors (sched_autogroup, a
 * desktop's default), the priority of a process counts within its session only: the session must be told, too.
 */
import { readFileSync, writeFileSync } from 'node:fs'

const LEAST = 19
let isOn: boolean | undefined
/** Sessions that know. Numbers are not used again. */
const told = new Set<string>()
const MAX_TOLD = 10_000

/**
 * From now on the sessions of these processes wait for everything else. The kernel may refuse to be told often: then
 * later.
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

function readOrEmpty (file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

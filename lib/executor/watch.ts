/**
 * What no limit of the system counts: the memory of all processes of a command together, and what a complete command
 * writes to the folders of this machine that it may. Looked at now and then; called by the executor's tick.
 */
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Limits } from './limits.ts'
import { childrenOf } from '../process-table.ts'
import { membersOf } from './session.ts'

/** A folder of this machine that a command may write to. */
export interface Writable { folder: string, bytes: number }

/** What is watched. */
export interface Watched {
  readonly pid: number | undefined
  readonly limits: Limits
  readonly writable: readonly Writable[]
  stop (reason: 'memory' | 'disk'): void
}

/** A command that takes memory as fast as it can gets about a gigabyte a second; looks come before it can take half of what is left. */
const WATCH_MS = 250
const MAX_WATCH_MS = 2_000
const BYTES_PER_MS = 2e6
/** Without a sandbox a process can leave its parents: among all processes it is found, at their cost. */
const SEARCH_MS = 5_000
/** Looking may take up to one part in so many of the time. */
const SHARE = 20
/** A complete command writes one file, and perhaps some beside it. */
const MAX_FILES = 1000

/** Ends what takes too much. */
export class Watch {
  #next = performance.now() + WATCH_MS
  #nextSearch = performance.now() + SEARCH_MS

  /** Looks, unless it has just done so. */
  look (items: ReadonlySet<Watched>): void {
    const start = performance.now()
    if (start < this.#next) return
    const running = [...items].filter(({ pid }) => pid !== undefined)
    const members = this.#pids(running.map(({ pid }) => pid!), start)
    let waitMs = MAX_WATCH_MS
    for (const item of running) {
      const bytes = (members.get(item.pid!) ?? []).reduce((sum, pid) => sum + memoryOf(pid), 0)
      waitMs = Math.min(waitMs, (item.limits.memoryBytes - bytes) / BYTES_PER_MS)
      if (bytes > item.limits.memoryBytes) item.stop('memory')
      if (item.writable.length > 0) waitMs = WATCH_MS
      if (item.writable.some(({ folder, bytes: most }) => isTooMuch(folder, most))) item.stop('disk')
    }
    const end = performance.now()
    this.#next = end + Math.max(WATCH_MS, waitMs, (end - start) * SHARE)
  }

  /** The processes of each of these sessions. */
  #pids (sids: number[], now: number): Map<number, number[]> {
    const families = new Map(sids.map(sid => [sid, familyOf(sid)]))
    if (now < this.#nextSearch && ![...families.values()].includes(null)) return families as Map<number, number[]>
    this.#nextSearch = now + SEARCH_MS
    return new Map(Array.from(membersOf(new Set(sids)), ([sid, members]) => [sid, members.map(({ pid }) => pid)]))
  }
}

/** The process and its descendants (a sandbox has no others); null where the system does not tell. */
function familyOf (pid: number): number[] | null {
  const family = [pid]
  for (const member of family) {
    const children = childrenOf(member)
    if (children === null) return null
    family.push(...children)
  }
  return family
}

/** Bytes that the process has for itself or shares with others of its kind, but not the programs that it runs. */
function memoryOf (pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0)
    return (kib('RssAnon') + kib('RssShmem')) * 1024
  } catch {
    return 0 // it has ended
  }
}

function isTooMuch (folder: string, most: number): boolean {
  let [files, bytes] = [0, 0]
  const folders = [folder]
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const name of namesIn(at)) {
      const stats = lstatSync(path.join(at, name), { throwIfNoEntry: false })
      bytes += (stats?.blocks ?? 0) * 512
      if (++files > MAX_FILES || bytes > most) return true
      if (stats?.isDirectory() === true) folders.push(path.join(at, name))
    }
  }
  return false
}

function namesIn (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // it was removed just now
  }
}

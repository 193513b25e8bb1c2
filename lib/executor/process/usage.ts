/**
 * Measures what no limit of the system counts without control groups: the total memory of a command's processes, and
 * what it writes to folders of this machine; and what it uses, for the log. Called periodically by the executor.
 */
import { childrenOf, cpuMsOf } from '../../system/process-table.ts'
import type { Group } from '../cgroup/group.ts'
import type { Limits } from '../limits.ts'
import { favourGroup } from './autogroup.ts'
import { holdTooMuch, namelessBytes } from './folder-size.ts'
import type { Writable } from './folder-size.ts'
import { memoryOf, segmentsOf, sharedBytes, tmpfsBytes } from './memory.ts'
import { membersOf } from './sessions.ts'

/** What the processes of an item use, as far as they are known. */
export interface Used {
  /** processor time since they were started, milliseconds */
  cpuMs: number
  memoryBytes: number
}

/** An item that is watched. */
export interface Watched {
  readonly pid: number | undefined
  readonly limits: Limits
  readonly writable: readonly Writable[]
  /** the group that counts its memory; undefined: it must be measured here */
  readonly group: Group | undefined
  stop (reason: 'memory' | 'disk'): void
  measured (used: Used): void
}

/**
 * Interval of the measurements. A command can allocate about a gigabyte per second; the next measurement comes before
 * it can use half of what is left.
 */
const WATCH_MS = 250
const MAX_WATCH_MS = 2_000
const BYTES_PER_MS = 2e6
/**
 * Interval of the searches through all processes: without a sandbox, a process can leave its parents, and searching for
 * it is expensive.
 */
const SEARCH_MS = 5_000
/** Measuring may take at most one part in this many of the time. */
const SHARE = 20

/** Measures the items, and ends those that use too much. */
export class Usage {
  #next = performance.now() + WATCH_MS
  #nextSearch = performance.now() + SEARCH_MS
  /** bytes that all programs here shared when an item began */
  readonly #sharedBefore = new WeakMap<Watched, number>()
  #shared = { bytes: 0, at: -Infinity }
  /** items whose folders are being measured: asynchronously, because a command determines what is in them */
  readonly #measuring = new Set<Watched>()

  /** The item begins now. */
  begin (item: Watched): void {
    if (performance.now() - this.#shared.at > WATCH_MS) this.#shared = { bytes: sharedBytes(), at: performance.now() }
    this.#sharedBefore.set(item, this.#shared.bytes)
  }

  /** Measures, unless it has just been done. */
  look (items: ReadonlySet<Watched>): void {
    const start = performance.now()
    if (start < this.#next) return
    const running = [...items].filter(({ pid }) => pid !== undefined)
    const members = this.#pids(running.map(({ pid }) => pid!), start)
    for (const item of running) favourGroup(members.get(item.pid!) ?? [])
    let waitMs = this.#lookAtMemory(running, members)
    for (const item of running) {
      if (item.writable.length === 0) continue
      waitMs = WATCH_MS
      this.#lookAtFolders(item, members.get(item.pid!) ?? [])
    }
    const end = performance.now()
    this.#next = end + Math.max(WATCH_MS, waitMs, (end - start) * SHARE)
  }

  /** Returns how long the next measurement can wait. */
  #lookAtMemory (running: Watched[], members: ReadonlyMap<number, number[]>): number {
    let waitMs = MAX_WATCH_MS
    const uncounted: Watched[] = []
    for (const item of running) {
      if (item.group === undefined) uncounted.push(item)
      else {
        waitMs = WATCH_MS
        if (item.group.hasRunOut()) item.stop('memory')
        measure(item, members.get(item.pid!) ?? [])
      }
    }
    if (uncounted.length === 0) return waitMs
    const shared = sharedBytes()
    const pidsOf = (item: Watched): number[] => members.get(item.pid!) ?? []
    // files of items in memory have a limit of their own
    let inFiles: number | null = null
    const filesOfAll = (): number => inFiles ??= uncounted.reduce((sum, item) => sum + tmpfsBytes(pidsOf(item)), 0)
    for (const item of uncounted) {
      const { memoryBytes } = item.limits
      const grown = shared - (this.#sharedBefore.get(item) ?? shared)
      const bytes = measure(item, pidsOf(item))
      waitMs = Math.min(waitMs, (memoryBytes - Math.max(bytes, grown)) / BYTES_PER_MS)
      // a command can unmap shared memory and still keep it, so that no process shows it: then it has some areas, and
      // the shared memory of the machine has grown
      const hides = grown > memoryBytes && grown - filesOfAll() > memoryBytes && segmentsOf(pidsOf(item)) > 0
      if (bytes > memoryBytes || hides) item.stop('memory')
    }
    return waitMs
  }

  #lookAtFolders (item: Watched, pids: number[]): void {
    if (this.#measuring.has(item)) return
    this.#measuring.add(item)
    const most = Math.max(...item.writable.map(({ bytes }) => bytes))
    void Promise.all([namelessBytes(pids), holdTooMuch(item.writable)]).then(([nameless, isTooMuch]) => {
      this.#measuring.delete(item)
      if (nameless > most || isTooMuch) item.stop('disk')
    })
  }

  /** The processes of each of these sessions. */
  #pids (sids: number[], now: number): Map<number, number[]> {
    const families = new Map(sids.map(sid => [sid, familyOf(sid)]))
    if (now < this.#nextSearch && ![...families.values()].includes(null)) return families as Map<number, number[]>
    this.#nextSearch = now + SEARCH_MS
    return new Map(Array.from(membersOf(new Set(sids)), ([sid, members]) => [sid, members.map(({ pid }) => pid)]))
  }
}

/** Returns the memory of the item's processes, in bytes. */
function measure (item: Watched, pids: readonly number[]): number {
  const memoryBytes = pids.reduce((sum, pid) => sum + memoryOf(pid), 0)
  item.measured({ memoryBytes, cpuMs: pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0) })
  return memoryBytes
}

/** The process and its descendants (a sandbox has no others); null where the system does not list them. */
function familyOf (pid: number): number[] | null {
  const family = [pid]
  for (const member of family) {
    const children = childrenOf(member)
    if (children === null) return null
    family.push(...children)
  }
  return family
}

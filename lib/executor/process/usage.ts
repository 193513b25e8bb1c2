/**
 * What no limit of the system counts where there are no control groups: the memory of all processes of a command
 * together, and what it writes to the folders of this machine that it may. Looked at now and then; called by the
 * executor's tick.
 */
import { childrenOf } from '../../system/process-table.ts'
import type { Group } from '../cgroup/group.ts'
import type { Limits } from '../limits.ts'
import { favourGroup } from './autogroup.ts'
import { holdTooMuch, namelessBytes } from './folder-size.ts'
import type { Writable } from './folder-size.ts'
import { memoryOf, segmentsOf, sharedBytes, tmpfsBytes } from './memory.ts'
import { membersOf } from './sessions.ts'

/** What is watched. */
export interface Watched {
  readonly pid: number | undefined
  readonly limits: Limits
  readonly writable: readonly Writable[]
  /** what counts its memory; undefined: we must */
  readonly group: Group | undefined
  stop (reason: 'memory' | 'disk'): void
}

/**
 * A command that takes memory as fast as it can gets about a gigabyte a second; looks come before it can take half of
 * what is left.
 */
const WATCH_MS = 250
const MAX_WATCH_MS = 2_000
const BYTES_PER_MS = 2e6
/** Without a sandbox a process can leave its parents: among all processes it is found, at their cost. */
const SEARCH_MS = 5_000
/** Looking may take up to one part in so many of the time. */
const SHARE = 20

/** What items use together; ends those that take too much. */
export class Usage {
  #next = performance.now() + WATCH_MS
  #nextSearch = performance.now() + SEARCH_MS
  /** what all programs here shared when an item began */
  readonly #sharedBefore = new WeakMap<Watched, number>()
  #shared = { bytes: 0, at: -Infinity }
  /** folders that are being measured: off the event loop, as it is a command that made what is in there */
  readonly #measuring = new Set<Watched>()

  /** The item begins now. */
  begin (item: Watched): void {
    if (performance.now() - this.#shared.at > WATCH_MS) this.#shared = { bytes: sharedBytes(), at: performance.now() }
    this.#sharedBefore.set(item, this.#shared.bytes)
  }

  /** Looks, unless it has just done so. */
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

  /** Returns how long the next look can wait. */
  #lookAtMemory (running: Watched[], members: ReadonlyMap<number, number[]>): number {
    let waitMs = MAX_WATCH_MS
    const uncounted: Watched[] = []
    for (const item of running) {
      if (item.group === undefined) uncounted.push(item)
      else {
        waitMs = WATCH_MS
        if (item.group.hasRunOut()) item.stop('memory')
      }
    }
    if (uncounted.length === 0) return waitMs
    const shared = sharedBytes()
    const pidsOf = (item: Watched): number[] => members.get(item.pid!) ?? []
    // what items keep in files in memory has a limit of its own
    let inFiles: number | null = null
    const filesOfAll = (): number => inFiles ??= uncounted.reduce((sum, item) => sum + tmpfsBytes(pidsOf(item)), 0)
    for (const item of uncounted) {
      const { memoryBytes } = item.limits
      const grown = shared - (this.#sharedBefore.get(item) ?? shared)
      const bytes = pidsOf(item).reduce((sum, pid) => sum + memoryOf(pid), 0)
      waitMs = Math.min(waitMs, (memoryBytes - Math.max(bytes, grown)) / BYTES_PER_MS)
      // a command can let go of shared memory and still keep it, where no size of a process shows it: then it has some,
      // and all that is shared here has grown
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

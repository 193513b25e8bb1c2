/**
 * Control groups for what commands use together, where this process may make some: memory of every kind and processes,
 * counted and bounded by the kernel. Elsewhere usage.ts looks at what can be seen.
 *
 * A group is kept for the next command: to make one costs more than to be in one. Their folder has this process's name,
 * so that whoever comes next removes what a killed one left.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Limits } from '../limits.ts'
import { closeAll, openAll } from '../process/open-all.ts'
import { isLeft, ownPrefix } from '../process/own-name.ts'
import { COMMAND_UID, isRoot } from '../sandbox/host.ts'
import type { WorkItem } from '../types.ts'
import { LegacyGroup, UnifiedGroup, killAll, removeFolder } from './group.ts'
import type { Group, GroupLimits } from './group.ts'
import { hierarchiesOf } from './hierarchy.ts'
import type { Controller, Hierarchies } from './hierarchy.ts'

/** Where groups can be made. */
export type GroupPlace =
  { version: 2, folder: string } | { version: 1, folders: Partial<Record<Controller, string>> & { memory: string } }

/** What was found out. */
export interface GroupReport {
  place: GroupPlace | null
  /** one line for people */
  message: string
}

/** Kept for those to come. */
const MAX_KEPT = 16

/** What stands around a command, and the kernel's own tables: not the command's to account for. */
const AROUND = { bytes: 24 * 1024 ** 2, share: 64, processes: 16 }

/**
 * What a group may have for a command. Where its folders are in memory, they are part of it, unless the task asked for
 * them beside its memory.
 */
export function groupLimitsOf (
  { memoryBytes, scratchBytes, processes }: Limits, asks: WorkItem['asks'], isFolderInMemory: boolean
): GroupLimits {
  const folder = isFolderInMemory && asks?.scratchBytes !== undefined ? scratchBytes : 0
  const tables = Math.ceil(memoryBytes / AROUND.share)
  return { memoryBytes: memoryBytes + folder + tables + AROUND.bytes, processes: processes + AROUND.processes }
}

let report: GroupReport | undefined
let made = 0

/** Where this process may make groups; tried once. */
export function findGroups (): GroupReport {
  return report ??= tryGroups(readHierarchies())
}

function readHierarchies (): Hierarchies {
  try {
    return hierarchiesOf(readFileSync('/proc/self/cgroup', 'utf8'), readFileSync('/proc/self/mountinfo', 'utf8'))
  } catch {
    return { unified: [], legacy: {} } // not Linux
  }
}

/** @internal Tries what may be used, best first. For tests: `canJoin` says whether a process can become a member. */
export function tryGroups ({ unified, legacy }: Hierarchies, canJoin: (group: Group) => boolean = join): GroupReport {
  const places: GroupPlace[] = [
    ...unified.map(folder => ({ version: 2 as const, folder })),
    ...legacy.memory === undefined ? [] : [{ version: 1 as const, folders: { ...legacy, memory: legacy.memory } }]
  ]
  for (const place of places) {
    const hasControllers =
      place.version === 1 || readOrEmpty(path.join(place.folder, 'cgroup.controllers')).split(/\s/).includes('memory')
    if (!hasControllers) continue
    removeLeft(place)
    const groups = new Groups(place)
    try {
      if (!canJoin(groups.take({ memoryBytes: 64 * 1024 ** 2, processes: 16 }))) continue
      return { place, message: `Cgroups (version ${place.version}) limit the total memory of a command.` }
    } catch {
      // the kernel refuses: not here
    } finally {
      groups.close()
    }
  }
  return { place: null, message: 'No cgroups can be created here, so the memory of a command is only checked periodically.' }
}

/**
 * @internal A process of whom commands run as, since the kernel may ask who it is. Throws where the files cannot be
 * opened. For tests.
 */
export function join ({ procs }: Pick<Group, 'procs'>): boolean {
  const fds = openAll(procs.map(file => () => openSync(file, 'w')))
  try {
    const script = fds.map((_, i) => `echo 0 >&${i + 3}||exit 1;`).join('')
    const { status } = spawnSync('/bin/sh', ['-c', script], {
      cwd: '/',
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', ...fds],
      ...(isRoot() && { uid: COMMAND_UID, gid: COMMAND_UID })
    })
    return status === 0
  } finally {
    closeAll(fds)
  }
}

/** The groups of one executor. */
export class Groups {
  readonly #place: GroupPlace
  readonly #name = `${ownPrefix()}${made++}`
  readonly #free: Group[] = []
  readonly #all = new Set<Group>()
  /** what the kernel was told of those that are kept: each word to it costs a command a tenth of a millisecond */
  readonly #given = new WeakMap<Group, GroupLimits>()
  #isReady = false

  constructor (place: GroupPlace) {
    this.#place = place
  }

  /**
   * An empty group with these limits. The kernel may refuse them for one that was used, as it still counts what cannot
   * be taken back (EBUSY): then a new one is made. Throws if that is refused, too: no command runs without its limits.
   */
  take (limits: GroupLimits): Group {
    const kept = this.#free.pop()
    if (kept === undefined) return this.#limited(this.#make(), limits)
    try {
      return this.#limited(kept, limits)
    } catch {
      return this.#limited(this.#make(), limits)
    }
  }

  /** Nothing of the command runs any more. */
  giveBack (group: Group): void {
    if (this.#free.length < MAX_KEPT) this.#free.push(group)
    else this.#discard(group)
  }

  /** Ends what is in them, and removes them. */
  close (): void {
    for (const group of this.#all) {
      if (group.remove()) continue
      group.kill()
      group.remove() // else whoever comes next does
    }
    this.#all.clear()
    this.#free.length = 0
    if (this.#isReady) for (const folder of foldersOf(this.#place)) removeFolder(path.join(folder, this.#name))
    this.#isReady = false
  }

  #limited (group: Group, limits: GroupLimits): Group {
    try {
      const given = this.#given.get(group)
      if (given?.memoryBytes !== limits.memoryBytes || given.processes !== limits.processes) group.limit(limits)
      this.#given.set(group, limits)
    } catch (err) {
      this.#discard(group)
      throw err
    }
    group.hasRunOut() // not our command's
    return group
  }

  /** If it cannot be removed yet, that is tried again in the end. */
  #discard (group: Group): void {
    if (group.remove()) this.#all.delete(group)
  }

  #make (): Group {
    if (!this.#isReady) this.#prepare()
    const name = path.join(this.#name, String(made++))
    const group = this.#place.version === 2
      ? new UnifiedGroup(path.join(this.#place.folder, name))
      : new LegacyGroup(mapFolders(this.#place.folders, folder => path.join(folder, name)))
    this.#all.add(group)
    return group
  }

  /** Throws where no groups can be made. In version 2 a folder must hand its controllers down to those in it. */
  #prepare (): void {
    for (const folder of foldersOf(this.#place)) mkdirSync(path.join(folder, this.#name))
    this.#isReady = true
    if (this.#place.version === 1) return
    const { folder } = this.#place
    for (const [at, isNeeded] of [[folder, false], [path.join(folder, this.#name), true]] as const) {
      for (const controller of ['memory', 'pids', 'cpu']) {
        try {
          writeFileSync(path.join(at, 'cgroup.subtree_control'), `+${controller}`)
        } catch (err) {
          // the folder itself may hand it down already, and have processes in it, with which it cannot be asked again
          if (isNeeded && controller === 'memory') throw err
        }
      }
    }
  }
}

function foldersOf (place: GroupPlace): string[] {
  return place.version === 2 ? [place.folder] : Object.values(place.folders)
}

function mapFolders<T extends object> (folders: T, map: (folder: string) => string): T {
  return Object.fromEntries(
    Object.entries(folders).map(([controller, folder]) => [controller, map(String(folder))])
  ) as T
}

/** Ends and removes what processes left that are no more. */
function removeLeft (place: GroupPlace): void {
  for (const folder of foldersOf(place)) {
    for (const name of namesIn(folder)) {
      if (!isLeft(name)) continue
      const at = path.join(folder, name)
      for (const inside of namesIn(at).map(each => path.join(at, each))) {
        killAll([path.join(inside, 'cgroup.procs')])
        removeFolder(inside)
      }
      removeFolder(at)
    }
  }
}

function readOrEmpty (file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

function namesIn (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

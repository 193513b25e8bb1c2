/**
 * Control groups for commands, where this process may make them: the kernel then counts and limits memory of every
 * kind, and processes. Elsewhere, usage.ts measures what it can.
 *
 * A group is kept for the next command, because making one costs more than joining it. The folder of the groups has
 * this process's name, so that later processes can remove the groups of one that was killed.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { namesIn, readOrEmpty } from '../../system/lenient-reads.ts'
import type { Limits } from '../limits.ts'
import { closeAll, openAll } from '../process/open-all.ts'
import { isLeft, ownPrefix } from '../process/own-name.ts'
import { COMMAND_UID, isRoot } from '../sandbox/host.ts'
import type { WorkItem } from '../types.ts'
import { LegacyGroup, UnifiedGroup, killAll, removeFolder } from './group.ts'
import type { Group, GroupLimits } from './group.ts'
import { hierarchiesOf } from './hierarchy.ts'
import type { Controller, Hierarchies } from './hierarchy.ts'

/** A place where groups can be made. */
export type GroupPlace =
  { version: 2, folder: string } | { version: 1, folders: Partial<Record<Controller, string>> & { memory: string } }

/** The result of the search. */
export interface GroupReport {
  place: GroupPlace | null
  /** one line for users */
  message: string
}

/** Number of groups kept for later commands. */
const MAX_KEPT = 16

/**
 * Allowance for the processes around a command, and for the kernel's own tables, which are not counted as the
 * command's.
 */
const AROUND = { bytes: 24 * 1024 ** 2, share: 64, processes: 16 }

/**
 * The limits of a command's group. If its folders are in memory, they count as part of the memory, unless the task
 * asked for them in addition.
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

/** The place where this process may make groups; determined once. */
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

/** @internal Tries the possible places, best first. For tests: `canJoin` says whether a process can join a group. */
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
      // the kernel refuses: not in this place
    } finally {
      groups.close()
    }
  }
  return { place: null, message: 'No cgroups can be created here, so the memory of a command is only checked periodically.' }
}

/**
 * @internal Starts a process as the user that commands run as, since the kernel checks the user, and returns whether it
 * can join. Throws if the files cannot be opened. For tests.
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
  /** the limits last set for each group that is kept: setting one costs a command a tenth of a millisecond */
  readonly #given = new WeakMap<Group, GroupLimits>()
  #isReady = false

  constructor (place: GroupPlace) {
    this.#place = place
  }

  /**
   * Returns an empty group with these limits. The kernel may refuse them for a used group, because memory that cannot
   * be reclaimed is still counted (EBUSY): then a new one is made. Throws if that fails, too: no command runs without
   * its limits.
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

  /** No process of the command is left. */
  giveBack (group: Group): void {
    if (this.#free.length < MAX_KEPT) this.#free.push(group)
    else this.#discard(group)
  }

  /** Kills all processes in the groups, and removes the groups. */
  close (): void {
    for (const group of this.#all) {
      if (group.remove()) continue
      group.kill()
      group.remove() // otherwise a later process removes it
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
    group.hasRunOut() // resets the counter: an earlier event is not this command's
    return group
  }

  /** If it cannot be removed yet, `close` tries again. */
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

  /** Throws if no groups can be made. In version 2, a folder must delegate its controllers to its children. */
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
          // the folder itself may already delegate it, and contain processes, so that it cannot be changed
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

/** Kills and removes the groups of processes that have ended. */
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

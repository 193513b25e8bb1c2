/**
 * What a launch in a sandbox takes: open files, until it is spawned, and its place in a control group, until nothing of
 * it runs any more.
 */
import { openSync } from 'node:fs'
import { groupLimitsOf } from '../cgroup/groups.ts'
import type { Launch, LaunchHost } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { closeAll, openAll } from '../process/open-all.ts'
import type { WorkItem } from '../types.ts'
import type { FilterFile } from './filter-file.ts'

/** What is to be taken. */
export interface ToTake {
  item: WorkItem
  limits: Limits
  /** its working directory takes memory, which its group counts */
  isFolderInMemory: boolean
  files: readonly FilterFile[]
}

/** What was taken for one launch. */
export interface Taken {
  /** the `files`, opened for this launch; who spawns it closes them */
  files: number[]
  /** who writes "0" to each is in the group; who spawns it closes them, too */
  groupFds: number[]
}

/**
 * Makes a launch in a group, which it leaves when it has settled. Throws what `make` throws, or the kernel where there
 * are groups but none is to be had; nothing is taken then.
 */
export function launchWith (
  host: LaunchHost | null, { item, limits, isFolderInMemory, files }: ToTake, make: (taken: Taken) => Launch
): Launch {
  const groups = host?.groups ?? null
  const group = groups?.take(groupLimitsOf(limits, item.asks, isFolderInMemory)) ?? null
  let fds: number[] = []
  try {
    const procs = group?.procs ?? []
    fds = openAll([...files.map(file => () => file.open()), ...procs.map(file => () => openSync(file, 'w'))])
    const launch = make({ files: fds.slice(0, files.length), groupFds: fds.slice(files.length) })
    if (groups === null || group === null) return launch
    return {
      ...launch,
      group,
      settled: async () => {
        try {
          await launch.settled?.()
        } finally {
          groups.giveBack(group)
        }
      }
    }
  } catch (err) {
    closeAll(fds)
    if (group !== null) groups!.giveBack(group)
    throw err
  }
}

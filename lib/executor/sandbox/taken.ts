/**
 * The resources of a launch in a sandbox: open files until it is spawned, and a control group until none of its
 * processes is left.
 */
import { openSync } from 'node:fs'
import { groupLimitsOf } from '../cgroup/groups.ts'
import type { Launch, LaunchHost } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { closeAll, openAll } from '../process/open-all.ts'
import type { WorkItem } from '../types.ts'
import type { FilterFile } from './filter-file.ts'

/** The resources to acquire. */
export interface ToTake {
  item: WorkItem
  limits: Limits
  /** its working directory is in memory, which its group counts */
  isFolderInMemory: boolean
  files: readonly FilterFile[]
}

/** The resources of one launch. */
export interface Taken {
  /** the `files`, opened for this launch; closed after spawning */
  files: number[]
  /** a process that writes "0" to each of these joins the group; closed after spawning, too */
  groupFds: number[]
}

/**
 * Makes a launch in a group, which it leaves when it has settled. Throws the errors of `make`, and those of the kernel
 * if a group should be available and is not; nothing is acquired then.
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

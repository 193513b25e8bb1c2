/**
 * A launch's place in a control group: what its outer shell writes to, and what is done when it has ended.
 */
import { openSync } from 'node:fs'
import { groupLimitsOf } from '../cgroup/groups.ts'
import type { Group } from '../cgroup/group.ts'
import type { Launch, LaunchHost } from '../launch.ts'
import type { Limits } from '../limits.ts'
import { closeAll, openAll } from '../process/open-all.ts'
import type { WorkItem } from '../types.ts'

/** What the group is for. */
export interface InGroup {
  item: WorkItem
  limits: Limits
  /** its working directory takes memory */
  isFolderInMemory: boolean
}

/** For one launch. */
export interface Joined {
  /** null where there are no groups */
  group: Group | null
  /** open files; who writes "0" to each is in the group */
  fds: number[]
  /** Nothing of the launch runs any more. */
  leave (): void
}

/**
 * Makes a launch in a group. Throws what `make` throws, or the kernel where there are groups but none is to be had.
 */
export function launchIn (
  host: LaunchHost | null, { item, limits, isFolderInMemory }: InGroup, make: (joined: Joined) => Launch
): Launch {
  const groups = host?.groups ?? null
  if (groups === null) return make({ group: null, fds: [], leave () {} })
  const group = groups.take(groupLimitsOf(limits, item.asks, isFolderInMemory))
  let fds: number[] = []
  const leave = (): void => {
    closeAll(fds)
    groups.giveBack(group)
  }
  try {
    fds = openAll(group.procs.map(file => () => openSync(file, 'w')))
    return make({ group, fds, leave })
  } catch (err) {
    leave()
    throw err
  }
}

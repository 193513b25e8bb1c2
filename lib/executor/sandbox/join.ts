/**
 * A launch's place in a control group: what its outer shell writes to, and what is done when it has ended.
 */
import { closeSync, openSync } from 'node:fs'
import type { Group } from '../cgroup/group.ts'
import { groupLimitsOf } from '../cgroup/groups.ts'
import type { LaunchHost } from '../launch.ts'
import type { Limits } from '../limits.ts'
import type { WorkItem } from '../types.ts'

/** For one launch. */
export interface Joined {
  /** null where there are no groups */
  group: Group | null
  /** open files; who writes "0" to each is in the group */
  fds: number[]
  /** Nothing of the launch runs any more. */
  leave (): void
}

/** A group for the launch. @param isFolderInMemory its working directory takes memory */
export function joinGroup (host: LaunchHost | null, { asks }: WorkItem, limits: Limits, isFolderInMemory: boolean): Joined {
  const groups = host?.groups ?? null
  const group = groups?.take(groupLimitsOf(limits, asks, isFolderInMemory)) ?? null
  if (groups === null || group === null) return { group: null, fds: [], leave () {} }
  const fds = group.procs.map(file => openSync(file, 'w'))
  return {
    group,
    fds,
    leave () {
      for (const fd of fds) closeSync(fd)
      groups.giveBack(group)
    }
  }
}

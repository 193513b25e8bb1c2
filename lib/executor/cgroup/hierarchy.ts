/**
 * Where this process is in the kernel's hierarchies of control groups (cgroups(7)), of either version. Pure: the two
 * files of /proc are handed in.
 */
import path from 'node:path'

/** Controllers that are made use of; without `memory` there is no use in the others. */
export type Controller = 'memory' | 'pids' | 'cpu'

/** Folders that groups may be made in. */
export interface Hierarchies {
  /** of version 2: where this process is, and the folder above that; in which groups can be made is to be tried */
  unified: string[]
  /** of version 1, a folder for each controller */
  legacy: Partial<Record<Controller, string>>
}

const LEGACY: Controller[] = ['memory', 'pids']

/** Reads /proc/self/cgroup and /proc/self/mountinfo. */
export function hierarchiesOf (cgroup: string, mountinfo: string): Hierarchies {
  const mounts = mountinfo.split('\n').flatMap(line => {
    // 31 23 0:26 /root /mounted/at options - type source options
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, at] = before.split(' ')
    const [type, , options = ''] = after.split(' ')
    return root === undefined || at === undefined || type === undefined
      ? []
      : [{ root: unescape(root), at: unescape(at), type, options: options.split(',') }]
  })
  const own = cgroup.split('\n').map(line => /^\d+:([^:]*):(.*)$/.exec(line)).filter(match => match !== null)
  const folderOf = (type: string, controller: string): string | null => {
    const at = own.find(([, controllers = '']) => controllers.split(',').includes(controller))?.[2]
    const mount = mounts.find(each => each.type === type && (controller === '' || each.options.includes(controller)))
    return at === undefined || mount === undefined ? null : placeIn(mount, at)
  }
  const unified = folderOf('cgroup2', '')
  const legacy = LEGACY.map(controller => [controller, folderOf('cgroup', controller)] as const).filter(
    ([, at]) => at !== null
  )
  const top = mounts.find(({ type }) => type === 'cgroup2')?.at ?? ''
  return {
    unified: unified === null ? [] : path.relative(top, unified) === '' ? [unified] : [unified, path.dirname(unified)],
    legacy: Object.fromEntries(legacy)
  }
}

/** null if the mount does not show that part of the hierarchy. */
function placeIn ({ root, at }: { root: string, at: string }, own: string): string | null {
  if (root === '/') return path.join(at, own)
  const relative = path.relative(root, own)
  return relative.startsWith('..') ? null : path.join(at, relative)
}

/** Blanks and the like are written as octal numbers. */
function unescape (text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

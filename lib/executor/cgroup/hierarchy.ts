/**
 * Finds the place of this process in the kernel's hierarchies of control groups (cgroups(7)), version 1 and 2. Pure:
 * the contents of the two /proc files are arguments.
 */
import path from 'node:path'

/** The controllers that are used. Without `memory`, the others are useless. */
export type Controller = 'memory' | 'pids' | 'cpu'

/** Folders in which groups may be made. */
export interface Hierarchies {
  /** version 2: the folder of this process, and its parent; either may turn out not to work */
  unified: string[]
  /** version 1: one folder for each controller */
  legacy: Partial<Record<Controller, string>>
}

const LEGACY: Controller[] = ['memory', 'pids']

/** Parses /proc/self/cgroup and /proc/self/mountinfo. */
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

/** Spaces and other special characters are written as octal numbers. */
function unescape (text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

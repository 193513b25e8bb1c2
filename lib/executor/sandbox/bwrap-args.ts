/** The arguments of bubblewrap, which define what a command in the sandbox sees. All of them are here. Pure. */
import type { Limits } from '../limits.ts'
import type { Mount } from '../types.ts'
import { SCRATCH } from './scratch.ts'
import type { ShownMounts } from './shown.ts'

/** A folder of the system's programs: `/bin` is a link to `usr/bin`, or a folder. */
export interface SystemFolder { path: string, link: string | null }

/** The contents of a sandbox. */
export interface SandboxOptions {
  limits: Pick<Limits, 'scratchBytes'>
  system: readonly SystemFolder[]
  /** the folder that is `/`, in place of the system and of `shown`; default: none */
  root?: string
  /** what programs need from /etc and /var; default: nothing */
  shown?: ShownMounts
  mounts?: readonly Mount[]
  /** a /proc of its own; containers may forbid it */
  proc: boolean
  /** descriptor to read the seccomp filter from; undefined for a nest, which filters its items itself */
  seccompFd?: number
  /** the capabilities that a nest needs to make sandboxes; default: none */
  capabilities?: readonly string[]
  /** descriptor to which bwrap writes the pid of the first process inside */
  infoFd: number
}

/** The size of /dev/shm. */
export const SHM_BYTES = 64 * 1024 ** 2
/**
 * The first process belongs to bwrap, and none of the command's limits apply to it: it is hidden. Files that affect all
 * other processes (their order when memory runs out, /proc/sys) are read-only.
 */
const CLOSED_PROC = [
  '--ro-bind', '/proc/sys', '/proc/sys', ...closed('/proc/1'), '--remount-ro', '/proc'
]
/** The arguments for `--args FD`: not on the command line, which the sandbox can read. */
export function bwrapArgs (options: SandboxOptions): string[] {
  const { limits, mounts = [], proc, seccompFd, capabilities = [], infoFd } = options
  return [
    // first what takes away, so that nothing of it is missing should we be killed while we write this
    // each by its name: --unshare-all means "if possible" for the first one
    '--unshare-user', '--disable-userns', '--unshare-pid', '--unshare-net', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try',
    '--die-with-parent', '--new-session', '--cap-drop', 'ALL', ...capabilities.flatMap(name => ['--cap-add', name]), '--uid', '65534', '--gid', '65534', '--hostname', 'bitworker',
    ...seccompFd === undefined ? [] : ['--seccomp', String(seccompFd)], '--info-fd', String(infoFd),
    ...programs(options),
    // a /proc with covered parts would prevent a nest from mounting others
    ...proc ? ['--proc', '/proc', ...capabilities.length > 0 ? [] : CLOSED_PROC] : [],
    '--dev', '/dev',
    ...tmpfs('/dev/shm', Math.min(SHM_BYTES, limits.scratchBytes)),
    ...tmpfs('/tmp', limits.scratchBytes),
    ...tmpfs(SCRATCH, limits.scratchBytes),
    ...mounts.flatMap(({ path, at, writable, isDevice }) =>
      [isDevice === true ? '--dev-bind' : writable === true ? '--bind' : '--ro-bind', path, at]),
    '--chdir', SCRATCH,
    // last: bwrap creates the mount points of all others in them
    '--remount-ro', '/dev', '--remount-ro', '/'
  ]
}

/** The programs, and what they need: those of a root, or those of this machine. */
function programs ({ root, system, shown }: SandboxOptions): string[] {
  if (root !== undefined) return ['--ro-bind', root, '/']
  return [
    '--ro-bind', '/usr', '/usr',
    ...system.flatMap(({ path, link }) => link === null ? ['--ro-bind', path, path] : ['--symlink', link, path]),
    ...shown?.copies.flatMap(({ path, at }) => ['--ro-bind', path, at]) ?? [],
    ...shown?.others.flatMap(path => ['--ro-bind-try', path, path]) ?? [],
    ...shown?.hidden.flatMap(({ path, isFolder }) => isFolder ? closed(path) : ['--ro-bind', '/dev/null', path]) ?? []
  ]
}

/** Covers a folder with an empty one. */
function closed (at: string): string[] {
  return [...tmpfs(at, 4096), '--remount-ro', at]
}

/** Without a size, each could use half of the memory. */
function tmpfs (at: string, bytes: number): string[] {
  return ['--size', String(bytes), '--tmpfs', at]
}

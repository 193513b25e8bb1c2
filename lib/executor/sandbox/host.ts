/** Properties of this machine that the sandbox needs: the paths of programs, our user, the layout of the system. */
import {
  accessSync, constants, lstatSync, readFileSync, readdirSync, readlinkSync, statSync, writeFileSync
} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import type { SystemFolder } from './bwrap-args.ts'
import type { HardLimits } from './prelude.ts'
import type { Arch } from './syscalls.ts'

/**
 * The user that commands run as if we are root. Not `nobody` (65534), which daemons and network file systems use, too.
 * No distribution assigns the numbers just below it (Debian policy 9.2, systemd's UIDS-GIDS: 65520 to 65533 are
 * unused).
 */
export const COMMAND_UID = 65_529

const STANDARD_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const SYSTEM_PATH = ['/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** The absolute path of a program: in PATH or the usual folders, and below `base`; null if it is not found. */
export function findProgram (name: string, base = '/'): string | null {
  const folders = `${process.env['PATH'] ?? ''}:${STANDARD_PATH}`.split(':').filter(folder => folder.startsWith(base))
  return folders.map(folder => path.join(folder, name)).find(isExecutable) ?? null
}

/** The absolute path of a system program that root can run, whatever PATH says. */
export function systemProgram (name: string): string {
  return SYSTEM_PATH.map(folder => path.join(folder, name)).find(isExecutable) ?? `/usr/bin/${name}`
}

function isExecutable (file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/** Whether we are root, and must therefore change the user before a command runs. */
export function isRoot (): boolean {
  return process.getuid?.() === 0
}

/** The folders beside /usr that contain programs; on today's systems they are links into it. */
export function systemFolders (): SystemFolder[] {
  return ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].flatMap(folder => {
    const stats = lstatSync(folder, { throwIfNoEntry: false })
    if (stats === undefined) return []
    return [{ path: folder, link: stats.isSymbolicLink() ? readlinkSync(folder) : null }]
  })
}

/** The architecture of this machine, if there is a filter of system calls for it; otherwise null. */
export function archOf (): Arch | null {
  return process.arch === 'x64' || process.arch === 'arm64' ? process.arch : null
}

/** The hard limits of this process, which are upper bounds for a command's. */
export function hardLimits (): HardLimits {
  try {
    const text = readFileSync('/proc/self/limits', 'latin1')
    const hard = (name: string): number => Number(new RegExp(`^${name} +\\S+ +(\\d+)`, 'm').exec(text)?.[1] ?? Infinity)
    return { openFiles: hard('Max open files'), processes: hard('Max processes') }
  } catch {
    return { openFiles: Infinity, processes: Infinity }
  }
}

/** The number of threads on this machine, of all users; 0 where the system does not tell. */
export function countThreads (): number {
  try {
    return Number(/\/(\d+)/.exec(readFileSync('/proc/loadavg', 'latin1'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** Makes the system kill this process first when memory runs out. */
export function endFirst (pid: number | undefined): void {
  try {
    if (pid !== undefined) writeFileSync(`/proc/${pid}/oom_score_adj`, '1000')
  } catch {} // otherwise the system chooses by itself
}

/** Whether the path is a folder, or a link to one. */
export function isFolder (at: string): boolean {
  return statSync(at, { throwIfNoEntry: false })?.isDirectory() === true
}

/** The highest open file descriptor that a child could inherit. */
export function highestFd (): number {
  return Math.max(...readdirSync('/proc/self/fd').map(Number))
}

/**
 * Launches commands that are confined by Landlock and seccomp, for machines that forbid the namespaces that bwrap
 * needs. The command runs in its item's own folder, where binds are links.
 */
import { existsSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import { sandboxEnv } from '../env.ts'
import { NO_STDIN, letBegin } from '../launch.ts'
import type { Launch, LaunchHost, Launcher } from '../launch.ts'
import type { Limits } from '../limits.ts'
import type { Mount, WorkItem } from '../types.ts'
import { FilterFile } from './filter-file.ts'
import {
  COMMAND_UID, countThreads, endFirst, findProgram, hardLimits, highestFd, isRoot, systemFolders
} from './host.ts'
import { launchWith } from './taken.ts'
import type { Taken } from './taken.ts'
import { landlockCommand } from './landlock-script.ts'
import type { Rule } from './landlock-script.ts'
import { outerCommand } from './outer.ts'
import { MARK, bashCommand, fileBytesOf, prelude } from './prelude.ts'
import type { HardLimits } from './prelude.ts'
import { seccompFilter } from './seccomp.ts'
import type { Arch } from './seccomp.ts'
import { shownHere, visibleIn } from './shown.ts'
import type { Shown } from './shown.ts'

/** Options of the launcher. */
export interface LandlockLauncherOptions {
  /** absolute path of perl */
  perl: string
  arch: Arch
}

/** Descriptor 3 is the filter. */
const NEXT_FD = 4
const DEVICES = ['/dev/null', '/dev/zero', '/dev/full', '/dev/random', '/dev/urandom']
/** Files that programs use to determine the size of the machine; they reveal nothing of other processes. */
const PROC = ['/proc/cpuinfo', '/proc/meminfo', '/proc/stat']

/**
 * A rule for a folder applies to everything in it. Where parts of a folder are hidden, rules therefore name the visible
 * parts.
 */
function visibleRules (shown: Shown): Rule[] {
  const { lists, reads } = visibleIn(shown)
  return [...lists.map((path): Rule => ({ path, may: 'list' })), ...reads.map((path): Rule => ({ path, may: 'read' }))]
}

/** Drivers find the other nodes of a device by the folder that it is in. */
function rulesOf ({ path, writable, isDevice }: Mount): Rule[] {
  if (isDevice === true) return [{ path, may: 'driver' }, { path: dirname(path), may: 'list' }]
  return [{ path, may: writable === true ? 'write' : 'read' }]
}

/** Confines each command. */
export class LandlockLauncher implements Launcher {
  readonly mark = randomUUID()
  readonly #opts: LandlockLauncherOptions
  readonly #hard: HardLimits = hardLimits()
  readonly #ionice = findProgram('ionice')
  readonly #filter: FilterFile
  #host: LaunchHost | null = null
  readonly #system: Rule[]

  constructor (opts: LandlockLauncherOptions) {
    this.#opts = opts
    this.#filter = new FilterFile(seccompFilter(opts.arch, { isShared: true }))
    const folders = systemFolders().filter(({ link }) => link === null).map(({ path }) => path)
    this.#system = [
      ...[...folders, '/usr', ...PROC].map(path => ({ path, may: 'read' as const })),
      ...shownHere().flatMap(shown =>
        shown.hidden.length === 0 ? [{ path: shown.path, may: 'read' as const }] : visibleRules(shown)
      ),
      ...DEVICES.map(path => ({ path, may: 'device' as const }))
    ].filter(({ path }) => existsSync(path))
  }

  launch (item: WorkItem, limits: Limits): Launch {
    const files = [this.#filter]
    return launchWith(this.#host, { item, limits, isFolderInMemory: false, files }, taken =>
      this.#launch(item, limits, taken)
    )
  }

  #launch (item: WorkItem, limits: Limits, { files, groupFds }: Taken): Launch {
    const { cwd, env, mounts = [], stdin } = item
    const rules: Rule[] = [
      ...this.#system,
      { path: cwd, may: 'write' },
      ...mounts.flatMap(rulesOf),
      ...stdin === undefined ? [] : [{ path: stdin, may: 'read' as const }]
    ]
    const [file = '', ...args] = [
      ...outerCommand({
        limits, fileBytes: fileBytesOf(item, limits), hard: this.#hard, groupFds: groupFds.map((_, i) => NEXT_FD + i)
      }),
      ...(this.#ionice === null ? [] : [this.#ionice, '-c', '3']),
      ...landlockCommand({
        ...this.#opts,
        user: isRoot() ? COMMAND_UID : null,
        stdin: stdin ?? NO_STDIN,
        rules,
        command: this.#command(item, limits)
      })
    ]
    return {
      file,
      args,
      cwd,
      env: { ...sandboxEnv(cwd, env), [MARK]: this.mark },
      stdin: 'pipe',
      fds: [...files, ...groupFds],
      folder: cwd,
      isHeld: true,
      started: child => {
        endFirst(child.pid)
        letBegin(child)
      }
    }
  }

  attach (host: LaunchHost): void { this.#host = host }

  close (): void { this.#filter.close() }

  /**
   * The system counts all processes of the user, here and elsewhere: the limit is the number that are running plus the
   * command's.
   */
  #command (item: WorkItem, limits: Limits): string[] {
    const processes = countThreads() + limits.processes
    return bashCommand(item, prelude({
      limits: { ...limits, processes },
      fileBytes: fileBytesOf(item, limits),
      hard: this.#hard,
      highestFd: highestFd()
    }))
  }
}

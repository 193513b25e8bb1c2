/**
 * How a work item becomes a process. Without a sandbox, the process is bash behind a gate; sandbox/ has the other
 * launchers. Nothing is started here: item.ts does that.
 */
import type { ChildProcess } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import type { Group } from './cgroup/group.ts'
import type { Groups } from './cgroup/groups.ts'
import { commandEnv } from './env.ts'
import type { Limits } from './limits.ts'
import type { WorkItem } from './types.ts'

/**
 * A process to spawn. Its descriptors 0 to 2 are /dev/null (or `stdin`), the pipe for stdout, and the pipe for stderr.
 */
export interface Launch {
  file: string
  args: string[]
  cwd: string
  env: Record<string, string>
  /** the user to run as; default: the current one */
  uid?: number
  gid?: number
  /** default 'ignore': empty */
  stdin?: 'pipe'
  /** its descriptors from 3 on: one of ours, which is closed after spawning; or a pipe */
  fds: Array<number | 'pipe'>
  /** the descriptor for the command's stdout instead of 1, so that processes other than the command do not hold it */
  stdoutFd?: number
  /**
   * its first process outlasts the command until its stdin is closed, which happens when the end of stdout has been
   * read; default false
   */
  outlasts?: boolean
  /** a folder of this machine that it may write up to `scratchBytes` to; measured periodically */
  folder?: string
  /** the group that counts and limits its processes; default: none */
  group?: Group
  /** no process can leave its session, which ends with it; default false: such a process may survive by seconds */
  isHeld?: boolean
  /** The process exists, and the watchdog knows it: lets it begin. */
  started? (child: ChildProcess): void
  /** How the command ended, derived from the exit code of the process. */
  ended? (exitCode: number): { exitCode: number | null, signal: NodeJS.Signals | null }
  /** Called when the process has ended, or could not be started. Resolves when nothing that it started is left. */
  settled? (): Promise<void>
}

/** The resources of a launcher. */
export interface LaunchHost {
  /** kills process groups when this process ends */
  watchdog: { watch (pgid: number): void, forget (pgid: number): void }
  /** limits the total usage of a launch; null if that is not possible */
  groups: Groups | null
}

/** Makes launches; belongs to one executor. */
export interface Launcher {
  /** the working directory, HOME and TMPDIR of every command; undefined: the item's `cwd` */
  readonly scratch?: string | undefined
  /**
   * added to the environment of spawned processes, so that the watchdog finds those that have left their group and
   * session
   */
  readonly mark?: string
  /** whether it launches items with a `root`; default false */
  readonly hasRoots?: boolean
  /** Called once, before the first launch. */
  attach? (host: LaunchHost): void
  /** Throws the errors with which `RunningItem.done` rejects. */
  launch (item: WorkItem, limits: Limits): Launch
  /** Whether nests (nest.ts) support such items. */
  canNest? (item: WorkItem): boolean
  /** Makes a nest, which runs items like this one with other variables; `parts` are the pipes for their stdout. */
  nest? (item: WorkItem, limits: Limits, parts: number[]): Launch
  close (): void
}

/** The stdin of a command that is given none. */
export const NO_STDIN = '/dev/null'

/**
 * Waits for a line before it begins. Without the line it ends: we were killed before the watchdog knew of it. Uses sh,
 * which starts faster than bash. $0 is the path of the command's stdin.
 */
const GATE = ['/bin/sh', '-c', 'read -r __go&&exec "$@"<"$0"'] as const

/** Lets a process begin that waits for a line on its stdin, which is a pipe. */
export function letBegin (child: ChildProcess): void {
  child.stdin?.on('error', () => {}) // EPIPE: it has ended, which is noticed elsewhere
  child.stdin?.end('\n')
}

/** Throws what spawn() would: the gate would find out too late. */
function checkShell (at: string): void {
  accessSync(at, constants.X_OK)
  if (!statSync(at).isFile()) throw new Error(`${at} is not a file`)
}

/** Runs commands with the permissions of this process. */
export class PlainLauncher implements Launcher {
  readonly #shell: string
  readonly #parentEnv: NodeJS.ProcessEnv

  constructor (shell: string, parentEnv: NodeJS.ProcessEnv) {
    this.#shell = shell
    this.#parentEnv = parentEnv
  }

  launch ({ command, args = [], cwd, env, stdin = NO_STDIN }: WorkItem): Launch {
    checkShell(this.#shell)
    const [file, ...gate] = GATE
    return {
      file,
      args: [...gate, stdin, this.#shell, '--noprofile', '--norc', '-c', command, ...args],
      cwd,
      env: commandEnv(this.#parentEnv, cwd, env),
      stdin: 'pipe',
      fds: [],
      started: letBegin
    }
  }

  close (): void {}
}

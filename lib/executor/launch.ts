/**
 * How a command becomes a process: what to spawn for a work item. Without a sandbox that is bash, behind a gate;
 * sandbox/ has the others. Nothing is started here: item.ts does that.
 */
import type { ChildProcess } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import type { Group } from './cgroup/group.ts'
import type { Groups } from './cgroup/groups.ts'
import { commandEnv } from './env.ts'
import type { Limits } from './limits.ts'
import type { WorkItem } from './types.ts'

/** One process to spawn; its descriptors 0 to 2 are nothing (or `stdin`), the pipe for stdout, and that for stderr. */
export interface Launch {
  file: string
  args: string[]
  cwd: string
  env: Record<string, string>
  /** the user to become before anything else; default: who we are */
  uid?: number
  gid?: number
  /** default 'ignore': empty */
  stdin?: 'pipe'
  /** its descriptors from 3 on: one of ours, which whoever spawns it closes; or a pipe */
  fds: Array<number | 'pipe'>
  /**
   * which of its descriptors the pipe for the command's stdout is instead: processes that are not the command's may not
   * hold it
   */
  stdoutFd?: number
  /**
   * what it started first outlasts the command until its stdin ends, which is when the end of stdout was read; default
   * false
   */
  outlasts?: boolean
  /** the folder of this machine that it writes to as it likes, up to `scratchBytes`: looked at now and then */
  folder?: string
  /** what all of it is counted and bounded in; default: nothing */
  group?: Group
  /**
   * nothing that it starts can leave its session, all of which ends with it; default false: what does outlives it by
   * seconds
   */
  isHeld?: boolean
  /** The process exists, and is ended when we end: now it may begin. */
  started? (child: ChildProcess): void
  /** How the command ended, told by how the process did. */
  ended? (exitCode: number): { exitCode: number | null, signal: NodeJS.Signals | null }
  /** Called when the process has ended, or could not be started; resolves when nothing that it started runs. */
  settled? (): Promise<void>
}

/** What a launcher may make use of. */
export interface LaunchHost {
  /** ends process groups when this process dies */
  watchdog: { watch (pgid: number): void, forget (pgid: number): void }
  /** bounds what a launch uses together; null where that cannot be */
  groups: Groups | null
}

/** Makes launches; belongs to one executor. */
export interface Launcher {
  /** the folder that every command finds itself in, HOME and TMPDIR; undefined: the item's own `cwd` */
  readonly scratch?: string | undefined
  /** stands in the environment of what is spawned, for the watchdog to find what has left its group and session */
  readonly mark?: string
  /** Called once, before anything is launched. */
  attach? (host: LaunchHost): void
  /** Throws what `RunningItem.done` rejects with. */
  launch (item: WorkItem, limits: Limits): Launch
  /** Whether there are nests (nest.ts) for such items. */
  canNest? (item: WorkItem): boolean
  /** A nest, which runs items like this one, with other variables; `parts` are for their stdouts. */
  nest? (item: WorkItem, limits: Limits, parts: number[]): Launch
  close (): void
}

/** What a command reads that is given nothing. */
export const NO_STDIN = '/dev/null'

/**
 * Waits for the word to begin; without it, it ends: we were killed before the watchdog heard of it. By sh, which starts
 * sooner than bash. $0 is what the command reads.
 */
const GATE = ['/bin/sh', '-c', 'read -r __go&&exec "$@"<"$0"'] as const

/** Gives the word to a process whose stdin is a pipe that it waits for. */
export function letBegin (child: ChildProcess): void {
  child.stdin?.on('error', () => {}) // EPIPE: it has ended, which is seen by other means
  child.stdin?.end('\n')
}

/** Throws what spawn() would: the gate only finds out when it is open. */
function checkShell (at: string): void {
  accessSync(at, constants.X_OK)
  if (!statSync(at).isFile()) throw new Error(`${at} is no file`)
}

/** Runs commands with the rights of this process. */
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

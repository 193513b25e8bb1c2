/**
 * Spawns a launch, and owns it from then on: whatever goes wrong, the resources of the launch are released once, after
 * its process has ended. Called by item.ts and nest.ts.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { setPriority } from 'node:os'
import { isRunning } from '../../system/process-table.ts'
import type { Launch } from '../launch.ts'
import { closeAll } from './open-all.ts'
import { signalGroup } from './sessions.ts'
import type { Sessions } from './sessions.ts'

/** The lowest priority: work for others waits for everything else. */
const NICE = 19

/** Gives the process, and everything that it starts, the lowest priority. */
export function favourLeast (pid: number): void {
  try { setPriority(pid, NICE) } catch {} // it has already ended
}

/** A launch that was spawned, or could not be. */
export class LaunchedProcess {
  readonly launch: Launch
  /** null if the system refused at once */
  readonly child: ChildProcess | null
  /**
   * Resolves if it could not be started, or may not begin; then it has already been killed, and ends like any other.
   */
  readonly failed: Promise<unknown>
  readonly #ended: Promise<void>
  #settled: Promise<void> | null = null
  #over: Promise<boolean> | null = null

  /** @internal see spawnLaunch */
  constructor (launch: Launch, child: ChildProcess | null, failed: Promise<unknown>) {
    this.launch = launch
    this.child = child
    this.failed = failed
    this.#ended = child?.pid === undefined
      ? Promise.resolve()
      : new Promise(resolve => { child.once('exit', () => { resolve() }) })
  }

  /** It leads a session and a process group of its own; undefined if it could not be started. */
  get pid (): number | undefined { return this.child?.pid }

  /** Its process may still run. */
  get isAlive (): boolean { return this.pid !== undefined && !this.#hasExited }

  /**
   * Its process has ended, and its number was given to another one. That cannot happen while others of its group or
   * session live.
   */
  get isReplaced (): boolean { return this.pid !== undefined && this.#hasExited && isRunning(this.pid) }

  get #hasExited (): boolean {
    return this.child !== null && (this.child.exitCode !== null || this.child.signalCode !== null)
  }

  kill (): void {
    if (this.isAlive) signalGroup(this.pid!, 'SIGKILL')
  }

  /**
   * Its process has ended, or there was none: kills what it left running, and releases its resources. Resolves when
   * nothing is left, with whether the kernel killed any of it for lack of memory.
   * @param isKilled it was killed, so parts of it may be anywhere
   */
  async end (sessions: Sessions, isKilled: boolean): Promise<boolean> {
    return this.#over ??= this.#end(sessions, isKilled)
  }

  async #end (sessions: Sessions, isKilled: boolean): Promise<boolean> {
    try {
      if (this.pid !== undefined && !this.isReplaced) await this.#endRest(this.pid, sessions, isKilled)
      return this.launch.group?.hasRunOut() === true
    } finally {
      await this.settle()
    }
  }

  /** Usually nothing is left, and one call shows it. */
  async #endRest (pid: number, sessions: Sessions, isKilled: boolean): Promise<void> {
    if (signalGroup(pid, 'SIGKILL') || isKilled || this.launch.isHeld === true) await sessions.end(pid)
    else sessions.leave(pid)
  }

  /** Releases the resources of the launch once its process has ended. Resolves when nothing that it started is left. */
  async settle (): Promise<void> {
    return this.#settled ??= this.#ended.then(async () => this.launch.settled?.())
  }
}

/**
 * Starts a process that leads a session and process group of its own, so that a kill reaches all of it. Never throws.
 * The launch's `fds` are closed here in any case.
 * @param onStart called with its pid before it may begin
 */
export function spawnLaunch (
  launch: Launch, stdout: number | 'pipe', stderr: number, onStart: (pid: number) => void
): LaunchedProcess {
  let child: ChildProcess | null = null
  try {
    child = start(launch, stdout, stderr)
    const { pid } = child
    if (pid === undefined) return new LaunchedProcess(launch, child, failureOf(child))
    child.on('error', () => {}) // a signal that could not be sent
    onStart(pid)
    favourLeast(pid)
    launch.started?.(child)
    return new LaunchedProcess(launch, child, new Promise(() => {}))
  } catch (err) {
    if (child?.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
    return new LaunchedProcess(launch, child, Promise.resolve(err))
  }
}

function start (launch: Launch, stdout: number | 'pipe', stderr: number): ChildProcess {
  const { file, args, cwd, env, uid, gid, fds, stdin = 'ignore', stdoutFd = 1 } = launch
  const stdio: Array<number | 'pipe' | 'ignore'> = [stdin, 'ignore', stderr, ...fds]
  stdio[stdoutFd] = stdout
  try {
    return spawn(file, args, {
      cwd,
      env,
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      detached: true,
      stdio
    })
  } finally {
    closeAll(fds.filter(fd => fd !== 'pipe'))
  }
}

async function failureOf (child: ChildProcess): Promise<unknown> {
  return new Promise(resolve => { child.once('error', resolve) })
}

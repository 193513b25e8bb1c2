/**
 * Runs commands with bash. Only this room starts processes. Whatever happens (a kill, a timeout, the end of this
 * process, even by SIGKILL), no process of an item is left running. Called by the compute store; knows nothing of tasks
 * and pieces.
 */
import path from 'node:path'
import process from 'node:process'
import { traceOf } from '../base/trace.ts'
import { Groups, findGroups } from './cgroup/groups.ts'
import { killed } from './failures.ts'
import { BashItem } from './item.ts'
import { PlainLauncher } from './launch.ts'
import type { Launcher } from './launch.ts'
import { validLimits } from './limits.ts'
import type { Limits, ValidLimits } from './limits.ts'
import { NestPool } from './nest/nest-pool.ts'
import { Fifos } from './process/fifos.ts'
import { Sessions, killSessions, signalGroup } from './process/sessions.ts'
import { Usage } from './process/usage.ts'
import { Watchdog } from './process/watchdog.ts'
import type { Sandbox } from './sandbox/types.ts'
import type { Executor, ItemOutcome, RunningItem, WorkItem } from './types.ts'
import { WarmShells } from './warm/warm-shells.ts'

const trace = traceOf('executor')

export type { Executor, ItemOutcome, RunningItem, WorkItem } from './types.ts'

/**
 * Interval of the checks of sizes and times of running items. The disk's speed limits what a runaway command can write
 * in between.
 */
const TICK_MS = 50

/** Pipes per item: stdout and stderr. */
const PIPES = 2

/** Number of shells started ahead; others are started with their items. */
const MAX_PREPARED = 8

/** Options of BashExecutor. */
export interface BashExecutorOptions {
  /** path of the shell, which must be bash; default /bin/bash */
  shell?: string
  /** the environment that the allowed variables are taken from; default process.env */
  env?: NodeJS.ProcessEnv
  /**
   * 'fresh': a new bash for every item; 'warm': a subshell of a bash that runs many items, wherever the command cannot
   * tell the difference; 'auto' (default): 'warm' if items are short. In a sandbox, each item always has a bash of its
   * own, but the sandbox is made by a nest: always with 'warm', for short items with 'auto'
   */
  shells?: 'auto' | 'warm' | 'fresh'
  /** how commands are confined; default: not at all */
  sandbox?: Sandbox
  /** whether the kernel limits what a command in a sandbox uses in total; default: if possible (cgroups) */
  groups?: boolean
  /** limits for each command; default: docs/SECURITY.md */
  limits?: Partial<Limits>
}

/**
 * Runs each work item in a bash of its own, in a sandbox if there is one, or in a subshell of a warm bash. Errors: see
 * RunningItem.
 */
export class BashExecutor implements Executor {
  readonly #shell: string
  readonly #launcher: Launcher
  readonly #limits: ValidLimits
  readonly #items = new Set<BashItem>()
  readonly #sessions = new Sessions()
  readonly #fifos = new Fifos()
  readonly #watchdog: Watchdog
  readonly #usage = new Usage()
  readonly #nestPool: NestPool
  readonly #warm: WarmShells
  readonly #groups: Groups | null
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** Throws BW_ERR_COMPUTE_OPTIONS. */
  constructor ({ shell = '/bin/bash', env = process.env, shells = 'auto', sandbox, groups = true, limits = {} }: BashExecutorOptions = {}) {
    this.#limits = validLimits(limits)
    const place = groups && sandbox !== undefined ? findGroups().place : null
    this.#groups = place === null ? null : new Groups(place)
    this.#shell = shell
    this.#launcher = sandbox?.createLauncher() ?? new PlainLauncher(shell, env)
    this.#watchdog = new Watchdog(shell, this.#launcher.mark)
    this.#launcher.attach?.({ watchdog: this.#watchdog, groups: this.#groups })
    this.#nestPool = new NestPool({
      launcher: this.#launcher,
      fifos: this.#fifos,
      isEager: shells === 'warm',
      running: () => this.#items.size,
      onStart: pgid => { this.#watchdog.watch(pgid) },
      onEnd: pgid => { this.#watchdog.forget(pgid) }
    })
    const warmHost = { shell, parentEnv: env, sessions: this.#sessions, fifos: this.#fifos, watchdog: this.#watchdog }
    this.#warm = new WarmShells(warmHost, sandbox === undefined ? shells : 'fresh')
  }

  /** the working directory of every command; undefined without a sandbox: the `cwd` of its item */
  get scratch (): string | undefined { return this.#launcher.scratch }

  get hasRoots (): boolean { return this.#launcher.hasRoots === true }

  /** pid of the process that kills everything when this process ends; undefined before the first item */
  get watchdogPid (): number | undefined { return this.#watchdog.pid }

  /** Starts a work item at once. */
  run (work: WorkItem): RunningItem {
    if (this.#isClosed) return refused()
    const item: BashItem = new BashItem(work, {
      shell: this.#shell,
      launcher: this.#launcher,
      nestPool: this.#nestPool,
      limits: this.#limits,
      sessions: this.#sessions,
      fifos: this.#fifos,
      warm: this.#warm,
      onStart: pgid => this.#watchdog.watch(pgid),
      onEnd: pgid => this.#onEnd(item, pgid)
    })
    this.#items.add(item)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref()
    killAtExit(this)
    this.#watchdog.ensure()
    if (this.#groups === null) this.#usage.begin(item)
    item.start()
    if (item.pid !== undefined) trace('process %d runs: %s', item.pid, work.command)
    return item
  }

  /**
   * Starts the watchdog and warm shells, and makes pipes. Starting a process blocks this one for milliseconds, so it is
   * better done before anyone waits.
   */
  prepare (work: WorkItem, count: number): void {
    if (this.#isClosed) return
    killAtExit(this)
    this.#watchdog.ensure()
    this.#fifos.prepare(PIPES * count, path.dirname(work.cwd))
    for (let i = this.#warm.idle(work); i < Math.min(count, MAX_PREPARED); i++) this.#warm.prepare(work)
  }

  /** Kills everything. Resolves when all processes, including the watchdog, have ended. */
  async close (): Promise<void> {
    this.#isClosed = true
    const items = [...this.#items]
    for (const item of items) item.kill()
    await Promise.allSettled(items.map(item => item.done))
    await this.#warm.close()
    await this.#nestPool.close()
    this.#sessions.sweep()
    this.#fifos.close()
    this.#launcher.close()
    this.#groups?.close()
    await this.#watchdog.close()
    open.delete(this)
    if (open.size === 0) process.off('exit', onProcessExit)
  }

  /** Kills every group without waiting: for the end of this process. */
  killNow (): void {
    for (const { pid } of this.#items) if (pid !== undefined) signalGroup(pid, 'SIGKILL')
    const sids = this.#warm.sids()
    if (sids.length > 0) killSessions(sids)
    this.#nestPool.killNow()
    this.#groups?.close()
  }

  #tick (): void {
    for (const item of this.#items) item.tick()
    this.#usage.look(this.#items)
  }

  #onEnd (item: BashItem, pgid: number | undefined): void {
    this.#items.delete(item)
    if (pgid !== undefined) {
      trace('process %d and what it started have ended', pgid)
      this.#watchdog.forget(pgid)
    }
    if (this.#items.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

// One listener for all executors of the process: with many clients, one each would exceed the limit of listeners.
const open = new Set<BashExecutor>()

function killAtExit (executor: BashExecutor): void {
  if (open.size === 0) process.on('exit', onProcessExit)
  open.add(executor)
}

function onProcessExit (): void {
  for (const executor of open) executor.killNow()
}

function refused (): RunningItem {
  const done = Promise.reject<ItemOutcome>(killed())
  done.catch(() => {})
  return { pid: undefined, done, kill () {}, pause () {}, resume () {} }
}

/**
 * Runs commands by bash: the only place that starts processes. Whatever happens (a kill, a time-out, the end of this
 * process, even by SIGKILL), nothing that an item started is left running.
 * Called by the compute store; knows nothing of tasks and pieces.
 */
import path from 'node:path'
import process from 'node:process'
import { Groups, findGroups } from './cgroup/groups.ts'
import { killed } from './failures.ts'
import { BashItem } from './item.ts'
import { PlainLauncher } from './launch.ts'
import type { Launcher } from './launch.ts'
import { checkLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import { NestPool } from './nest/nest-pool.ts'
import { Fifos } from './process/fifos.ts'
import { Sessions, killSessions, signalGroup } from './process/sessions.ts'
import { Usage } from './process/usage.ts'
import { Watchdog } from './process/watchdog.ts'
import type { Sandbox } from './sandbox/types.ts'
import type { Executor, ItemOutcome, RunningItem, WorkItem } from './types.ts'
import { WarmShells } from './warm/warm-shells.ts'
import { traceOf } from '../base/trace.ts'

const trace = traceOf('executor')

export type { Executor, ItemOutcome, RunningItem, WorkItem } from './types.ts'

/**
 * How often sizes and times of running items are looked at; what a runaway can write meanwhile is bounded by the disk's
 * speed.
 */
const TICK_MS = 50

/** Of an item: stdout and stderr. */
const PIPES = 2

/** Shells started ahead; others are started with their items. */
const MAX_PREPARED = 8

/** Options of BashExecutor. */
export interface BashExecutorOptions {
  /** path of the shell, a bash; default /bin/bash */
  shell?: string
  /** the environment the allow-listed variables are taken from; default process.env */
  env?: NodeJS.ProcessEnv
  /**
   * 'fresh': every item has a bash of its own; 'warm': a subshell of one that runs many, wherever that makes no
   * difference to the command; 'auto' (default): the latter when items are short. In a sandbox
   * each item has its own bash; 'warm' has nests make the sandboxes, 'auto' only where items are short
   */
  shells?: 'auto' | 'warm' | 'fresh'
  /** how commands are confined; default: not at all */
  sandbox?: Sandbox
  /** whether the kernel is to count what a command in a sandbox uses together; default: where it can (cgroups) */
  groups?: boolean
  /** what each command may use at most; default: docs/SECURITY.md */
  limits?: Partial<Limits>
}

/**
 * Runs each work item in a bash of its own, in a sandbox if there is one; or in a warm bash's subshell. Errors: see
 * RunningItem.
 */
export class BashExecutor implements Executor {
  readonly #shell: string
  readonly #launcher: Launcher
  readonly #limits: Partial<Limits>
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
    checkLimits(limits)
    const place = groups && sandbox !== undefined ? findGroups().place : null
    this.#groups = place === null ? null : new Groups(place)
    this.#shell = shell
    this.#limits = limits
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

  /** the folder that every command finds itself in; undefined without a sandbox: the `cwd` of its item */
  get scratch (): string | undefined { return this.#launcher.scratch }

  /** pid of the process that kills everything when this process dies; undefined before the first item */
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
   * Starts the watchdog, and warm shells, and makes pipes: to start a process stops us for milliseconds, for which
   * nobody waits yet.
   */
  prepare (work: WorkItem, count: number): void {
    if (this.#isClosed) return
    killAtExit(this)
    this.#watchdog.ensure()
    this.#fifos.prepare(PIPES * count, path.dirname(work.cwd))
    for (let i = this.#warm.idle(work); i < Math.min(count, MAX_PREPARED); i++) this.#warm.prepare(work)
  }

  /** Kills everything; resolves when it and the watchdog are gone. */
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

// One listener for all executors of the process: many clients in one process would exceed the limit of listeners.
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

/**
 * One running command, from spawn to the last process's end. Its stdout goes straight into the part file.
 * Created, ticked and closed by BashExecutor only.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, fchmodSync, fstatSync } from 'node:fs'
import { ioError } from '../io-errors.ts'
import { failureOf, spawnFailure } from './failures.ts'
import type { StopReason } from './failures.ts'
import type { Launch, Launcher } from './launch.ts'
import { limitsFor } from './limits.ts'
import type { Limits } from './limits.ts'
import type { Nest } from './nest.ts'
import type { Pool } from './pool.ts'
import { signalGroup } from './session.ts'
import type { Sessions } from './session.ts'
import { createPartFile, spawnLaunch } from './spawn.ts'
import type { StderrFile, StderrFiles } from './stderr.ts'
import type { ItemOutcome, RunningItem, WorkItem } from './types.ts'
import type { Reused, WarmEnd } from './warm-job.ts'
import type { WarmShell } from './warm-shell.ts'
import type { WarmShells } from './warm.ts'
import type { Writable } from './watch.ts'

/** What an item needs of its executor. */
export interface ItemHost {
  shell: string
  launcher: Launcher
  pool: Pool
  /** what the volunteer gives each command */
  limits: Partial<Limits>
  sessions: Sessions
  stderrs: StderrFiles
  warm: WarmShells
  /** the process group `pgid` exists from now on */
  onStart (pgid: number): void
  /** nothing of the item runs any more; `pgid` is undefined if nothing ever ran */
  onEnd (item: BashItem, pgid: number | undefined): void
}

interface Settle { resolve: (outcome: ItemOutcome) => void, reject: (err: Error) => void }

/** An item that has run for so long in a fresh shell is not the shortest: there is time to prepare a warm one for the next. */
const PREPARE_MS = 300
/** Output is looked at so often for a while after the start: what writes without end mostly does so at once, a gigabyte a second. */
const EARLY_LOOK_MS = 5
const EARLY_LOOKS = 12

/** A bash that runs one work item; or, with `#warm`, a subshell of one that runs many, or a sandbox of one that makes many. */
export class BashItem implements RunningItem {
  readonly done: Promise<ItemOutcome>
  readonly limits: Limits
  readonly #item: WorkItem
  readonly #host: ItemHost
  readonly #settle: Settle
  #fd = -1
  #stderr: StderrFile | null = null
  #child: ChildProcess | null = null
  #warm: Reused | null = null
  #giveBack = (): void => {}
  #hasPrepared = false
  #launch: Launch | null = null
  #stopped: StopReason | null = null
  #isOver = false
  /** bytes of output at the last look */
  #seen = 0
  #early: NodeJS.Timeout | undefined
  #ranMs = 0
  /** since when it runs; null while it is paused */
  #since: number | null = performance.now()

  constructor (item: WorkItem, host: ItemHost) {
    this.#item = item
    this.#host = host
    this.limits = limitsFor({ ...item.asks, ...(item.timeoutMs > 0 && { timeoutMs: item.timeoutMs }) }, host.limits)
    const settle = {} as Settle
    this.done = new Promise<ItemOutcome>((resolve, reject) => { Object.assign(settle, { resolve, reject }) })
    this.#settle = settle
    this.done.catch(() => {}) // who only kills an item need not look at its end
  }

  /** the folders of this machine that it may write to, and how much */
  get writable (): Writable[] {
    const { folder } = this.#launch ?? {}
    const mounts = this.#item.mounts?.filter(({ writable }) => writable === true) ?? []
    return [
      ...folder === undefined ? [] : [{ folder, bytes: this.limits.scratchBytes }],
      ...mounts.map(({ path }) => ({ folder: path, bytes: this.limits.fileBytes }))
    ]
  }

  /** of the process that leads the session in which all of it is */
  get pid (): number | undefined { return this.#isOver ? undefined : (this.#warm ?? this.#child)?.pid }

  /** Its own process has: the rest of it is being ended. */
  get #hasExited (): boolean { return this.#child !== null && (this.#child.exitCode !== null || this.#child.signalCode !== null) }

  /** Starts the command; a failure to do so rejects `done`. */
  start (): void {
    this.#lookEarly(EARLY_LOOKS)
    const nest = this.#host.pool.take(this.#item, this.limits)
    if (nest !== null) return this.#startIn(nest)
    try {
      this.#fd = createPartFile(this.#item.stdout)
      const warm = this.#host.warm.take(this.#item)
      if (warm === null) this.#startFresh()
      else this.#startWarm(warm)
    } catch (err) {
      this.#abort(ioError(err, this.#item.stdout))
    }
  }

  #startFresh (): void {
    this.#stderr = this.#host.stderrs.get(this.#item.stdout)
    try {
      this.#launch = this.#host.launcher.launch(this.#item, this.limits)
      this.#follow(spawnLaunch(this.#launch, this.#fd, this.#stderr.fd, pid => { this.#host.onStart(pid) }))
    } catch (err) {
      this.#abort(spawnFailure(err, this.#host.shell))
    }
  }

  #startIn ({ nest, fd }: { nest: Nest, fd: number }): void {
    this.#warm = nest
    this.#giveBack = () => { this.#host.pool.giveBack(nest) }
    this.#fd = fd
    this.#stderr = nest.stderr
    nest.run(this.#item.env, end => this.#settleBy(this.#onWarmEnd(nest, end)))
  }

  #startWarm (warm: WarmShell): void {
    this.#warm = warm
    this.#giveBack = () => { this.#host.warm.giveBack(warm) }
    this.#stderr = warm.stderr
    if (!warm.run(this.#item, this.#fd, end => this.#settleBy(this.#onWarmEnd(warm, end)))) this.#settleBy(this.#onWarmEnd(warm, 'unsaid'))
  }

  kill (): void { this.stop('killed') }

  /** Kills it; the first reason given is the one that is told. */
  stop (reason: StopReason): void {
    if (this.#isOver) return
    this.#stopped ??= reason
    if (this.#warm !== null) this.#warm.kill()
    else if (this.pid !== undefined) signalGroup(this.pid, 'SIGKILL')
  }

  pause (): void {
    if (this.#since === null || this.pid === undefined || this.#hasExited) return
    this.#ranMs += performance.now() - this.#since
    this.#since = null
    this.#signal('SIGSTOP')
  }

  resume (): void {
    if (this.#since !== null || this.pid === undefined) return
    this.#since = performance.now()
    this.#signal('SIGCONT')
  }

  /** Enforces the limits of size and time; called every 50 ms. */
  tick (): void {
    if (this.#isOver || this.#stderr === null) return
    this.#stderr.trim()
    this.#prepareNext()
    // at this pace, the next look would come too late
    if (this.#lookAtOutput()) this.#lookEarly(EARLY_LOOKS)
    if (this.#elapsedMs() > this.limits.timeoutMs) this.stop('timeout')
  }

  /** Ends it if there is too much; returns whether there will be after as long as since the last look, if it goes on like this. */
  #lookAtOutput (): boolean {
    const { size } = fstatSync(this.#fd)
    const grown = size - this.#seen
    this.#seen = size
    if (size > this.#item.maxOutputBytes) this.stop('output')
    return size + grown > this.#item.maxOutputBytes
  }

  #lookEarly (times: number): void {
    clearTimeout(this.#early)
    if (times === 0 || this.#isOver || this.#stopped !== null) return
    this.#early = setTimeout(() => {
      if (this.#fd !== -1) this.#lookAtOutput()
      this.#lookEarly(times - 1)
    }, EARLY_LOOK_MS).unref()
  }

  #prepareNext (): void {
    if (this.#hasPrepared || this.#warm !== null || this.#elapsedMs() < PREPARE_MS) return
    this.#hasPrepared = true
    this.#host.warm.prepare(this.#item)
  }

  #elapsedMs (): number {
    return this.#ranMs + (this.#since === null ? 0 : performance.now() - this.#since)
  }

  #signal (signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.pid === undefined) return
    signalGroup(this.pid, signal)
    this.#host.sessions.order(this.pid, signal)
  }

  #follow (child: ChildProcess): void {
    this.#child = child
    child.on('error', err => { if (child.pid === undefined) this.#abort(spawnFailure(err, this.#host.shell)) })
    child.on('exit', (code, signal) => {
      // Not within the event: whoever starts the next item there starves the event loop, since Node goes on reaping
      // children for as long as there are any. (Measured: 8 slots of tiny items let a timer run 3 times in 1.5 s.)
      setImmediate(() => this.#settleBy(this.#onExit(code, signal)))
    })
  }

  #settleBy (ending: Promise<void>): void {
    ending.catch((err: unknown) => this.#abort(ioError(err, this.#item.stdout)))
  }

  async #onWarmEnd (warm: Reused, end: WarmEnd): Promise<void> {
    const ms = this.#elapsedMs()
    const sid = warm.pid
    if (sid !== undefined && warm.hasLeft(end)) await this.#host.sessions.end(sid, !warm.isGone)
    // a pause that came too late: the next item needs it running
    if (this.#since === null) this.resume()
    if (this.#isOver) return
    if (end !== 'unsaid' || this.#stopped !== null) {
      const { exitCode, signal } = end === 'unsaid' ? { exitCode: null, signal: null } : end
      this.#finish(undefined, exitCode, signal, ms)
      return
    }
    this.#leaveWarm()
    this.#host.warm.note(this.#item, null)
    this.#since = performance.now()
    this.#startFresh()
  }

  async #onExit (code: number | null, killedBy: NodeJS.Signals | null): Promise<void> {
    const ms = this.#elapsedMs()
    const pgid = this.#child?.pid
    if (pgid !== undefined) await this.#endRest(pgid)
    await this.#settled()
    if (this.#isOver) return
    const told = code === null ? undefined : this.#launch?.ended?.(code)
    const { exitCode, signal } = told ?? { exitCode: code, signal: killedBy }
    this.#finish(pgid, exitCode, signal, ms)
  }

  #finish (pgid: number | undefined, exitCode: number | null, signal: NodeJS.Signals | null, ms: number): void {
    const { maxOutputBytes } = this.#item
    const size = fstatSync(this.#fd).size
    const stderr = this.#stderr?.take() ?? ''
    if (this.#stopped === null) this.#host.warm.note(this.#item, ms)
    const failure = failureOf({ exitCode, signal, stderr, size, maxOutputBytes, limits: this.limits, stopped: this.#stopped })
    this.#end(pgid)
    if (failure === null) {
      this.#host.pool.learn(this.#item, this.limits, ms)
      this.#settle.resolve({ ms, size, stderr })
    } else this.#settle.reject(failure)
  }

  /** What it left running goes with it. Usually nothing is, and one call shows it. */
  async #endRest (pgid: number): Promise<void> {
    if (signalGroup(pgid, 'SIGKILL') || this.#stopped !== null || this.#launch?.isHeld === true) await this.#host.sessions.end(pgid)
    else this.#host.sessions.leave(pgid)
  }

  async #settled (): Promise<void> {
    const launch = this.#launch
    await launch?.settled?.()
    if (launch?.isForeign === true && this.#fd !== -1) fchmodSync(this.#fd, 0o600)
  }

  #abort (err: Error): void {
    if (this.#isOver) return
    if (this.#child?.pid === undefined) this.#launch?.settled?.().catch(() => {})
    this.#end(undefined)
    this.#settle.reject(err)
  }

  #end (pgid: number | undefined): void {
    this.#isOver = true
    clearTimeout(this.#early)
    if (this.#fd !== -1) closeSync(this.#fd)
    if (this.#warm !== null) this.#leaveWarm()
    else if (this.#stderr !== null) this.#host.stderrs.giveBack(this.#stderr)
    this.#stderr = null
    this.#host.onEnd(this, pgid)
  }

  /** With its stderr file. */
  #leaveWarm (): void {
    this.#stderr?.take()
    this.#stderr = null
    this.#warm = null
    this.#giveBack()
  }
}

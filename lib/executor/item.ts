/**
 * One running command, from spawn until its stdout has ended and its last process is gone. Used only by BashExecutor.
 */
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { ioError } from '../system/io-errors.ts'
import type { Group } from './cgroup/group.ts'
import { failureOf, spawnFailure } from './failures.ts'
import type { StopReason } from './failures.ts'
import type { ItemHost } from './item-host.ts'
import { limitsFor } from './limits.ts'
import type { Limits } from './limits.ts'
import type { Nest } from './nest/nest.ts'
import { closeFifo } from './process/fifos.ts'
import type { Fifo } from './process/fifos.ts'
import { holdTooMuch } from './process/folder-size.ts'
import type { Writable } from './process/folder-size.ts'
import { Output } from './process/output.ts'
import { signalGroup } from './process/sessions.ts'
import { spawnLaunch } from './process/spawn.ts'
import type { LaunchedProcess } from './process/spawn.ts'
import { StderrTail } from './process/stderr.ts'
import { Stopwatch } from './process/stopwatch.ts'
import type { Used } from './process/usage.ts'
import type { ItemOutcome, RunningItem, WorkItem } from './types.ts'
import type { Reused, WarmEnd } from './warm/warm-job.ts'
import type { WarmShell } from './warm/warm-shell.ts'

interface Settle { resolve: (outcome: ItemOutcome) => void, reject: (err: Error) => void }

/** If an item runs for this long in a fresh shell, there is time to prepare a warm one for the next. */
const PREPARE_MS = 300

/** A work item in a bash of its own; or, with `#warm`, in a subshell of a warm bash, or in a sandbox of a nest. */
export class BashItem implements RunningItem {
  readonly done: Promise<ItemOutcome>
  readonly limits: Limits
  readonly #item: WorkItem
  readonly #host: ItemHost
  readonly #settle: Settle
  #output: Output | null = null
  #stderr: StderrTail | null = null
  #launched: LaunchedProcess | null = null
  #warm: Reused | null = null
  #giveBack = (): void => {}
  #hasPrepared = false
  #stopped: StopReason | null = null
  #onStop: () => void = () => {}
  readonly #whenStopped = new Promise<void>(resolve => { this.#onStop = resolve })
  /** an error of ours, not of the command */
  #trouble: Error | null = null
  #isOver = false
  #used: Used | null = null
  readonly #stopwatch = new Stopwatch()

  constructor (item: WorkItem, host: ItemHost) {
    this.#item = item
    this.#host = host
    this.limits = limitsFor({ ...item.asks, ...(item.timeoutMs > 0 && { timeoutMs: item.timeoutMs }) }, host.limits)
    const settle = {} as Settle
    this.done = new Promise<ItemOutcome>((resolve, reject) => { Object.assign(settle, { resolve, reject }) })
    this.#settle = settle
    this.done.catch(() => {}) // callers that only kill an item need not handle the rejection
  }

  /** the folders of this machine that it may write to, and their limits */
  get writable (): Writable[] {
    const { folder } = this.#launched?.launch ?? {}
    const mounts = this.#item.mounts?.filter(({ writable }) => writable === true) ?? []
    return [
      ...folder === undefined ? [] : [{ folder, bytes: this.limits.scratchBytes }],
      ...mounts.map(({ path }) => ({ folder: path, bytes: this.limits.fileBytes }))
    ]
  }

  /** the group that counts its usage; undefined if usage.ts must measure it */
  get group (): Group | undefined { return this.#warm?.group ?? this.#launched?.launch.group }

  /** pid of the process that leads its session */
  get pid (): number | undefined { return this.#isOver ? undefined : (this.#warm ?? this.#launched)?.pid }

  /** Starts the command; if that fails, `done` rejects. */
  start (): void {
    try {
      const nest = this.#host.nestPool.take(this.#item, this.limits)
      if (nest !== null) return this.#startIn(nest)
      const warm = this.#host.warm.take(this.#item)
      if (warm === null) this.#startFresh()
      else this.#startWarm(warm)
    } catch (err) {
      this.#abort(ioError(err, this.#where))
    }
  }

  #startFresh (): void {
    const output = this.#open()
    const stderr = this.#stderr = new StderrTail(this.#takeFifo())
    try {
      const launch = this.#host.launcher.launch(this.#item, this.limits)
      this.#launched = spawnLaunch(launch, output.write, stderr.write, pid => { this.#host.onStart(pid) })
    } catch (err) {
      return this.#abort(spawnFailure(err, this.#host.shell))
    }
    output.release()
    stderr.release()
    this.#follow(this.#launched)
    if (this.#launched.launch.outlasts === true) this.#endAfter(output)
  }

  /** The first process of the item waits until the end of stdout has been read. */
  #endAfter (output: Output): void {
    const stdin = this.#launched?.child?.stdin
    stdin?.on('error', () => {}) // EPIPE: it has ended, which is noticed elsewhere
    output.flow()
    void output.ended.then(() => { stdin?.end() })
  }

  #startIn ({ nest, fifo }: { nest: Nest, fifo: Fifo }): void {
    this.#warm = nest
    this.#giveBack = () => { this.#host.nestPool.giveBack(nest) }
    this.#stderr = nest.stderr
    this.#open(fifo)
    nest.run(this.#item.env, end => this.#settleBy(this.#onWarmEnd(nest, end)))
  }

  #startWarm (warm: WarmShell): void {
    this.#warm = warm
    this.#giveBack = () => { this.#host.warm.giveBack(warm) }
    this.#stderr = warm.stderr
    const { write } = this.#open()
    if (!warm.run(this.#item, write, end => this.#settleBy(this.#onWarmEnd(warm, end)))) {
      this.#settleBy(this.#onWarmEnd(warm, 'unsaid'))
    }
  }

  /** the path to name in errors of the disk */
  get #where (): string { return this.#item.stdout ?? this.#item.cwd }

  #takeFifo (): Fifo { return this.#host.fifos.take(dirname(this.#item.cwd)) }

  /** Makes the part file; throws if that fails. */
  #open (fifo = this.#takeFifo()): Output {
    try {
      return this.#output = new Output(fifo, {
        path: this.#item.stdout,
        maxBytes: this.#item.maxOutputBytes,
        onTooMuch: () => { this.stop('output') },
        onError: err => {
          this.#trouble ??= ioError(err, this.#where)
          this.stop('killed')
        }
      })
    } catch (err) {
      closeFifo(fifo)
      throw err
    }
  }

  kill (): void { this.stop('killed') }

  /** Kills the item. The first reason given is the one that is reported. */
  stop (reason: StopReason): void {
    if (this.#isOver) return
    this.#stopped ??= reason
    if (this.#warm !== null) this.#warm.kill()
    else this.#launched?.kill()
    this.#onStop() // also ends processes that outlast the command's own
  }

  /** What it uses was measured. In a warm shell, that includes what earlier items used. */
  measured ({ cpuMs, memoryBytes }: Used): void {
    if (this.#warm !== null) return
    const { cpuMs: cpuBefore = 0, memoryBytes: memoryBefore = 0 } = this.#used ?? {}
    this.#used = { cpuMs: Math.max(cpuMs, cpuBefore), memoryBytes: Math.max(memoryBytes, memoryBefore) }
  }

  pause (): void {
    if (this.#stopwatch.isPaused || this.pid === undefined || this.#stopped !== null) return
    this.#stopwatch.pause()
    this.#signal('SIGSTOP')
  }

  resume (): void {
    if (!this.#stopwatch.isPaused || this.pid === undefined) return
    this.#stopwatch.resume()
    this.#signal('SIGCONT')
  }

  /** Enforces the time limit; called every 50 ms. */
  tick (): void {
    if (this.#isOver || this.#stderr === null) return
    this.#prepareNext()
    if (this.#stopwatch.ms > this.limits.timeoutMs) this.stop('timeout')
  }

  #prepareNext (): void {
    if (this.#hasPrepared || this.#warm !== null || this.#stopwatch.ms < PREPARE_MS) return
    this.#hasPrepared = true
    this.#host.warm.prepare(this.#item)
  }

  #signal (signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.pid === undefined || this.#launched?.isReplaced === true) return
    signalGroup(this.pid, signal)
    this.#host.sessions.order(this.pid, signal)
  }

  #follow ({ child, failed }: LaunchedProcess): void {
    void failed.then(err => { this.#abort(spawnFailure(err, this.#host.shell)) })
    child?.on('exit', (code, signal) => {
      // Not within the event: starting the next item there would starve the event loop, since Node reaps children for
      // as long as there are any. (Measured: with 8 slots of tiny items, a timer ran 3 times in 1.5 s.)
      setImmediate(() => this.#settleBy(this.#onExit(code, signal)))
    })
  }

  #settleBy (ending: Promise<void>): void {
    ending.catch((err: unknown) => this.#abort(ioError(err, this.#where)))
  }

  async #onWarmEnd (warm: Reused, end: WarmEnd): Promise<void> {
    this.#output?.drain()
    if (end !== 'unsaid' && end.exitCode === 0) await this.#untilPrinted()
    const ms = this.#stopwatch.ms
    const sid = warm.pid
    if (sid !== undefined && warm.hasLeft(end)) await this.#host.sessions.end(sid, !warm.isGone)
    // the pause came too late: the next item needs the shell running
    if (this.#stopwatch.isPaused) this.resume()
    if (this.#isOver) return
    if (end !== 'unsaid' || this.#stopped !== null) {
      const { exitCode, signal } = end === 'unsaid' ? { exitCode: null, signal: null } : end
      await this.#finish(undefined, exitCode, signal, ms)
      return
    }
    this.#leaveWarm()
    this.#host.warm.note(this.#item, null)
    this.#stopwatch.resume()
    this.#output?.close()
    if (this.#item.stdout !== null) rmSync(this.#item.stdout, { force: true })
    this.#startFresh()
  }

  async #onExit (code: number | null, killedBy: NodeJS.Signals | null): Promise<void> {
    const told = code === null ? undefined : this.#launched?.launch.ended?.(code)
    const { exitCode, signal } = told ?? { exitCode: code, signal: killedBy }
    this.#output?.drain()
    if (exitCode === 0) await this.#untilPrinted()
    const ms = this.#stopwatch.ms
    await this.#endLaunched()
    if (this.#isOver) return
    await this.#finish(this.#launched?.pid, exitCode, signal, ms)
  }

  /** Its own process has succeeded, but the item lasts until the end of stdout: other processes may still print. */
  async #untilPrinted (): Promise<void> {
    if (this.#stopped === null) await Promise.race([this.#output?.ended, this.#whenStopped])
  }

  async #finish (
    pgid: number | undefined, exitCode: number | null, signal: NodeJS.Signals | null, ms: number
  ): Promise<void> {
    if (this.#warm?.group?.hasRunOut() === true) this.#stopped ??= 'memory'
    // measured once more at the end, so that the result does not depend on when the last periodic check took place
    if (this.#stopped === null && await holdTooMuch(this.writable)) this.#stopped ??= 'disk'
    if (this.#isOver) return
    const output = this.#output!
    const stderr = this.#stderr?.take() ?? ''
    if (this.#stopped === null) this.#host.warm.note(this.#item, ms)
    const [{ maxOutputBytes }, { limits }, stopped] = [this.#item, this, this.#stopped]
    const cost = { ms, cpuMs: null, memoryBytes: null, ...this.#used }
    const end = { exitCode, signal, stderr, size: output.size, maxOutputBytes, limits, stopped, cost }
    try {
      const failure = this.#trouble ?? failureOf(end)
      if (failure !== null) throw failure
      const printed = await output.finish()
      this.#end(pgid)
      this.#host.nestPool.learn(this.#item, this.limits, ms)
      this.#settle.resolve({ ...cost, ...printed, stderr })
    } catch (err) {
      this.#end(pgid)
      this.#settle.reject(ioError(err, this.#where))
    }
  }

  /** Its own process has ended: kills the processes that it left, and releases its resources. */
  async #endLaunched (): Promise<void> {
    const hasRunOut = await this.#launched?.end(this.#host.sessions, this.#stopped !== null)
    if (hasRunOut === true) this.#stopped ??= 'memory'
  }

  #abort (err: Error): void {
    if (this.#isOver) return
    this.#trouble ??= err
    this.stop('killed')
    if (this.#launched?.isAlive === true) return // it will report its end
    void this.#endLaunched().catch(() => {}).then(() => { // the first error is the one that is reported
      if (this.#isOver) return
      this.#settle.reject(err)
      this.#end(this.#launched?.pid)
    })
  }

  #end (pgid: number | undefined): void {
    this.#isOver = true
    this.#output?.close()
    if (this.#warm !== null) this.#leaveWarm()
    else this.#stderr?.close()
    this.#stderr = null
    this.#host.onEnd(pgid)
  }

  /** Leaves the warm shell, with its stderr. */
  #leaveWarm (): void {
    this.#stderr?.take()
    this.#stderr = null
    this.#warm = null
    this.#giveBack()
  }
}

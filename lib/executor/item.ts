/**
 * One running command, from spawn to the end of its stdout and of its last process.
 * Created, ticked and closed by BashExecutor only.
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
import type { ItemOutcome, RunningItem, WorkItem } from './types.ts'
import type { Reused, WarmEnd } from './warm/warm-job.ts'
import type { WarmShell } from './warm/warm-shell.ts'

interface Settle { resolve: (outcome: ItemOutcome) => void, reject: (err: Error) => void }

/**
 * An item that has run for so long in a fresh shell is not the shortest: there is time to prepare a warm one for the
 * next.
 */
const PREPARE_MS = 300

/**
 * A bash that runs one work item; or, with `#warm`, a subshell of one that runs many, or a sandbox of one that makes
 * many.
 */
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
  /** what went wrong here, not in the command */
  #trouble: Error | null = null
  #isOver = false
  readonly #stopwatch = new Stopwatch()

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
    const { folder } = this.#launched?.launch ?? {}
    const mounts = this.#item.mounts?.filter(({ writable }) => writable === true) ?? []
    return [
      ...folder === undefined ? [] : [{ folder, bytes: this.limits.scratchBytes }],
      ...mounts.map(({ path }) => ({ folder: path, bytes: this.limits.fileBytes }))
    ]
  }

  /** what it is counted in; undefined where only looking shows what it uses */
  get group (): Group | undefined { return this.#warm?.group ?? this.#launched?.launch.group }

  /** of the process that leads the session in which all of it is */
  get pid (): number | undefined { return this.#isOver ? undefined : (this.#warm ?? this.#launched)?.pid }

  /** Starts the command; a failure to do so rejects `done`. */
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

  /** Its first process waits for this: the end of stdout was seen. */
  #endAfter (output: Output): void {
    const stdin = this.#launched?.child?.stdin
    stdin?.on('error', () => {}) // EPIPE: it has ended, which is seen by other means
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

  /** what an error of the disk is about */
  get #where (): string { return this.#item.stdout ?? this.#item.cwd }

  #takeFifo (): Fifo { return this.#host.fifos.take(dirname(this.#item.cwd)) }

  /** Makes the part file; throws what stands in the way. */
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

  /** Kills it; the first reason given is the one that is told. */
  stop (reason: StopReason): void {
    if (this.#isOver) return
    this.#stopped ??= reason
    if (this.#warm !== null) this.#warm.kill()
    else this.#launched?.kill()
    this.#onStop() // and what outlasts its own process
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

  /** Enforces the limit of time; called every 50 ms. */
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
      // Not within the event: whoever starts the next item there starves the event loop, since Node goes on reaping
      // children for as long as there are any. (Measured: 8 slots of tiny items let a timer run 3 times in 1.5 s.)
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
    // a pause that came too late: the next item needs it running
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

  /** Its own process has ended well, but it is not over before the end of stdout: others may still print. */
  async #untilPrinted (): Promise<void> {
    if (this.#stopped === null) await Promise.race([this.#output?.ended, this.#whenStopped])
  }

  async #finish (
    pgid: number | undefined, exitCode: number | null, signal: NodeJS.Signals | null, ms: number
  ): Promise<void> {
    if (this.#warm?.group?.hasRunOut() === true) this.#stopped ??= 'memory'
    // what it may write to is looked at now and then: how it ends must not depend on when that was
    if (this.#stopped === null && await holdTooMuch(this.writable)) this.#stopped ??= 'disk'
    if (this.#isOver) return
    const output = this.#output!
    const stderr = this.#stderr?.take() ?? ''
    if (this.#stopped === null) this.#host.warm.note(this.#item, ms)
    const [{ maxOutputBytes }, { limits }, stopped] = [this.#item, this, this.#stopped]
    const end = { exitCode, signal, stderr, size: output.size, maxOutputBytes, limits, stopped }
    try {
      const failure = this.#trouble ?? failureOf(end)
      if (failure !== null) throw failure
      const printed = await output.finish()
      this.#end(pgid)
      this.#host.nestPool.learn(this.#item, this.limits, ms)
      this.#settle.resolve({ ms, ...printed, stderr })
    } catch (err) {
      this.#end(pgid)
      this.#settle.reject(ioError(err, this.#where))
    }
  }

  /** Its own process has ended: what it left goes, and what was taken for it is given back. */
  async #endLaunched (): Promise<void> {
    const hasRunOut = await this.#launched?.end(this.#host.sessions, this.#stopped !== null)
    if (hasRunOut === true) this.#stopped ??= 'memory'
  }

  #abort (err: Error): void {
    if (this.#isOver) return
    this.#trouble ??= err
    this.stop('killed')
    if (this.#launched?.isAlive === true) return // it tells when it has ended
    void this.#endLaunched().catch(() => {}).then(() => { // the first error is the one that is told
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

  /** With its stderr. */
  #leaveWarm (): void {
    this.#stderr?.take()
    this.#stderr = null
    this.#warm = null
    this.#giveBack()
  }
}

/**
 * An executor without processes: a function says what each work item would have written. It keeps the executor's
 * promises (stdout's file, limits, kills), which test/executor/compliance.test.ts checks for it and for bash alike.
 */
import { hash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type { Executor, ItemOutcome, RunningItem, WorkItem } from '../../lib/executor/bash-executor.ts'
import { failureOf } from '../../lib/executor/failures.ts'
import type { StopReason } from '../../lib/executor/failures.ts'
import { DEFAULT_LIMITS } from '../../lib/executor/limits.ts'
import { ioError } from '../../lib/system/io-errors.ts'

/** How a command would have ended; default: well, without output, at once. */
export interface FakeRun {
  stdout?: string | Uint8Array
  stderr?: string
  exitCode?: number
  signal?: NodeJS.Signals
  ms?: number
}

/** Tells how a work item goes; a promise lets it run for as long as a test likes. */
export type Behaviour = (item: WorkItem) => FakeRun | Promise<FakeRun>

/** Counts what it was asked to run. */
export class FakeExecutor implements Executor {
  /** every work item, in the order they were started */
  readonly items: WorkItem[] = []
  /** what it was told to prepare for: how many at a time, and how many items it had been given by then */
  readonly prepared: Array<{ like: WorkItem, count: number, items: number }> = []
  /** most items that ran at the same time */
  maxRunning = 0
  readonly #behaviour: Behaviour
  readonly #running = new Set<FakeItem>()
  #isClosed = false

  constructor (behaviour: Behaviour = () => ({})) {
    this.#behaviour = behaviour
  }

  get running (): number { return this.#running.size }

  run (work: WorkItem): RunningItem {
    this.items.push(work)
    const item = new FakeItem(work, this.#behaviour)
    this.#running.add(item)
    this.maxRunning = Math.max(this.maxRunning, this.#running.size)
    const end = (): void => { this.#running.delete(item) }
    item.done.then(end, end)
    if (this.#isClosed) item.kill()
    return item
  }

  prepare (like: WorkItem, count: number): void { this.prepared.push({ like, count, items: this.items.length }) }

  async close (): Promise<void> {
    this.#isClosed = true
    const running = [...this.#running]
    for (const item of running) item.kill()
    await Promise.allSettled(running.map(item => item.done))
  }
}

class FakeItem implements RunningItem {
  readonly pid = undefined
  readonly done: Promise<ItemOutcome>
  readonly #work: WorkItem
  #reason: StopReason | null = null
  #wake: () => void = () => {}
  #goOn: () => void = () => {}
  #paused: Promise<void> | null = null

  constructor (work: WorkItem, behaviour: Behaviour) {
    this.#work = work
    const stopped = new Promise<void>(resolve => { this.#wake = resolve })
    this.done = this.#run(behaviour, stopped)
    this.done.catch(() => {})
  }

  kill (): void {
    this.#stop('killed')
    this.resume()
  }

  pause (): void {
    this.#paused ??= new Promise(resolve => { this.#goOn = resolve })
  }

  resume (): void {
    this.#goOn()
    this.#paused = null
  }

  #stop (reason: StopReason): void {
    this.#reason ??= reason
    this.#wake()
  }

  async #run (behaviour: Behaviour, stopped: Promise<void>): Promise<ItemOutcome> {
    const { stdout: path, timeoutMs, maxOutputBytes } = this.#work
    try {
      if (path !== null) writeFileSync(path, '', { flag: 'wx', mode: 0o600 })
    } catch (err) {
      throw ioError(err, path!)
    }
    const timer = timeoutMs > 0 ? setTimeout(() => this.#stop('timeout'), timeoutMs) : undefined
    const run = await Promise.race([Promise.resolve(behaviour(this.#work)), stopped])
    if (this.#paused !== null) await Promise.race([this.#paused, stopped])
    clearTimeout(timer)
    const { stdout = '', stderr = '', exitCode = 0, signal = null, ms = 1 } = run ?? {}
    if (path !== null) writeFileSync(path, stdout)
    const size = Buffer.byteLength(stdout)
    const cost = { ms, cpuMs: null, memoryBytes: null }
    const end = { exitCode: signal === null ? exitCode : null, signal, stderr, cost }
    const failure = failureOf({
      ...end, size, maxOutputBytes, limits: { ...DEFAULT_LIMITS, timeoutMs }, stopped: this.#reason
    })
    if (failure !== null) throw failure
    return { ...cost, size, digest: hash('sha256', stdout, 'buffer'), stderr }
  }
}

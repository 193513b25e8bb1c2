/**
 * Keeps nests (nest.ts) for short commands, where building a sandbox for each would take a large part of the time. Each
 * item still has its own sandbox, and sees nothing of the others.
 */
import path from 'node:path'
import type { Launcher } from '../launch.ts'
import type { Limits } from '../limits.ts'
import type { Fifo, Fifos } from '../process/fifos.ts'
import { hardLimits } from '../sandbox/host.ts'
import type { WorkItem } from '../types.ts'
import { Nest } from './nest.ts'

/** For longer commands, the cost of a sandbox does not matter. */
const SHORT_MS = 100
/**
 * Number of nests that are kept. Each consists of four small processes and some open files; all together may use a
 * quarter of the allowed open files.
 */
const MOST = 8
const FILES = 40
/** When a nest can take only this many more items, its successor is built, which takes some milliseconds. */
const FEW = 8
/** A nest that is unused for this long is ended. */
const IDLE_MS = 2000
/** Weight of the latest item in the average. */
const WEIGHT = 0.2
/** After this many failures, nests are no longer used on this system. */
const MAX_FAILED = 3

/** Callbacks of the pool's executor. */
export interface NestPoolHost {
  launcher: Launcher
  fifos: Fifos
  /** use nests however long items take */
  isEager: boolean
  /** number of running work items */
  running (): number
  onStart (pgid: number): void
  onEnd (pgid: number): void
}

/** The nests of one executor, all for the same command. */
export class NestPool {
  readonly #host: NestPoolHost
  #key = ''
  #model: { item: WorkItem, limits: Limits } | null = null
  #paceMs = SHORT_MS
  /** the nests for the current command */
  #nests: Nest[] = []
  /** all nests that may still have processes */
  readonly #all = new Set<Nest>()
  readonly #most: number
  #failed = 0
  /** largest number of items that have run at a time */
  #atATime = 1
  #idle: NodeJS.Timeout | undefined
  #isDue = false
  #isClosed = false

  constructor (host: NestPoolHost) {
    this.#host = host
    this.#most = Math.min(MOST, Math.floor(hardLimits().openFiles / 4 / FILES))
  }

  /** Returns a nest that is ready for this item, and the pipe for the item's stdout; null if there is none. */
  take (item: WorkItem, limits: Limits): { nest: Nest, fifo: Fifo } | null {
    if (this.#nests.length === 0 || keyOf(item, limits) !== this.#key) return null
    this.#atATime = Math.max(this.#atATime, this.#host.running())
    const nest = this.#nests.find(({ isIdle }) => isIdle)
    const fifo = nest?.adopt(item) ?? null
    return nest === undefined || fifo === null ? null : { nest, fifo }
  }

  /** The item of the nest has ended, or could not begin. */
  giveBack (nest: Nest): void {
    // or the command has changed in the meantime
    if (nest.isBusy || !this.#nests.includes(nest)) nest.kill()
  }

  /** An item succeeded: the next ones are likely to take as long. */
  learn (item: WorkItem, limits: Limits, ms: number): void {
    if (this.#host.launcher.canNest?.(item) !== true || this.#isClosed || this.#failed >= MAX_FAILED) return
    const key = keyOf(item, limits)
    if (key !== this.#key) {
      this.#drop()
      this.#key = key
      this.#model = { item, limits }
      this.#paceMs = SHORT_MS
    }
    this.#paceMs += (Math.min(ms, 10 * SHORT_MS) - this.#paceMs) * WEIGHT
    if (this.#host.isEager || this.#paceMs < SHORT_MS) this.#refill()
    else this.#drop()
  }

  /** Kills all nests without waiting: for the end of this process. */
  killNow (): void {
    for (const nest of this.#all) nest.kill()
  }

  /** Ends all nests. Resolves when their processes have ended. */
  async close (): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idle)
    await Promise.all(Array.from(this.#all, async nest => nest.close()))
  }

  /** Builds one nest at a time: this blocks our process for some milliseconds. */
  #refill (): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => { this.#drop() }, IDLE_MS).unref()
    if (this.#isDue || !this.#isNeeded()) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      if (this.#isClosed || !this.#isNeeded()) return
      try { this.#add() } catch { this.#failed++ } // the next item reports the error
    })
  }

  #isNeeded (): boolean {
    return this.#nests.filter(({ left }) => left > FEW).length < Math.min(this.#most, this.#atATime)
  }

  #add (): void {
    if (this.#model === null) return
    const { item, limits } = this.#model
    const nest = new Nest({
      takeFifo: () => this.#host.fifos.take(path.dirname(item.cwd)),
      launch: parts => this.#host.launcher.nest!(item, limits, parts),
      onStart: pid => { this.#host.onStart(pid) },
      onGone: gone => { this.#onGone(gone) }
    })
    this.#nests.push(nest)
    this.#all.add(nest)
  }

  /** Ends idle nests at once, and busy ones when their items have ended. */
  #drop (): void {
    clearTimeout(this.#idle)
    this.#atATime = 1
    for (const nest of this.#nests.splice(0)) if (!nest.isBusy) nest.kill()
  }

  #onGone (nest: Nest): void {
    this.#nests = this.#nests.filter(each => each !== nest)
    this.#all.delete(nest)
    if (nest.hasFailed) this.#failed++
    if (nest.pid !== undefined) this.#host.onEnd(nest.pid)
  }
}

/** Everything that determines a sandbox. */
function keyOf ({ command, args = [], mounts = [] }: WorkItem, limits: Limits): string {
  return JSON.stringify([command, args, mounts, limits])
}

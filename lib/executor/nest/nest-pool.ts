/**
 * Nests (nest.ts) that are kept for commands so short that building a sandbox for each takes a good part of their time.
 * Each item still has a sandbox of its own, and sees nothing of another's.
 */
import path from 'node:path'
import type { Launcher } from '../launch.ts'
import type { Limits } from '../limits.ts'
import type { Fifo, Fifos } from '../process/fifos.ts'
import { hardLimits } from '../sandbox/host.ts'
import type { WorkItem } from '../types.ts'
import { Nest } from './nest.ts'

/** Commands that take longer do not notice what a sandbox takes. */
const SHORT_MS = 100
/** Kept at most; each is four small processes, and so many open files, of which all together may have a quarter. */
const MOST = 8
const FILES = 40
/** A nest for so few more items gets its successor, which takes some milliseconds to be built. */
const FEW = 8
/** What nobody has come for is given up. */
const IDLE_MS = 2000
/** How much one item counts in the average. */
const WEIGHT = 0.2
/** After so many that did not work, this system has no use for them. */
const MAX_FAILED = 3

/** What a pool needs of its executor. */
export interface NestPoolHost {
  launcher: Launcher
  fifos: Fifos
  /** nests are used however long items take */
  isEager: boolean
  /** work items that run now */
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
  /** those for the command */
  #nests: Nest[] = []
  /** those of which something may still run */
  readonly #all = new Set<Nest>()
  readonly #most: number
  #failed = 0
  /** items that ran at a time since there were none */
  #atATime = 1
  #idle: NodeJS.Timeout | undefined
  #isDue = false
  #isClosed = false

  constructor (host: NestPoolHost) {
    this.#host = host
    this.#most = Math.min(MOST, Math.floor(hardLimits().openFiles / 4 / FILES))
  }

  /** One that is ready for this item, and the pipe for the item's stdout; null if there is none. */
  take (item: WorkItem, limits: Limits): { nest: Nest, fifo: Fifo } | null {
    if (this.#nests.length === 0 || keyOf(item, limits) !== this.#key) return null
    this.#atATime = Math.max(this.#atATime, this.#host.running())
    const nest = this.#nests.find(({ isIdle }) => isIdle)
    const fifo = nest?.adopt(item) ?? null
    return nest === undefined || fifo === null ? null : { nest, fifo }
  }

  /** Its item has ended, or could not begin. */
  giveBack (nest: Nest): void {
    // or another command's turn has come meanwhile
    if (nest.isBusy || !this.#nests.includes(nest)) nest.kill()
  }

  /** An item ended well: the next ones are likely to take as long. */
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

  /** Ends all without waiting: for the end of this process. */
  killNow (): void {
    for (const nest of this.#all) nest.kill()
  }

  /** Ends all; resolves when they are gone. */
  async close (): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#idle)
    await Promise.all(Array.from(this.#all, async nest => nest.close()))
  }

  /** One at a time: building one blocks this process for some milliseconds. */
  #refill (): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => { this.#drop() }, IDLE_MS).unref()
    if (this.#isDue || !this.#isNeeded()) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      if (this.#isClosed || !this.#isNeeded()) return
      try { this.#add() } catch { this.#failed++ } // the next item says what is wrong
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

  /** Ends those that wait; the others when their items have ended. */
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

/** Everything that a sandbox is built from. */
function keyOf ({ command, args = [], mounts = [] }: WorkItem, limits: Limits): string {
  return JSON.stringify([command, args, mounts, limits])
}

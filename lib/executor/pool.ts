/**
 * Sandboxes that are built ahead, while others compute: for commands so short that building one takes a good part of
 * their time. Each waits for the variables of its work item, runs that one, and is gone: no item sees anything of
 * another's.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, linkSync, unlinkSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import path from 'node:path'
import type { Launch, Launcher } from './launch.ts'
import type { Limits } from './limits.ts'
import { signalGroup } from './session.ts'
import { createPartFile, spawnLaunch } from './spawn.ts'
import type { StderrFile, StderrFiles } from './stderr.ts'
import type { WorkItem } from './types.ts'

/** Commands that take longer do not notice what a sandbox takes. */
const SHORT_MS = 100
/** Built ahead at most; each is three small processes. */
const MOST = 8
/** What nobody has come for is given up. */
const IDLE_MS = 2000
/** How much one item counts in the average. */
const WEIGHT = 0.2

/** A process that waits for its work item. */
export interface Spare { child: ChildProcess, launch: Launch, fd: number, stderr: StderrFile }

/** What a pool needs of its executor. */
export interface PoolHost {
  launcher: Launcher
  stderrs: StderrFiles
  /** work items that run now */
  running (): number
  onStart (pgid: number): void
  onEnd (pgid: number): void
}

interface Waiting extends Spare { at: string, onExit: () => void }

/** The spare sandboxes of one executor, all for the same command. */
export class Pool {
  readonly #host: PoolHost
  #key = ''
  #model: { item: WorkItem, limits: Limits } | null = null
  #paceMs = SHORT_MS
  #waiting: Waiting[] = []
  readonly #ending = new Set<Promise<void>>()
  #idle: NodeJS.Timeout | undefined
  #isDue = false
  #isClosed = false

  constructor (host: PoolHost) {
    this.#host = host
  }

  /** One that is ready for this item, whose part file it has; null if there is none, or there is such a file already. */
  take (item: WorkItem, limits: Limits): Spare | null {
    const spare = keyOf(item, limits) === this.#key ? this.#waiting.shift() : undefined
    if (spare === undefined) return null
    try {
      linkSync(spare.at, item.stdout)
    } catch {
      this.#waiting.push(spare)
      return null
    }
    unlinkSync(spare.at)
    spare.child.off('exit', spare.onExit)
    spare.launch.hand?.(spare.child, item.env)
    this.#refill()
    return spare
  }

  /** An item ended well: the next ones are likely to take as long. */
  learn (item: WorkItem, limits: Limits, ms: number): void {
    if (this.#host.launcher.prepare === undefined || this.#isClosed) return
    const key = keyOf(item, limits)
    if (key !== this.#key) {
      this.#drop()
      this.#key = key
      this.#model = { item, limits }
      this.#paceMs = SHORT_MS
    }
    this.#paceMs += (Math.min(ms, 10 * SHORT_MS) - this.#paceMs) * WEIGHT
    if (this.#paceMs < SHORT_MS) this.#refill()
    else this.#drop()
  }

  /** Ends all without waiting: for the end of this process. */
  killNow (): void {
    for (const { child } of this.#waiting) kill(child)
  }

  /** Ends all; resolves when they are gone. */
  async close (): Promise<void> {
    this.#isClosed = true
    const exits = this.#waiting.map(({ child }) => once(child, 'exit'))
    this.#drop()
    await Promise.all(exits)
    while (this.#ending.size > 0) await Promise.all(this.#ending)
  }

  /** One at a time: spawning blocks this process for almost a millisecond. */
  #refill (): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => { this.#drop() }, IDLE_MS).unref()
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      if (this.#isClosed || this.#waiting.length >= Math.min(MOST, Math.max(1, this.#host.running()))) return
      try { this.#add() } catch {} // the next item says what is wrong
    })
  }

  #add (): void {
    if (this.#model === null) return
    const { item, limits } = this.#model
    const launch = this.#host.launcher.prepare?.(item, limits)
    if (launch === undefined) return
    const at = path.join(path.dirname(item.stdout), `spare-${randomUUID()}`)
    const stderr = this.#host.stderrs.get(at)
    const fd = createPartFile(at)
    const child = spawnLaunch(launch, fd, stderr.fd, pid => { this.#host.onStart(pid) })
    const spare: Waiting = { child, launch, fd, stderr, at, onExit: () => { this.#onGone(spare) } }
    child.once('error', () => { if (child.pid === undefined) this.#onGone(spare) })
    child.once('exit', spare.onExit)
    this.#waiting.push(spare)
  }

  #drop (): void {
    clearTimeout(this.#idle)
    // at once: one that is killed must not be taken before its end is known
    for (const { child } of this.#waiting.splice(0)) kill(child)
  }

  #onGone (spare: Waiting): void {
    this.#waiting = this.#waiting.filter(each => each !== spare)
    const ending = (spare.launch.settled?.() ?? Promise.resolve()).then(() => {
      closeSync(spare.fd)
      try { unlinkSync(spare.at) } catch {} // its folder may be gone
      spare.stderr.take()
      this.#host.stderrs.giveBack(spare.stderr)
      if (spare.child.pid !== undefined) this.#host.onEnd(spare.child.pid)
    }).finally(() => { this.#ending.delete(ending) })
    this.#ending.add(ending)
  }
}

function kill ({ pid }: ChildProcess): void {
  if (pid !== undefined) signalGroup(pid, 'SIGKILL')
}

/** Everything that a sandbox is built from, and where its part file is. */
function keyOf ({ command, args = [], mounts = [], stdout, maxOutputBytes }: WorkItem, limits: Limits): string {
  return mounts.some(({ writable }) => writable === true) ? 'none' : JSON.stringify([command, args, mounts, path.dirname(stdout), maxOutputBytes, limits])
}

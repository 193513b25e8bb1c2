/**
 * Decides which items run in warm shells, and keeps these. An item runs in a warm shell if the last ones of its command
 * were short, because starting a bash then takes longer than the item; or if a shell was prepared before the first
 * item, or while the previous item ran: starting a process blocks us for milliseconds, which matters less then than
 * when a slot is free.
 */
import path from 'node:path'
import { HAS_PROC } from '../../system/process-table.ts'
import { CaptureFiles } from '../process/capture-file.ts'
import type { CaptureFile } from '../process/capture-file.ts'
import type { Fifos } from '../process/fifos.ts'
import type { Sessions } from '../process/sessions.ts'
import { StderrTail } from '../process/stderr.ts'
import type { Watchdog } from '../process/watchdog.ts'
import type { WorkItem } from '../types.ts'
import { canBeWarm, keyOf } from './warm-job.ts'
import { WarmShell } from './warm-shell.ts'

/** Below this, the few milliseconds of a fresh shell matter. */
const SHORT_MS = 100
/** The median of this many last items decides; this many must have ended before the first warm shell is started. */
const LAST_ITEMS = 9
const FIRST_ITEMS = 3
/** Interval of the searches for processes that items left in groups of their own, and for idle shells. */
const TIDY_MS = 5000
/** A shell that is idle for longer is ended: it takes 4 MB. */
const MAX_IDLE_TIDIES = 2
/** After this many items had to be restarted in fresh shells, warm shells are no longer used on this system. */
const MAX_UNSAID = 5

/** Callbacks of the executor. */
export interface WarmHost {
  shell: string
  parentEnv: NodeJS.ProcessEnv
  sessions: Sessions
  fifos: Fifos
  watchdog: Watchdog
}

interface Kept {
  shell: WarmShell
  pace: Pace
  idleTidies: number
  isIdle: boolean
  isSweepDue: boolean
  /** longer items are expected */
  isPrepared: boolean
}

/** The last items of a command. */
interface Pace { canBeWarm: boolean, times: number[], count: number, unsaid: number }

/** The warm shells of an executor. */
export class WarmShells {
  readonly #host: WarmHost
  readonly #mode: 'auto' | 'warm' | 'fresh'
  readonly #paces = new Map<string, Pace>()
  readonly #kept = new Map<WarmShell, Kept>()
  readonly #logs = new CaptureFiles()
  #timer: NodeJS.Timeout | undefined

  /** @param mode 'warm' and 'fresh' apply to all items, as far as possible */
  constructor (host: WarmHost, mode: 'auto' | 'warm' | 'fresh') {
    this.#host = host
    this.#mode = HAS_PROC ? mode : 'fresh'
  }

  /** Returns a warm shell for the item; null if it should have a fresh one. */
  take (work: WorkItem): WarmShell | null {
    if (this.#mode === 'fresh' || work.args !== undefined) return null
    const pace = this.#paceOf(work)
    if (pace.unsaid >= MAX_UNSAID || !pace.canBeWarm) return null
    const areShort = this.#mode === 'warm' || isShort(pace)
    for (const kept of this.#kept.values()) {
      if (!areShort && !kept.isPrepared) continue
      if (!kept.isIdle || kept.pace !== pace || kept.shell.isDoomed) continue
      kept.isIdle = false
      kept.idleTidies = 0
      return kept.shell
    }
    return areShort ? this.#start(work, pace) : null
  }

  /** The number of idle shells for items like this one. */
  idle (work: WorkItem): number {
    const pace = this.#paceOf(work)
    return [...this.#kept.values()].filter(kept => kept.isIdle && kept.pace === pace && !kept.shell.isDoomed).length
  }

  /** Prepares a warm shell for the next item like this one. */
  prepare (work: WorkItem): void {
    if (this.#mode === 'fresh' || work.args !== undefined) return
    const pace = this.#paceOf(work)
    if (!pace.canBeWarm || pace.unsaid >= MAX_UNSAID) return
    const shell = this.#start(work, pace)
    if (shell !== null) Object.assign(this.#kept.get(shell)!, { isIdle: true, isPrepared: true })
  }

  /** Records how long the item took; null if it had to be restarted in a fresh shell. */
  note (work: WorkItem, ms: number | null): void {
    if (this.#mode === 'fresh' || work.args !== undefined) return
    const pace = this.#paceOf(work)
    if (ms === null) pace.unsaid++
    else pace.times[pace.count++ % LAST_ITEMS] = ms
  }

  /** The item has ended, and all of its group with it. */
  giveBack (shell: WarmShell): void {
    const kept = this.#kept.get(shell)
    if (kept === undefined) return
    if (shell.isGone) return this.#forget(shell)
    if (shell.isDoomed) return void this.#end(shell)
    if (kept.isSweepDue) this.#host.sessions.sweepOthers([shell.pid!])
    kept.isSweepDue = false
    kept.isIdle = true
  }

  /** The sessions of all shells. */
  sids (): number[] {
    return [...this.#kept.keys()].flatMap(({ pid }) => pid === undefined ? [] : [pid])
  }

  /** Ends all shells. Resolves when they have ended, and everything that items left with them. */
  async close (): Promise<void> {
    await Promise.all(Array.from(this.#kept.keys(), async shell => this.#end(shell)))
    this.#logs.close()
  }

  async #end (shell: WarmShell): Promise<void> {
    this.#kept.get(shell)!.isIdle = false
    await shell.close()
    if (shell.pid !== undefined) await this.#host.sessions.end(shell.pid)
    this.#forget(shell)
  }

  #paceOf (work: WorkItem): Pace {
    const key = keyOf(work)
    let pace = this.#paces.get(key)
    if (pace === undefined) this.#paces.set(key, pace = { canBeWarm: canBeWarm(work), times: [], count: 0, unsaid: 0 })
    return pace
  }

  #start (work: WorkItem, pace: Pace): WarmShell | null {
    const { shell: bash, parentEnv, fifos, watchdog } = this.#host
    const beside = path.dirname(work.cwd)
    let stderr: StderrTail | undefined
    let log: CaptureFile | undefined
    try {
      stderr = new StderrTail(fifos.take(beside))
      log = this.#logs.get(beside)
      const shell = new WarmShell({ shell: bash, parentEnv, work, stderr, log })
      this.#kept.set(shell, { shell, pace, idleTidies: 0, isIdle: false, isSweepDue: false, isPrepared: false })
      if (shell.pid !== undefined) watchdog.watch(shell.pid)
      this.#timer ??= setInterval(() => this.#tidy(), TIDY_MS).unref()
      return shell
    } catch {
      stderr?.close()
      if (log !== undefined) this.#logs.giveBack(log)
      pace.unsaid++
      return null // a fresh shell will report the error
    }
  }

  #forget (shell: WarmShell): void {
    if (!this.#kept.delete(shell)) return
    if (shell.pid !== undefined) this.#host.watchdog.forget(shell.pid)
    shell.stderr.close()
    shell.log.take()
    this.#logs.giveBack(shell.log)
    if (this.#kept.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /**
   * Processes that an item left in another group cannot be distinguished from those of the next one, so the search
   * takes place between items.
   */
  #tidy (): void {
    const idle: number[] = []
    for (const kept of this.#kept.values()) {
      const { shell } = kept
      shell.log.trim()
      if (!kept.isIdle) kept.isSweepDue = true
      else if (shell.isGone) this.#forget(shell)
      else if (++kept.idleTidies > MAX_IDLE_TIDIES) void this.#end(shell)
      else if (kept.idleTidies === 1 && shell.pid !== undefined) idle.push(shell.pid)
    }
    if (idle.length > 0) this.#host.sessions.sweepOthers(idle)
  }
}

function isShort ({ times, count }: Pace): boolean {
  return count >= FIRST_ITEMS && times.toSorted((a, b) => a - b)[times.length >> 1]! < SHORT_MS
}

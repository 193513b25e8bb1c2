/**
 * Which items run in warm shells, and the shells that wait for them. All do that find there what a fresh shell has: to
 * start a process stops us for milliseconds, which is better done once than whenever a slot is free.
 */
import { HAS_PROC } from '../process-table.ts'
import type { Guard } from './guard.ts'
import type { Sessions } from './session.ts'
import type { StderrFiles } from './stderr.ts'
import type { WorkItem } from './types.ts'
import { canBeWarm, keyOf } from './warm-job.ts'
import { WarmShell } from './warm-shell.ts'

/** How often what items left in groups of their own is looked for, and shells that nobody needs are ended. */
const TIDY_MS = 5000
/** A shell that waits for longer is ended: it holds 4 MB. */
const MAX_IDLE_TIDIES = 2
/** After so many items that had to be started again in fresh shells, this system has no use for warm ones. */
const MAX_UNSAID = 5

/** What warm shells need of their executor. */
export interface WarmHost {
  shell: string
  parentEnv: NodeJS.ProcessEnv
  sessions: Sessions
  stderrs: StderrFiles
  guard: Guard
}

interface Kept {
  shell: WarmShell
  kind: Kind
  idleTidies: number
  isIdle: boolean
  isSweepDue: boolean
}

/** What items of one command have in common. */
interface Kind { canBeWarm: boolean, unsaid: number }

/** The warm shells of an executor. */
export class WarmShells {
  readonly #host: WarmHost
  readonly #isOn: boolean
  readonly #kinds = new Map<string, Kind>()
  readonly #kept = new Map<WarmShell, Kept>()
  #timer: NodeJS.Timeout | undefined

  constructor (host: WarmHost, mode: 'warm' | 'fresh') {
    this.#host = host
    this.#isOn = HAS_PROC && mode === 'warm'
  }

  /** A warm shell for the item, or null when it should have a fresh one. */
  take (work: WorkItem): WarmShell | null {
    if (!this.#isOn || work.args !== undefined) return null
    const kind = this.#kindOf(work)
    if (kind.unsaid >= MAX_UNSAID || !kind.canBeWarm) return null
    for (const kept of this.#kept.values()) {
      if (!kept.isIdle || kept.kind !== kind || kept.shell.isDoomed) continue
      kept.isIdle = false
      kept.idleTidies = 0
      return kept.shell
    }
    return this.#start(work, kind)
  }

  /** The item had to be started again in a fresh shell. */
  failed (work: WorkItem): void { this.#kindOf(work).unsaid++ }

  /** The item has ended, and with it all of its group. */
  giveBack (shell: WarmShell): void {
    const kept = this.#kept.get(shell)
    if (kept === undefined) return
    if (shell.isGone) return this.#forget(shell)
    if (shell.isDoomed) return void this.#end(shell)
    if (kept.isSweepDue) this.#host.sessions.sweepOthers([shell.pid!])
    kept.isSweepDue = false
    kept.isIdle = true
  }

  /** Sessions of all shells. */
  sids (): number[] {
    return [...this.#kept.keys()].flatMap(({ pid }) => pid === undefined ? [] : [pid])
  }

  /** Ends all shells; resolves when they are gone, and what items left with them. */
  async close (): Promise<void> {
    await Promise.all(Array.from(this.#kept.keys(), async shell => this.#end(shell)))
  }

  async #end (shell: WarmShell): Promise<void> {
    this.#kept.get(shell)!.isIdle = false
    await shell.close()
    if (shell.pid !== undefined) await this.#host.sessions.end(shell.pid)
    this.#forget(shell)
  }

  #kindOf (work: WorkItem): Kind {
    const key = keyOf(work)
    let kind = this.#kinds.get(key)
    if (kind === undefined) this.#kinds.set(key, kind = { canBeWarm: canBeWarm(work), unsaid: 0 })
    return kind
  }

  #start (work: WorkItem, kind: Kind): WarmShell | null {
    const { shell: path, parentEnv, stderrs, guard } = this.#host
    const stderr = stderrs.get(work.stdout)
    const log = stderrs.get(work.stdout)
    try {
      const shell = new WarmShell({ shell: path, parentEnv, work, stderr, log })
      this.#kept.set(shell, { shell, kind, idleTidies: 0, isIdle: false, isSweepDue: false })
      if (shell.pid !== undefined) guard.watch(shell.pid)
      this.#timer ??= setInterval(() => this.#tidy(), TIDY_MS).unref()
      return shell
    } catch {
      stderrs.giveBack(stderr)
      stderrs.giveBack(log)
      kind.unsaid++
      return null // a fresh shell tells why
    }
  }

  #forget (shell: WarmShell): void {
    if (!this.#kept.delete(shell)) return
    if (shell.pid !== undefined) this.#host.guard.forget(shell.pid)
    for (const file of [shell.stderr, shell.log]) {
      file.take()
      this.#host.stderrs.giveBack(file)
    }
    if (this.#kept.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** What an item left in a group of its own cannot be told from what the next one does: it is looked for between them. */
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

/**
 * Signals to everything a command started. Every item leads a session and process group of its own. A signal to the
 * group reaches most of it at once; but `timeout 9 prog` makes itself a group of its own, so on Linux the process table
 * is searched for the rest of the session. (What calls setsid() escapes; only a sandbox holds that.)
 */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { HAS_PROC, readStat } from '../process-table.ts'

/** Between two looks at a session that is being killed. */
const LOOK_MS = 5
/** A killed process can be held by a hanging disk; whoever waits for it is let go after this. */
const GIVE_UP_MS = 5000
/** How soon after an item's end the process table is searched for what it left behind in groups of its own. */
const LEFT_MS = 1000

/** Sends a signal to the whole group; false when the group has no process any more. */
export function signalGroup (pgid: number, signal: NodeJS.Signals): boolean {
  if (pgid <= 1) return false // kill(-1) would mean every process of this user
  try {
    process.kill(-pgid, signal)
    return true
  } catch {
    // ESRCH: nobody is left. EPERM: only processes that changed their user are, which are out of reach.
    return false
  }
}

interface Ending { since: number, resolve: () => void }

/**
 * Signals to whole sessions. Reading the process table takes milliseconds on a busy machine, so the wishes of one
 * tick share one reading.
 */
export class Sessions {
  readonly #signals = new Map<number, NodeJS.Signals>()
  readonly #ending = new Map<number, Ending>()
  /** sessions whose leader has ended, not looked at since */
  readonly #left = new Set<number>()
  #leftTimer: NodeJS.Timeout | undefined
  #isDue = false

  /** Sends a signal to every process of the session, soon; a later signal of the same tick replaces it. */
  signal (sid: number, signal: NodeJS.Signals): void {
    if (this.#ending.has(sid)) return
    this.#signals.set(sid, signal)
    this.#schedule(0)
  }

  /** Kills the whole session; resolves when it has no living process. */
  async end (sid: number): Promise<void> {
    this.#signals.delete(sid)
    await new Promise<void>(resolve => {
      this.#ending.set(sid, { since: performance.now(), resolve })
      this.#schedule(0)
    })
  }

  /** The leader has ended, and its group is empty; what else is in the session is killed within a second. */
  leave (sid: number): void {
    this.#left.add(sid)
    this.#leftTimer ??= setTimeout(() => this.sweep(), LEFT_MS).unref()
  }

  /** Kills, now, what ended items left behind. */
  sweep (): void {
    clearTimeout(this.#leftTimer)
    this.#leftTimer = undefined
    if (this.#left.size === 0) return
    for (const [sid, pids] of livingPids(this.#left)) {
      // a living leader means that the number was given to a new process
      if (!pids.includes(sid)) sendAll(pids, 'SIGKILL')
    }
    this.#left.clear()
  }

  #schedule (ms: number): void {
    if (this.#isDue) return
    this.#isDue = true
    const look = (): void => {
      this.#isDue = false
      this.#look()
    }
    if (ms === 0) setImmediate(look)
    else setTimeout(look, ms)
  }

  #look (): void {
    const pids = livingPids(new Set([...this.#signals.keys(), ...this.#ending.keys()]))
    for (const [sid, signal] of this.#signals) sendAll(pids.get(sid) ?? [], signal)
    this.#signals.clear()
    const now = performance.now()
    for (const [sid, { since, resolve }] of this.#ending) {
      const left = pids.get(sid) ?? []
      sendAll(left, 'SIGKILL')
      const isAlive = left.length > 0 || (!HAS_PROC && signalGroup(sid, 'SIGKILL'))
      if (isAlive && now - since < GIVE_UP_MS) continue
      this.#ending.delete(sid)
      resolve()
    }
    if (this.#ending.size > 0) this.#schedule(LOOK_MS)
  }
}

function sendAll (pids: number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try { process.kill(pid, signal) } catch {} // it is gone, which is fine
  }
}

function livingPids (sids: ReadonlySet<number>): Map<number, number[]> {
  const pids = new Map<number, number[]>()
  for (const name of HAS_PROC ? readdirSync('/proc') : []) {
    const stat = /^\d+$/.test(name) ? readStat(name) : null
    if (stat === null) continue
    const sid = Number(stat[3])
    // a zombie is dead already, and where nobody reaps it, it stays one for ever
    if (!sids.has(sid) || stat[0] === 'Z' || stat[0] === 'X') continue
    const known = pids.get(sid)
    if (known === undefined) pids.set(sid, [Number(name)])
    else known.push(Number(name))
  }
  return pids
}

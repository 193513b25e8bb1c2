/**
 * Signals to everything a command started. Every item leads a session and process group of its own. A signal to the
 * group reaches most of it at once; but `timeout 9 prog` makes itself a group of its own, so on Linux the process table
 * is searched for the rest of the session. (What calls setsid() escapes; only a sandbox holds that.)
 */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { HAS_PROC, livingThread, readStat } from '../../system/process-table.ts'

/** Between two looks at a session that does not obey yet. */
const LOOK_MS = 5
/** A killed process can be held by a hanging disk; whoever waits for it is let go after this. */
const GIVE_UP_MS = 5000
/** How soon after an item's end the process table is searched for what it left behind in groups of its own. */
const LEFT_MS = 5000

/** Sends a signal to the whole group; false when the group has no process any more. */
export function signalGroup (pgid: number, signal: NodeJS.Signals): boolean {
  return pgid > 1 && send(-pgid, signal) // kill(-1) would mean every process of this user
}

/** Sends a signal to one process; false when it has gone, which is fine as a rule. */
export function signalProcess (pid: number, signal: NodeJS.Signals): boolean {
  return pid > 1 && send(pid, signal) // kill(0) would mean ourselves
}

function send (pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    // ESRCH: nobody is left. EPERM: only processes that changed their user are, which are out of reach.
    return false
  }
}

/**
 * A process that is born while SIGSTOP and SIGCONT reach its parent can stay stopped for ever (seen with Linux 6), and
 * on a busy machine be seen late. So a session is looked at until all of it is as it should be, and after these times
 * once more; but not for ever, as a command may stop parts of itself.
 */
const AGAIN_MS = [LOOK_MS, 50, 500, 5_000]
/** In a row, of which each had something to mend. */
const MAX_LOOKS = 20

/** A living process. */
export interface Member { pid: number, state: string }
interface Order { signal: 'SIGSTOP' | 'SIGCONT', looks: number, again: number, at: number }
interface Ending { since: number, isLeaderKept: boolean, resolve: () => void }

/**
 * Signals to whole sessions. Reading the process table takes milliseconds on a busy machine, so the wishes of one
 * tick share one reading.
 */
export class Sessions {
  readonly #orders = new Map<number, Order>()
  readonly #ending = new Map<number, Ending>()
  /** sessions whose leader has ended, not looked at since */
  readonly #left = new Set<number>()
  #leftTimer: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined
  /** when the next look is due */
  #dueAt = Infinity

  /** Sees to it that every process of the session stops, or goes on; a later order replaces an earlier one. */
  order (sid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#ending.has(sid)) return
    this.#orders.set(sid, { signal, looks: 0, again: 0, at: performance.now() })
    this.#schedule(0)
  }

  /** Kills the whole session, but for its leader if that is to be kept; resolves when nothing of it lives. */
  async end (sid: number, isLeaderKept = false): Promise<void> {
    this.#orders.delete(sid)
    await new Promise<void>(resolve => {
      this.#ending.set(sid, { since: performance.now(), isLeaderKept, resolve })
      this.#schedule(0)
    })
  }

  /** The leader has ended, and its group is empty; what else is in the session is killed within some seconds. */
  leave (sid: number): void {
    this.#orders.delete(sid)
    this.#left.add(sid)
    this.#leftTimer ??= setTimeout(() => this.sweep(), LEFT_MS).unref()
  }

  /** Kills, now, what ended items left behind. */
  sweep (): void {
    clearTimeout(this.#leftTimer)
    this.#leftTimer = undefined
    if (this.#left.size === 0) return
    for (const [sid, members] of membersOf(this.#left)) {
      // a living leader means that the number was given to a new process
      if (!members.some(({ pid }) => pid === sid)) sendAll(members, 'SIGKILL')
    }
    this.#left.clear()
  }

  /** Kills, now, all of these sessions but their leaders. */
  sweepOthers (sids: number[]): void {
    for (const [sid, members] of membersOf(new Set(sids))) sendAll(members.filter(({ pid }) => pid !== sid), 'SIGKILL')
  }

  #schedule (ms: number): void {
    const at = performance.now() + ms
    if (this.#dueAt > at) {
      this.#dueAt = at
      clearTimeout(this.#timer)
      if (ms === 0) setImmediate(() => { this.#look() })
      else this.#timer = setTimeout(() => { this.#look() }, ms)
    }
    // who waits for a session's end keeps the process alive, an order does not
    if (this.#ending.size > 0) this.#timer?.ref()
    else this.#timer?.unref()
  }

  #look (): void {
    this.#dueAt = Infinity
    const now = performance.now()
    const due = [...this.#orders].filter(([, { at }]) => at <= now + LOOK_MS)
    const sids = new Set([...due.map(([sid]) => sid), ...this.#ending.keys()])
    const members = membersOf(sids)
    for (const [sid, order] of due) this.#enforce(sid, order, members.get(sid) ?? [], now)
    for (const [sid, { since, isLeaderKept, resolve }] of this.#ending) {
      const left = (members.get(sid) ?? []).filter(({ pid }) => pid !== sid || !isLeaderKept)
      sendAll(left, 'SIGKILL')
      const isAlive = left.length > 0 || (!HAS_PROC && signalGroup(sid, 'SIGKILL'))
      if (isAlive && now - since < GIVE_UP_MS) continue
      this.#ending.delete(sid)
      resolve()
    }
    if (this.#ending.size > 0) this.#schedule(LOOK_MS)
    for (const { at } of this.#orders.values()) this.#schedule(Math.max(1, Math.ceil(at - now)))
  }

  #enforce (sid: number, order: Order, members: Member[], now: number): void {
    const others = members.filter(({ state }) => (state === 'T') !== (order.signal === 'SIGSTOP'))
    sendAll(others, order.signal)
    const nextMs = others.length > 0 ? LOOK_MS : AGAIN_MS[order.again++]
    order.looks = others.length > 0 ? order.looks + 1 : 0
    if (nextMs === undefined || order.looks >= MAX_LOOKS) this.#orders.delete(sid)
    else order.at = now + nextMs
  }
}

/** Kills all of these sessions, as far as they can be found at once: for the end of this process. */
export function killSessions (sids: number[]): void {
  for (const members of membersOf(new Set(sids)).values()) sendAll(members, 'SIGKILL')
}

function sendAll (members: Member[], signal: NodeJS.Signals): void {
  for (const { pid } of members) signalProcess(pid, signal)
}

/**
 * The living processes of each session, and their descendants, who may have made sessions of their own (a sandbox
 * does). A zombie is dead already, and where nobody reaps it, it stays one for ever; but not one of whose threads
 * another lives.
 */
export function membersOf (sids: ReadonlySet<number>): Map<number, Member[]> {
  const found = new Map<number, Member[]>()
  if (sids.size === 0) return found
  const table = readTable()
  for (const [pid, entry] of table) {
    const sid = belongsTo(pid, sids, table)
    const living = sid === undefined ? null : livingThread(pid, entry.state)
    if (sid === undefined || living === null) continue
    const known = found.get(sid) ?? []
    known.push({ pid, state: living.state })
    found.set(sid, known)
  }
  return found
}

interface Entry { state: string, parent: number, sid: number }

function readTable (): Map<number, Entry> {
  const table = new Map<number, Entry>()
  for (const name of HAS_PROC ? readdirSync('/proc') : []) {
    const stat = /^\d+$/.test(name) ? readStat(name) : null
    if (stat !== null) table.set(Number(name), { state: stat[0] ?? 'X', parent: Number(stat[1]), sid: Number(stat[3]) })
  }
  return table
}

function belongsTo (pid: number, sids: ReadonlySet<number>, table: ReadonlyMap<number, Entry>): number | undefined {
  const above = new Set<number>() // a number can be given to another process while the table is read
  for (let at = table.get(pid); at !== undefined; at = table.get(at.parent)) {
    if (sids.has(at.sid)) return at.sid
    if (above.has(at.parent)) break
    above.add(at.parent)
  }
  return undefined
}

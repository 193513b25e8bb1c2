/**
 * Sends signals to everything that a command started. Every item leads a session and process group of its own. A signal
 * to the group reaches most of it at once; but `timeout 9 prog`, for example, makes a group of its own, so on Linux the
 * process table is searched for the rest of the session. (A process that calls setsid() escapes; only a sandbox
 * prevents that.)
 */
import { readdirSync } from 'node:fs'
import process from 'node:process'
import { HAS_PROC, livingThread, readStat } from '../../system/process-table.ts'

/** Interval between two checks of a session that has not obeyed yet. */
const LOOK_MS = 5
/** A hanging disk can hold a killed process; this is the longest wait for it. */
const GIVE_UP_MS = 5000
/** How soon after an item's end the process table is searched for processes that it left in other groups. */
const LEFT_MS = 5000

/** Sends a signal to the whole group. Returns false if the group has no process any more. */
export function signalGroup (pgid: number, signal: NodeJS.Signals): boolean {
  return pgid > 1 && send(-pgid, signal) // kill(-1) would mean every process of this user
}

/** Sends a signal to one process. Returns false if it has ended, which normally does not matter. */
export function signalProcess (pid: number, signal: NodeJS.Signals): boolean {
  return pid > 1 && send(pid, signal) // kill(0) would mean our own group
}

function send (pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    // ESRCH: no process is left. EPERM: only processes that changed their user, which are out of reach.
    return false
  }
}

/**
 * A process that is forked while SIGSTOP and SIGCONT reach its parent can stay stopped for ever (observed with Linux
 * 6), and be noticed late on a busy machine. So a session is checked until all of it has obeyed, and once more after
 * each of these times; but not for ever, because a command may stop parts of itself.
 */
const AGAIN_MS = [LOOK_MS, 50, 500, 5_000]
/** Consecutive checks that had to correct something. */
const MAX_LOOKS = 20

/** A live process. */
export interface Member { pid: number, state: string }
interface Order { signal: 'SIGSTOP' | 'SIGCONT', looks: number, again: number, at: number }
interface Ending { since: number, isLeaderKept: boolean, resolve: () => void }

/**
 * Sends signals to whole sessions. Reading the process table takes milliseconds on a busy machine, so all requests of
 * one tick share one reading.
 */
export class Sessions {
  readonly #orders = new Map<number, Order>()
  readonly #ending = new Map<number, Ending>()
  /** sessions whose leader has ended, not checked since */
  readonly #left = new Set<number>()
  #leftTimer: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined
  /** the time of the next check */
  #dueAt = Infinity

  /** Makes every process of the session stop or continue; a later order replaces an earlier one. */
  order (sid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#ending.has(sid)) return
    this.#orders.set(sid, { signal, looks: 0, again: 0, at: performance.now() })
    this.#schedule(0)
  }

  /** Kills the whole session, except its leader if that is to be kept. Resolves when no live process is left. */
  async end (sid: number, isLeaderKept = false): Promise<void> {
    this.#orders.delete(sid)
    await new Promise<void>(resolve => {
      this.#ending.set(sid, { since: performance.now(), isLeaderKept, resolve })
      this.#schedule(0)
    })
  }

  /** The leader has ended, and its group is empty. Anything else in the session is killed within some seconds. */
  leave (sid: number): void {
    this.#orders.delete(sid)
    this.#left.add(sid)
    this.#leftTimer ??= setTimeout(() => this.sweep(), LEFT_MS).unref()
  }

  /** Kills what ended items left behind, now. */
  sweep (): void {
    clearTimeout(this.#leftTimer)
    this.#leftTimer = undefined
    if (this.#left.size === 0) return
    for (const [sid, members] of membersOf(this.#left)) {
      // a live leader means that the number was given to a new process
      if (!members.some(({ pid }) => pid === sid)) sendAll(members, 'SIGKILL')
    }
    this.#left.clear()
  }

  /** Kills everything in these sessions except their leaders, now. */
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
    // waiting for a session's end keeps this process alive, an order does not
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

/** Kills everything in these sessions that can be found at once: for the end of this process. */
export function killSessions (sids: number[]): void {
  for (const members of membersOf(new Set(sids)).values()) sendAll(members, 'SIGKILL')
}

function sendAll (members: Member[], signal: NodeJS.Signals): void {
  for (const { pid } of members) signalProcess(pid, signal)
}

/**
 * The live processes of each session, and their descendants, which may have sessions of their own (as in a sandbox). A
 * zombie is dead, and stays in the table if nobody reaps it; but a process whose first thread has ended may have other
 * live threads.
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
  const above = new Set<number>() // a number can be given to another process while the table is being read
  for (let at = table.get(pid); at !== undefined; at = table.get(at.parent)) {
    if (sids.has(at.sid)) return at.sid
    if (above.has(at.parent)) break
    above.add(at.parent)
  }
  return undefined
}

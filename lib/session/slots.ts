/**
 * What runs in the slots of one task, and how long pieces take. Shared by compute-slots.ts and claimed-ahead.ts. Pure.
 */
import type { Generation } from '../store/types.ts'

/** The pace is averaged over about this many recent pieces. */
const PACE_PIECES = 32

/** What happens to running work items while no others start. */
export type Hold = 'suspend' | 'finish'

/** A work item. */
export interface Running {
  readonly generation: Generation
  /** when it began, milliseconds on the scheduler's clock */
  readonly since: number
  /** it is announced as a backup: others compute the piece, or hold it */
  isBackup: boolean
  /** its result is compared with what is there: it is not given up because others have the piece */
  readonly isCheck: boolean
  /** expected duration, milliseconds; 0: unknown */
  readonly estimateMs: number
  /** for how long it was claimed before it began, milliseconds */
  readonly waitedMs: number
  /** its command has ended */
  hasEnded: boolean
  /** why it was aborted */
  reason: string | null
}

/** The slots of one round of computing. */
export class Slots {
  /** number of work items at a time */
  count: number
  /** 'finishing': what runs goes on to its end, and nothing else starts */
  state: 'on' | 'finishing' | 'paused' | 'stopped' = 'on'
  /** the pieces that are being computed or stored */
  readonly running = new Map<number, Running>()
  /** number of running commands: the members of `running` that are not merely being stored */
  busy = 0
  #paceMs = 0
  #completed = 0

  /** @param count at least 1 */
  constructor (count: number) {
    this.count = count
  }

  /** Number of slots in which no command runs. */
  get free (): number { return this.count - this.busy }

  /** Average duration of a piece here, milliseconds; 0: unknown. */
  get paceMs (): number { return this.#paceMs }

  /** The estimate for claims: whole milliseconds. */
  get estimateMs (): number { return Math.ceil(this.#paceMs) }

  /** A piece took this many milliseconds. */
  took (ms: number): void {
    this.#completed++
    this.#paceMs += (ms - this.#paceMs) / Math.min(this.#completed, PACE_PIECES)
  }

  /**
   * For each running command, the milliseconds until its expected end, by the pace of recent pieces; negative: overdue.
   */
  ends (now: number): number[] {
    const working = [...this.running.values()].filter(({ hasEnded, reason }) => !hasEnded && reason === null)
    return working.map(({ since }) => since + this.#paceMs - now)
  }

  /**
   * The number of pieces that can start within this time, milliseconds; 0: now. While the pace is unknown, nobody knows
   * when running commands end: as many as there are free slots.
   */
  due (now: number, withinMs: number): number {
    if (this.state !== 'on') return 0
    const ends = this.ends(now)
    const idle = Math.max(0, this.count - ends.length)
    const pace = this.#paceMs
    if (pace === 0 || withinMs === 0) return idle
    const starts = (ms: number): number => ms > withinMs ? 0 : 1 + Math.floor((withinMs - Math.max(0, ms)) / pace)
    return ends.reduce((sum, ms) => sum + starts(ms), idle * starts(0))
  }

  /** In how many milliseconds the next running command will end within this time; Infinity if none is known to. */
  dueInMs (now: number, withinMs: number): number {
    const coming = this.#paceMs === 0 ? [] : this.ends(now).map(ms => ms - withinMs).filter(ms => ms > 0)
    return Math.min(Infinity, ...coming)
  }
}

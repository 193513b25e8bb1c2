/**
 * Keeps the slots of one task busy: asks the scheduler for pieces, claims them, has the store generate them, and ends
 * it when another peer was first. Starts no process itself (bash-executor.ts) and speaks to no peer itself
 * (`ComputeSlotsHost`).
 *
 * What is to start soon is chosen and claimed ahead: of short pieces many at a time, with one message and one look at
 * the swarm for all of them; of longer ones the next, so that peers which choose alike notice before either has begun.
 */
import { CLAIM_RENEW_MS, MAX_CLAIMS } from '../../extensions/ut_bitworker/constants.ts'
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { CommandError } from '../base/errors.ts'
import type { Result } from '../results/result.ts'
import { SLOW } from '../scheduling/backups.ts'
import type { Claim } from '../scheduling/claim.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Generated, Generation } from '../store/types.ts'
import { traceOf } from '../base/trace.ts'

const trace = traceOf('scheduling')

/** What computing needs from its surroundings. */
export interface ComputeSlotsHost {
  generate (index: number): Generation
  /** it runs */
  started (index: number): void
  /** tell all peers, before the work items start */
  claim (claims: ClaimRecord[], opts: { isBackup: boolean }): void
  /** tell all peers that there will be no result */
  release (indices: number[]): void
  computed (index: number, result: Result, run: Pick<Generated, 'ms' | 'stderr'>): void
  /** `final`: it is left to other peers from now on */
  failed (index: number, error: Error, final: boolean): void
  aborted (index: number, reason: string): void
  /** nothing is left to run, now; called after every change */
  idle (): void
}

interface Running {
  readonly generation: Generation
  readonly since: number
  isBackup: boolean
  /** what it was expected to take, milliseconds; 0: unknown */
  readonly estimateMs: number
  /** its command has ended */
  hasEnded: boolean
  /** why it was aborted */
  reason: string | null
}

/** Pieces being stored, for each slot: a disk that cannot keep up holds the commands back. */
const STORING_PER_SLOT = 4

/**
 * Short pieces are claimed ahead for this long: other peers wait for them that long at most, and a message costs a
 * thousandth of it.
 */
const AHEAD_MS = 100
/** The next of longer ones is claimed so long before its slot is free: a busy peer has heard of it by then. */
const NEXT_MS = 200
/** A work item is nearly done after this share of what a piece takes. */
const NEARLY_DONE = 0.75
/** After this share nobody knows when it will end. */
const LATEST = 1.25
/** The pace follows about this many of the latest pieces. */
const PACE_PIECES = 32

/** The running work items of one task. */
export class ComputeSlots {
  readonly #scheduler: Scheduler
  readonly #host: ComputeSlotsHost
  readonly #slots: number
  readonly #clock: Clock
  readonly #running = new Map<number, Running>()
  /** commands that run: those of `#running` that are not only being stored */
  #busy = 0
  /** claimed, and next to run */
  readonly #ahead = new Set<number>()
  #cancelRenewal: () => void
  #cancelWakeUp = (): void => {}
  #cancelAhead = (): void => {}
  #state: 'on' | 'paused' | 'stopped' = 'on'
  /** what a piece takes here, milliseconds; 0: unknown */
  #paceMs = 0
  #completed = 0

  /** @param opts `slots`: work items at a time, at least 1; `clock`: the scheduler's */
  constructor (scheduler: Scheduler, host: ComputeSlotsHost, { slots, clock }: { slots: number, clock: Clock }) {
    this.#scheduler = scheduler
    this.#host = host
    this.#slots = slots
    this.#clock = clock
    this.#cancelRenewal = this.#renewLater()
  }

  get state (): 'on' | 'paused' | 'stopped' { return this.#state }

  /** The pieces being computed, or next to be, and for how many milliseconds. */
  claims ({ isBackup }: { isBackup: boolean }): ClaimRecord[] {
    if (this.#state !== 'on') return []
    const now = this.#clock.now()
    const claims: ClaimRecord[] = []
    for (const [index, running] of this.#running) {
      if (running.isBackup === isBackup) {
        claims.push({ index, elapsedMs: Math.round(now - running.since), estimateMs: this.#estimateMs() })
      }
    }
    if (!isBackup) for (const index of this.#ahead) claims.push(this.#fresh(index))
    return claims
  }

  /** Starts work items while there are free slots and pieces to compute. Cheap when there is nothing to do. */
  run (): void {
    while (this.#state === 'on' && this.#hasRoom) {
      if (this.#ahead.size === 0 && !this.#choose()) break
      const [index] = this.#ahead
      if (index === undefined) continue // a backup: it has started
      this.#ahead.delete(index)
      this.#start(index, false)
    }
    this.#armWakeUp()
    this.#host.idle()
  }

  /** A slot is free as soon as its command has ended: what is left to do for its piece needs no slot. */
  get #hasRoom (): boolean {
    return this.#busy < this.#slots && this.#running.size - this.#busy < STORING_PER_SLOT * this.#slots
  }

  /**
   * For how long there is work, as far as can be seen, milliseconds: what a piece takes, or what is left of those that
   * run; 0: none, or unknown.
   */
  get busyMs (): number {
    if (this.#state !== 'on') return 0
    return this.#ahead.size > 0 || this.#scheduler.hasCandidates ? this.#paceMs : Math.max(0, ...this.#ends())
  }

  /** Ends the piece's work item, if there is one. */
  abort (index: number, reason: string): void {
    if (this.#ahead.has(index)) {
      this.#giveUpAhead([index])
      this.#chooseAhead()
      return
    }
    const running = this.#running.get(index)
    if (running === undefined || running.reason !== null) return
    running.reason = reason
    running.generation.kill()
  }

  /**
   * Another peer's claim for the piece goes before ours. A work item that expects to end first, and is nearly done or
   * has a slot that nothing else needs, goes on as a backup: it would be begun again as one, from its start.
   */
  yieldTo (index: number, { startedAt, estimateMs }: Pick<Claim, 'startedAt' | 'estimateMs'>): void {
    const running = this.#running.get(index)
    const now = this.#clock.now()
    const elapsedMs = running === undefined ? 0 : now - running.since
    const isKnown = this.#paceMs > 0 && estimateMs > 0 && elapsedMs < LATEST * this.#paceMs
    const isFirst = isKnown && startedAt + estimateMs - now > SLOW * Math.max(0, this.#paceMs - elapsedMs)
    const isWorthIt = isFirst && (elapsedMs > NEARLY_DONE * this.#paceMs || !this.#scheduler.hasCandidates)
    if (running === undefined || running.reason !== null || !isWorthIt) {
      return this.abort(index, 'another peer computes it')
    }
    if (running.isBackup) return
    running.isBackup = true
    this.#host.release([index])
    this.#host.claim([{ index, elapsedMs: Math.round(elapsedMs), estimateMs: this.#estimateMs() }], { isBackup: true })
  }

  /** Suspends the work items; their claims are given up, since nobody should wait for them. */
  pause (): void {
    if (this.#state !== 'on') return
    this.#state = 'paused'
    this.#giveUpAhead([...this.#ahead])
    for (const { generation } of this.#running.values()) generation.pause()
    this.#host.release([...this.#running.keys()])
  }

  resume (): void {
    if (this.#state !== 'paused') return
    this.#state = 'on'
    for (const { generation } of this.#running.values()) generation.resume()
    this.#renew()
    this.run()
  }

  /** Kills all work items; resolves when they are gone. */
  async stop (): Promise<void> {
    this.#state = 'stopped'
    this.#cancelRenewal()
    this.#cancelWakeUp()
    this.#cancelAhead()
    this.#giveUpAhead([...this.#ahead])
    const ends = Array.from(this.#running.values(), ({ generation }) => generation.done.catch(() => {}))
    for (const index of this.#running.keys()) this.abort(index, 'stopped')
    await Promise.all(ends)
  }

  /** Chooses and claims what to run next; false when there is nothing. A backup is started at once. */
  #choose (): boolean {
    const count = this.#batchSize()
    while (this.#ahead.size < count) {
      const choice = this.#scheduler.next()
      if (choice === undefined) break
      this.#scheduler.start(choice.index)
      if (!choice.isBackup) {
        this.#ahead.add(choice.index)
        continue
      }
      // only when nothing else is left, so the batch ends here
      this.#claimAhead()
      this.#host.claim([this.#fresh(choice.index)], { isBackup: true })
      this.#start(choice.index, true)
      return true
    }
    this.#claimAhead()
    return this.#ahead.size > 0
  }

  #claimAhead (): void {
    if (this.#ahead.size > 0)
      this.#host.claim(
        Array.from(this.#ahead, index => this.#fresh(index)), { isBackup: false }
      )
  }

  #batchSize (): number {
    const free = this.#slots - this.#busy
    if (this.#paceMs === 0 || this.#paceMs > AHEAD_MS) return free
    const room = MAX_CLAIMS - this.#running.size
    return Math.max(free, Math.min(room, Math.ceil(AHEAD_MS / this.#paceMs) * this.#slots))
  }

  /** For the slots that will be free soon: the others have time, and what is late may be so for long. */
  #chooseAhead (): void {
    this.#cancelAhead()
    if (this.#state !== 'on' || this.#paceMs <= AHEAD_MS) return
    const ends = this.#ends()
    const soon = this.#slots - ends.filter(ms => Math.abs(ms) > NEXT_MS).length
    this.#giveUpAhead([...this.#ahead].slice(soon))
    const chosen: ClaimRecord[] = []
    while (this.#ahead.size < Math.min(soon, MAX_CLAIMS - this.#running.size) && this.#scheduler.hasCandidates) {
      const choice = this.#scheduler.next()
      if (choice === undefined || choice.isBackup) break
      this.#scheduler.start(choice.index)
      this.#ahead.add(choice.index)
      chosen.push(this.#fresh(choice.index))
    }
    if (chosen.length > 0) this.#host.claim(chosen, { isBackup: false })
    const changes = ends.flatMap(ms => [Math.ceil(ms - NEXT_MS), Math.floor(ms + NEXT_MS) + 1]).filter(ms => ms > 0)
    if (changes.length > 0) this.#cancelAhead = this.#clock.after(Math.min(...changes), () => { this.#chooseAhead() })
  }

  /** In how many milliseconds the commands that run will end, as the last ones did; negative: should have ended. */
  #ends (): number[] {
    const now = this.#clock.now()
    const working = [...this.#running.values()].filter(({ hasEnded, reason }) => !hasEnded && reason === null)
    return working.map(({ since }) => since + this.#paceMs - now)
  }

  /** The claim of a piece that has not begun. */
  #fresh (index: number): ClaimRecord { return { index, elapsedMs: 0, estimateMs: this.#estimateMs() } }

  /** Gives up some of those that were chosen ahead: others wait for them. */
  #giveUpAhead (indices: number[]): void {
    for (const index of indices) {
      this.#ahead.delete(index)
      this.#scheduler.stop(index)
    }
    if (indices.length > 0) this.#host.release(indices)
  }

  #start (index: number, isBackup: boolean): void {
    trace('piece %d starts%s; a piece takes %d ms here', index, isBackup ? ' as a backup' : '', this.#paceMs)
    const generation = this.#host.generate(index)
    const estimateMs = this.#estimateMs()
    const running: Running = {
      generation, since: this.#clock.now(), isBackup, estimateMs, hasEnded: false, reason: null
    }
    this.#running.set(index, running)
    this.#busy++
    void generation.ended.then(() => { this.#onEnded(running) })
    generation.done.then(
      generated => this.#onResult(index, generated),
      (err: unknown) => this.#onFailure(index, running, err as Error)
    ).catch((err: unknown) => {
      // an error of our own, not the command's: it must surface
      queueMicrotask(() => { throw err })
    })
    this.#chooseAhead()
    // last: whoever hears of it may stop everything
    this.#host.started(index)
  }

  #onEnded (running: Running): void {
    running.hasEnded = true
    this.#busy--
    this.run()
  }

  #onResult (index: number, { size, digest, ms, stderr }: Generated): void {
    const { since, estimateMs } = this.#running.get(index)!
    this.#running.delete(index)
    this.#scheduler.stop(index)
    if (estimateMs > 0) this.#scheduler.lateness.add(this.#clock.now() - since - estimateMs)
    this.#completed++
    this.#paceMs += (ms - this.#paceMs) / Math.min(this.#completed, PACE_PIECES)
    this.#scheduler.setPace(this.#paceMs)
    trace('piece %d is computed: %d bytes in %d ms', index, size, ms)
    this.#host.computed(index, { size, digest }, { ms, stderr })
    this.run()
    this.#chooseAhead() // now that the pace is known, and the piece is not missing any more
  }

  #onFailure (index: number, running: Running, err: Error): void {
    this.#running.delete(index)
    if (running.reason !== null) {
      this.#scheduler.stop(index)
      this.#host.release([index])
      this.#host.aborted(index, running.reason)
      trace('piece %d is aborted: %s', index, running.reason)
    } else {
      const isFinal = this.#scheduler.fail(index)
      trace('piece %d has failed%s: %s', index, isFinal ? ' for the last time' : '', err.message)
      this.#host.release([index])
      this.#host.failed(index, err, isFinal)
      // not the command's fault (disk full, no shell): trying the next piece would only fail again
      if (!(err instanceof CommandError)) return
    }
    this.run()
  }

  #estimateMs (): number { return Math.ceil(this.#paceMs) }

  #renewLater (): () => void {
    return this.#clock.after(CLAIM_RENEW_MS, () => {
      this.#cancelRenewal = this.#renewLater()
      this.#renew()
    })
  }

  #renew (): void {
    for (const isBackup of [false, true]) {
      const claims = this.claims({ isBackup })
      if (claims.length > 0) this.#host.claim(claims, { isBackup })
    }
  }

  /** A failed piece becomes due again, or patience with others ends, without anything else happening. */
  #armWakeUp (): void {
    this.#cancelWakeUp()
    if (this.#state !== 'on' || !this.#hasRoom) return
    const at = this.#scheduler.wakeAt()
    trace('nothing to start for %d ms', at - this.#clock.now())
    if (at === Infinity) return
    this.#cancelWakeUp = this.#clock.after(Math.max(1, Math.ceil(at - this.#clock.now())), () => { this.run() })
  }
}

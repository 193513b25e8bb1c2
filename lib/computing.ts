/**
 * Keeps the slots of one task busy: asks the scheduler for a piece, claims it, has the store generate it, and ends it
 * when another peer was first. Starts no process itself (executor.ts) and speaks to no peer itself (`ComputingHost`).
 */
import { CLAIM_RENEW_MS } from '../extensions/ut_bitworker/constants.ts'
import type { Clock } from './clock.ts'
import { CommandError } from './errors.ts'
import type { Generation } from './compute-store.ts'
import type { Result } from './results.ts'
import type { Choice, Scheduler } from './scheduler.ts'

/** What computing needs from its surroundings. */
export interface ComputingHost {
  generate (index: number): Generation
  /** it runs */
  started (index: number): void
  /** tell all peers, before the work item starts */
  claim (index: number, elapsedMs: number, estimateMs: number): void
  /** tell all peers that there will be no result */
  release (indices: number[]): void
  computed (index: number, result: Result, ms: number): void
  /** `final`: it is left to other peers from now on */
  failed (index: number, error: Error, final: boolean): void
  aborted (index: number, reason: string): void
  /** nothing is left to run, now; called after every change */
  idle (): void
}

interface Running { readonly generation: Generation, readonly since: number, readonly isBackup: boolean, reason: string | null }

/** The running work items of one task. */
export class Computing {
  readonly #scheduler: Scheduler
  readonly #host: ComputingHost
  readonly #slots: number
  readonly #clock: Clock
  readonly #running = new Map<number, Running>()
  #cancelRenewal: () => void
  #cancelWakeUp = (): void => {}
  #state: 'on' | 'paused' | 'stopped' = 'on'
  #totalMs = 0
  #completed = 0

  /** @param opts `slots`: work items at a time, at least 1; `clock`: the scheduler's */
  constructor (scheduler: Scheduler, host: ComputingHost, { slots, clock }: { slots: number, clock: Clock }) {
    this.#scheduler = scheduler
    this.#host = host
    this.#slots = slots
    this.#clock = clock
    this.#cancelRenewal = this.#renewLater()
  }

  get state (): 'on' | 'paused' | 'stopped' { return this.#state }

  /** The pieces being computed, but for backups, and for how many milliseconds. */
  * claims (): Generator<{ index: number, elapsedMs: number, estimateMs: number }> {
    if (this.#state !== 'on') return
    const now = this.#clock.now()
    for (const [index, { since, isBackup }] of this.#running) {
      if (!isBackup) yield { index, elapsedMs: Math.round(now - since), estimateMs: this.#estimateMs() }
    }
  }

  /** Starts work items while there are free slots and pieces to compute. Cheap when there is nothing to do. */
  run (): void {
    while (this.#state === 'on' && this.#running.size < this.#slots) {
      const choice = this.#scheduler.next()
      if (choice === undefined) break
      this.#start(choice)
    }
    this.#armWakeUp()
    this.#host.idle()
  }

  /** Kills the piece's work item, if there is one. */
  abort (index: number, reason: string): void {
    const running = this.#running.get(index)
    if (running === undefined || running.reason !== null) return
    running.reason = reason
    running.generation.kill()
  }

  /** Suspends the work items; their claims are given up, since nobody should wait for them. */
  pause (): void {
    if (this.#state !== 'on') return
    this.#state = 'paused'
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
    const ends = Array.from(this.#running.values(), ({ generation }) => generation.done.catch(() => {}))
    for (const index of this.#running.keys()) this.abort(index, 'stopped')
    await Promise.all(ends)
  }

  #start ({ index, isBackup }: Choice): void {
    this.#scheduler.start(index)
    if (!isBackup) this.#host.claim(index, 0, this.#estimateMs())
    const generation = this.#host.generate(index)
    const running: Running = { generation, since: this.#clock.now(), isBackup, reason: null }
    this.#running.set(index, running)
    generation.done.then(
      ({ size, digest, ms }) => this.#onResult(index, { size, digest }, ms),
      (err: unknown) => this.#onFailure(index, running, err as Error)
    ).catch((err: unknown) => {
      // an error of our own, not the command's: it must surface
      queueMicrotask(() => { throw err })
    })
    // last: whoever hears of it may stop everything
    this.#host.started(index)
  }

  #onResult (index: number, result: Result, ms: number): void {
    this.#running.delete(index)
    this.#scheduler.stop(index)
    this.#totalMs += ms
    this.#completed++
    this.#scheduler.setPace(this.#estimateMs())
    this.#host.computed(index, result, ms)
    this.run()
  }

  #onFailure (index: number, running: Running, err: Error): void {
    this.#running.delete(index)
    if (running.reason !== null) {
      this.#scheduler.stop(index)
      this.#host.release([index])
      this.#host.aborted(index, running.reason)
    } else {
      const isFinal = this.#scheduler.fail(index)
      this.#host.release([index])
      this.#host.failed(index, err, isFinal)
      // not the command's fault (disk full, no shell): trying the next piece would only fail again
      if (!(err instanceof CommandError)) return
    }
    this.run()
  }

  #estimateMs (): number {
    return this.#completed === 0 ? 0 : Math.round(this.#totalMs / this.#completed)
  }

  #renewLater (): () => void {
    return this.#clock.after(CLAIM_RENEW_MS, () => {
      this.#cancelRenewal = this.#renewLater()
      this.#renew()
    })
  }

  #renew (): void {
    for (const { index, elapsedMs, estimateMs } of this.claims()) this.#host.claim(index, elapsedMs, estimateMs)
  }

  /** A failed piece becomes due again, or patience with others ends, without anything else happening. */
  #armWakeUp (): void {
    this.#cancelWakeUp()
    if (this.#state !== 'on' || this.#running.size >= this.#slots) return
    const at = this.#scheduler.wakeAt()
    if (at === Infinity) return
    this.#cancelWakeUp = this.#clock.after(Math.max(1, Math.ceil(at - this.#clock.now())), () => { this.run() })
  }
}

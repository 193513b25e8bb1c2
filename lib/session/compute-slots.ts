/**
 * Keeps the slots of one task busy: starts the pieces that were chosen and claimed (claimed-ahead.ts), has the store
 * generate them, and aborts them when another peer is first. bash-executor.ts starts the processes.
 */
import { CLAIM_RENEW_MS } from '../../extensions/ut_bitworker/constants.ts'
import type { ClaimRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { BitWorkerError, CommandError } from '../base/errors.ts'
import { traceOf } from '../base/trace.ts'
import type { Result } from '../results/result.ts'
import { SLOW } from '../scheduling/backups.ts'
import type { Claim } from '../scheduling/claim.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { Generated, PieceStore } from '../store/types.ts'
import { ClaimedAhead } from './claimed-ahead.ts'
import type { ClaimingParts, NextPiece } from './claimed-ahead.ts'
import type { Slots } from './slots.ts'
import type { Hold, Running } from './slots.ts'
import type { RunReport } from './work-reports.ts'

const trace = traceOf('scheduling')

/** The parts that the slots use. */
export interface SlotParts extends ClaimingParts { readonly store: Pick<PieceStore, 'generate'> }

/**
 * How a work item ended. `result` is stored now; `discarded` is what the command gave, if that is another one.
 * `isFinal`: the piece is left to other peers.
 */
export type Ending =
  | { result: Result, discarded?: Result, isCheck: boolean, run: RunReport }
  | { error: Error, isFinal: boolean }
  | { abortedBecause: string }

/** The callbacks of the slots' owner. */
export interface ComputeSlotsHost {
  /** the work item runs */
  started (index: number): void
  ended (index: number, ending: Ending): void
  /** there is nothing to run at the moment; called after every change */
  idle (): void
}

/**
 * Pieces being stored, per slot. If the disk cannot keep up, no more commands are started. Where inputs have many
 * files, results wait up to a second for the check that these are what they were (lib/inputs/stamps.ts).
 */
const STORING_PER_SLOT = 32
/** A work item is nearly done after this share of a piece's usual duration. */
const NEARLY_DONE = 0.75
/** After this share, its end cannot be predicted. */
const LATEST = 1.25

/** The running work items of one task. */
export class ComputeSlots {
  readonly #slots: Slots
  readonly #scheduler: Scheduler
  readonly #host: ComputeSlotsHost
  readonly #clock: Clock
  readonly #store: SlotParts['store']
  readonly #claims: SlotParts['claims']
  readonly #ahead: ClaimedAhead
  #cancelRenewal: () => void
  #cancelWakeUp = (): void => {}

  constructor (slots: Slots, parts: SlotParts, host: ComputeSlotsHost) {
    this.#slots = slots
    this.#scheduler = parts.scheduler
    this.#host = host
    this.#clock = parts.clock
    this.#store = parts.store
    this.#claims = parts.claims
    this.#ahead = new ClaimedAhead(parts, this.#slots, () => { this.run() })
    this.#cancelRenewal = this.#renewLater()
  }

  get state (): Slots['state'] { return this.#slots.state }

  /** The duration of a piece here, milliseconds; 0: unknown. */
  get paceMs (): number { return this.#slots.paceMs }

  /** The claims of the pieces that are being computed or are next, with their elapsed times. */
  claims ({ isBackup }: { isBackup: boolean }): ClaimRecord[] {
    if (this.state !== 'on' && this.state !== 'finishing') return []
    const now = this.#clock.now()
    const claims: ClaimRecord[] = []
    for (const [index, running] of this.#slots.running) {
      if (running.isBackup === isBackup) {
        claims.push(this.#claimOf(index, running, now))
      }
    }
    return isBackup ? claims : claims.concat(this.#ahead.claims())
  }

  /** Starts work items while there are free slots and pieces to compute. Cheap if there is nothing to do. */
  run (): void {
    while (this.state === 'on' && this.#hasRoom) {
      const choice = this.#ahead.next()
      if (choice === undefined) break
      this.#start(choice)
    }
    this.#armWakeUp()
    this.#host.idle()
  }

  /** A slot is free when its command has ended: storing the piece needs no slot. */
  get #hasRoom (): boolean {
    const { count, free, running, busy } = this.#slots
    return free > 0 && running.size - busy < STORING_PER_SLOT * count
  }

  /**
   * How long there will be work, as far as is known, milliseconds: the duration of a piece, or the rest of the running
   * ones; 0: none, or unknown.
   */
  get busyMs (): number {
    if (this.state !== 'on') return 0
    if (this.#ahead.size > 0 || this.#scheduler.hasCandidates) return this.paceMs
    return Math.max(0, ...this.#slots.ends(this.#clock.now()))
  }

  /** Others have the piece or compute it: aborts its work item, if there is one that is not a check. */
  abort (index: number, reason: string): void {
    if (this.#ahead.drop(index)) return
    const running = this.#slots.running.get(index)
    if (running !== undefined && !this.#isCheck(index, running)) kill(running, reason)
  }

  /**
   * Another peer's claim wins against ours. A work item that expects to finish first, and is nearly done or has a slot
   * that nothing else needs, continues as a backup: otherwise a backup would start again from the beginning.
   */
  yieldTo (index: number, { startedAt, estimateMs }: Pick<Claim, 'startedAt' | 'estimateMs'>): void {
    const running = this.#slots.running.get(index)
    const now = this.#clock.now()
    const elapsedMs = running === undefined ? 0 : now - running.since
    const { paceMs } = this
    const isKnown = paceMs > 0 && estimateMs > 0 && elapsedMs < LATEST * paceMs
    const isFirst = isKnown && startedAt + estimateMs - now > SLOW * Math.max(0, paceMs - elapsedMs)
    const mustEnd = running !== undefined && this.#isCheck(index, running)
    const isWorthIt = isFirst && (elapsedMs > NEARLY_DONE * paceMs || !this.#scheduler.hasCandidates)
    if (running === undefined || running.reason !== null || !(isWorthIt || mustEnd)) {
      return this.abort(index, 'another peer computes it')
    }
    if (running.isBackup) return
    running.isBackup = true
    this.#claims.release([index])
    this.#claims.claim([this.#claimOf(index, running, now)], { isBackup: true })
  }

  /** The piece is computed to compare its result, or has become one of these while it was computed. */
  #isCheck (index: number, { isCheck }: Running): boolean { return isCheck || this.#scheduler.checks.has(index) }

  #claimOf (index: number, { since, waitedMs }: Running, now: number): ClaimRecord {
    const { estimateMs } = this.#slots
    const elapsedMs = Math.round(now - since + waitedMs)
    return { index, elapsedMs, estimateMs: estimateMs === 0 ? 0 : Math.round(waitedMs + estimateMs) }
  }

  /** Claims pieces whose inputs are about to be fetched, see ClaimedAhead. */
  awaitInputs (indices: readonly number[], waitMs: number): void { this.#ahead.awaitInputs(indices, waitMs) }

  isAwaited (index: number): boolean { return this.#ahead.isAwaited(index) }

  /** The number of further pieces that can start within this time, milliseconds: none of them is claimed yet. */
  due (withinMs: number): number { return this.#slots.due(this.#clock.now(), withinMs) - this.#ahead.claimed }

  /** When `due` will grow without any other event, in milliseconds from now. */
  dueInMs (withinMs: number): number { return this.#slots.dueInMs(this.#clock.now(), withinMs) }

  /** The number of pieces that are claimed and have not started. */
  get claimed (): number { return this.#ahead.claimed }

  /**
   * Starts no more work items. With 'suspend', the running ones are suspended, and their claims released, so that no
   * peer waits for them.
   */
  pause (hold: Hold = 'suspend'): void {
    if (this.state === 'stopped') return
    this.#setState(hold === 'finish' ? 'finishing' : 'paused')
    this.#ahead.clear()
  }

  resume (): void {
    if (this.state === 'stopped' || this.state === 'on') return
    this.#setState('on')
    this.#ahead.look()
    this.run()
  }

  #setState (state: 'on' | 'finishing' | 'paused'): void {
    const wasPaused = this.state === 'paused'
    this.#slots.state = state
    if (wasPaused === (state === 'paused')) return
    for (const { generation } of this.#slots.running.values()) generation[wasPaused ? 'resume' : 'pause']()
    if (wasPaused) this.#renew()
    else this.#claims.release([...this.#slots.running.keys()])
  }

  /** Kills all work items. Resolves when they have ended. */
  async stop (): Promise<void> {
    this.#slots.state = 'stopped'
    this.#cancelRenewal()
    this.#cancelWakeUp()
    this.#ahead.clear()
    const ends = Array.from(this.#slots.running.values(), ({ generation }) => generation.done.catch(() => {}))
    for (const running of this.#slots.running.values()) kill(running, 'stopped')
    await Promise.all(ends)
  }

  #start ({ index, kind, waitedMs = 0 }: NextPiece): void {
    trace('piece %d starts%s; a piece takes %d ms here', index, kind === 'piece' ? '' : ` as a ${kind}`, this.paceMs)
    const generation = this.#store.generate(index)
    const { estimateMs } = this.#slots
    const running: Running = {
      generation,
      since: this.#clock.now(),
      isBackup: kind !== 'piece',
      isCheck: kind === 'check',
      estimateMs,
      waitedMs,
      hasEnded: false,
      reason: null
    }
    this.#slots.running.set(index, running)
    this.#slots.busy++
    void generation.ended.then(() => { this.#onEnded(running) })
    generation.done.then(
      generated => this.#onResult(index, generated),
      (err: unknown) => this.#onFailure(index, running, err as Error)
    ).catch((err: unknown) => {
      // an error of ours, not the command's: must not be swallowed
      queueMicrotask(() => { throw err })
    })
    this.#ahead.look()
    // last, because a listener may stop everything
    this.#host.started(index)
  }

  #onEnded (running: Running): void {
    running.hasEnded = true
    this.#slots.busy--
    this.run()
  }

  #onResult (index: number, { size, digest, discarded, ...run }: Generated): void {
    const { ms } = run
    const { since, estimateMs, isCheck } = this.#slots.running.get(index)!
    this.#slots.running.delete(index)
    this.#scheduler.computed(index)
    if (estimateMs > 0) this.#scheduler.lateness.add(this.#clock.now() - since - estimateMs)
    this.#slots.took(ms)
    this.#scheduler.setPace(this.paceMs)
    trace('piece %d is computed: %d bytes in %d ms', index, size, ms)
    const others = discarded === undefined ? {} : { discarded }
    this.#host.ended(index, { result: { size, digest }, ...others, isCheck, run })
    this.run()
    this.#ahead.look() // now that the pace is known, and the piece is no longer missing
  }

  #onFailure (index: number, running: Running, err: Error): void {
    this.#slots.running.delete(index)
    const reason = running.reason ?? inputGone(err)
    if (reason !== null) {
      this.#scheduler.stop(index)
      this.#claims.release([index])
      this.#host.ended(index, { abortedBecause: reason })
      trace('piece %d is aborted: %s', index, reason)
    } else {
      const isFinal = this.#scheduler.fail(index)
      trace('piece %d has failed%s: %s', index, isFinal ? ' for the last time' : '', err.message)
      this.#claims.release([index])
      this.#host.ended(index, { error: err, isFinal })
      // not the command's fault (disk full, no shell): the next piece would fail as well
      if (!(err instanceof CommandError)) return
    }
    this.run()
  }

  #renewLater (): () => void {
    return this.#clock.after(CLAIM_RENEW_MS, () => {
      this.#cancelRenewal = this.#renewLater()
      this.#renew()
    })
  }

  #renew (): void {
    for (const isBackup of [false, true]) {
      const claims = this.claims({ isBackup })
      if (claims.length > 0) this.#claims.claim(claims, { isBackup })
    }
  }

  /**
   * Sets a timer for the moments when work becomes possible without any other event: a failed piece is due again, or
   * patience with others ends.
   */
  #armWakeUp (): void {
    this.#cancelWakeUp()
    if (this.state !== 'on' || !this.#hasRoom) return
    const at = this.#scheduler.wakeAt()
    trace('nothing to start for %d ms', at - this.#clock.now())
    if (at === Infinity) return
    this.#cancelWakeUp = this.#clock.after(Math.max(1, Math.ceil(at - this.#clock.now())), () => { this.run() })
  }
}

function kill (running: Running, reason: string): void {
  if (running.reason !== null) return
  running.reason = reason
  running.generation.kill()
}

/** The piece's input was there when it was chosen, and is gone: the piece waits again, which is not a failure. */
function inputGone (err: Error): string | null {
  return err instanceof BitWorkerError && !(err instanceof CommandError) && err.code === 'BW_ERR_INPUT'
    ? 'its input is no longer stored'
    : null
}

/**
 * What follows from the verdicts of a task's verify command (verifier.ts). What was downloaded is judged before it is
 * stored. What is stored without having been judged (by an earlier run, before commands might run, or just computed)
 * does not count until it is: it is neither announced nor made into files. Owned by piece-flow.ts.
 */
import type { BitWorkerError } from '../base/errors.ts'
import type { IncomingDraft } from '../download/download-host.ts'
import type { Neighbours } from '../peers/neighbours.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceStore } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import { wrongHere } from './events.ts'
import type { SessionHost } from './session-host.ts'
import { Verifier } from './verifier.ts'
import type { JudgeMode, Verdict, VerifierHost, VerifierParts } from './verifier.ts'

/** The parts that vetting uses. */
export interface VettingParts extends VerifierParts {
  readonly store: Pick<PieceStore, 'verifyBy' | 'isVerified' | 'setVerified' | 'drop'>
  readonly results: ResultTable
  readonly scheduler: Scheduler
  readonly neighbours: Neighbours
}

/** Callbacks of its owner. */
export interface VettingHost {
  /** See SessionHost. */
  unjudged (why: 'stopped' | 'broken'): boolean
  /** how long a piece takes to be computed here, milliseconds; 0: unknown */
  paceMs (): number
  /** the stored piece counts from now on */
  stored (index: number, result: Result): void
  /** it does not count any more */
  withdraw (index: number, size: number): void
  /** it is missing again */
  need (index: number): void
  /** pieces may be computed, or downloaded, that could not before */
  changed (): void
}

/** The vetting of one task's pieces. */
export class Vetting implements VerifierHost {
  readonly verifier: Verifier
  readonly #parts: VettingParts
  readonly #session: Pick<SessionHost, 'report' | 'warn'>
  readonly #host: VettingHost
  /** stored pieces that are being judged, with their results */
  readonly #pending = new Map<number, Result>()
  #isClosed = false

  constructor (task: Task, parts: VettingParts, session: Pick<SessionHost, 'report' | 'warn'>, host: VettingHost) {
    this.#parts = parts
    this.#session = session
    this.#host = host
    this.verifier = new Verifier(task, parts, this)
  }

  get paceMs (): number { return this.#host.paceMs() }

  close (): void {
    this.#isClosed = true
    this.verifier.close()
  }

  /** The peer's result of the piece is not known to be useless. */
  accepts (peer: TaskPeer, index: number): boolean {
    const result = peer.results.result(index)
    return (result === undefined || !this.verifier.refuses(index, result)) && this.verifier.listensTo(peer)
  }

  /** Judges what these peers sent. */
  async downloaded (index: number, result: Result, draft: IncomingDraft, sources: TaskPeer[]): Promise<Verdict> {
    const verdict = await this.verifier.judge(index, { draft: { size: result.size, draft }, sources })
    if (this.#isClosed || verdict === 'unjudged' || verdict === 'ignored') return verdict
    const { neighbours, scheduler } = this.#parts
    // computed in the meantime: what came may be gone, and says nothing of who sent it
    if (!scheduler.isMissing(index)) return 'ignored'
    const { deliveries } = scheduler
    if (verdict !== 'right') this.verifier.refuse(index, result, verdict)
    if (verdict !== 'unknown') {
      this.#session.report('checked', {
        piece: index, right: verdict === 'right', by: 'verify', key: null, peers: sources.map(({ name }) => name)
      })
    }
    // who attested it is to blame, not who sent it
    for (const peer of sources) {
      const wasHeard = this.verifier.listensTo(peer)
      this.verifier.received(peer, verdict === 'right')
      if (verdict !== 'right') deliveries.useless(peer.holder)
      if (this.verifier.listensTo(peer) !== wasHeard) neighbours.reconsiderAll(peer)
    }
    if (verdict === 'right') return verdict
    for (const peer of neighbours) {
      if (peer.results.holdsResult(index, result)) deliveries.disregarded(peer.holder, index)
    }
    return verdict
  }

  /** The piece is stored, and was found right. */
  confirm (index: number): void { this.#parts.store.setVerified?.(index) }

  /** A piece was computed here. */
  computed (index: number, result: Result): void {
    if (this.verifier.judgesOwn) return void this.#vet(index, result, true)
    if (this.verifier.isOn) this.confirm(index)
    this.#host.stored(index, result)
  }

  /**
   * A stored piece of an earlier run, or from before commands were to run. Returns whether it has to be judged first;
   * then the host hears of it later.
   */
  restored (index: number, result: Result): boolean {
    if (!this.#isDue(index)) return false
    void this.#vet(index, result, false)
    return true
  }

  /** Commands will be allowed to run: what is stored and was never judged does not count until it is. */
  expect (): void {
    this.verifier.expect()
    if (!this.verifier.isOn) return
    const { results } = this.#parts
    for (let index = 0; index < results.pieceCount; index++) {
      const result = results.own(index)
      if (result === undefined || !this.#isDue(index)) continue
      this.#host.withdraw(index, result.size)
      void this.#vet(index, result, false)
    }
  }

  /** Commands may run. */
  start (slots: number, isPaused: boolean): void {
    this.expect()
    this.verifier.start(slots, isPaused)
  }

  /** The stored piece is gone. Returns whether it was being judged. */
  lost (index: number): boolean { return this.#pending.delete(index) }

  isTooSlow (why: BitWorkerError): void { this.#session.warn(why) }

  gaveUp (why: BitWorkerError): void {
    this.#session.warn(why)
    this.#host.unjudged('broken')
    this.#reconsider()
  }

  waits (why: BitWorkerError): void { if (!this.#host.unjudged('stopped')) this.#session.warn(why) }

  /** See verifier.ts. */
  setJudging (judging: JudgeMode): void {
    this.verifier.setJudging(judging)
    this.#reconsider()
  }

  /** Others are listened to than before. */
  #reconsider (): void {
    const { neighbours } = this.#parts
    for (const peer of neighbours) neighbours.reconsiderAll(peer)
    this.#host.changed()
  }

  #isDue (index: number): boolean { return this.verifier.isOn && this.#parts.store.isVerified?.(index) === false }

  async #vet (index: number, result: Result, isOwn: boolean): Promise<void> {
    const { scheduler } = this.#parts
    this.#pending.set(index, result)
    scheduler.setMissing(index, false)
    const verdict = await this.verifier.judge(index, { isOwn })
    // it may have been lost, and another one computed
    if (this.#isClosed || this.#pending.get(index) !== result) return
    this.#pending.delete(index)
    // commands were stopped, and may run again
    if (verdict === 'unjudged' && !isOwn && this.#isDue(index)) return this.#vet(index, result, false)
    if (!isOwn && (verdict === 'wrong' || verdict === 'unknown')) this.verifier.refuse(index, result, verdict)
    // a piece that was computed here is believed unless it is known to be wrong
    const isUseless = verdict === 'unknown' || verdict === 'ignored'
    if (verdict === 'wrong' || (isUseless && !isOwn)) return this.#discard(index, isOwn)
    if (verdict === 'right' || isOwn) this.confirm(index)
    this.#host.stored(index, result)
  }

  #discard (index: number, isOwn: boolean): void {
    const { store, scheduler, neighbours } = this.#parts
    store.drop(index)
    scheduler.setMissing(index, true)
    if (isOwn) {
      neighbours.claims.release([index])
      this.#session.report('failed', wrongHere(index, scheduler.fail(index)))
    }
    this.#host.need(index)
  }
}

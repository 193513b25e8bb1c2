/**
 * Connects the verification of a task with its session: tells it what is computed, stored and attested, and acts on
 * what it decides (docs/scheduling.md, "Checks"). Without a verification, everything that is announced is accepted.
 * Owned by piece-flow.ts.
 */
import { traceOf } from '../base/trace.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { CheckedEvent, VerificationHost } from '../verification/types.ts'
import { Verification } from '../verification/verification.ts'
import type { Attestations, Verifying } from './attestations.ts'
import type { BelievingHost, BelievingParts } from './believing-parts.ts'
import { SecondRuns } from './second-runs.ts'
import type { SessionHost } from './session-host.ts'
import { Unaccepted } from './unaccepted.ts'

const trace = traceOf('scheduling')

/** Time between two states that are kept. */
const KEEP_MS = 5_000

/** What is believed in one session. */
export class Believing implements VerificationHost {
  readonly #parts: BelievingParts
  readonly #host: BelievingHost
  readonly #report: SessionHost['report']
  readonly #runs: SecondRuns
  /** null: nothing is verified, or not any more */
  #verification: Verification | null = null
  #attestations: Attestations | null = null
  /** pieces to be looked at when the current call of the verification has returned */
  readonly #changed = new Set<number>()
  readonly #refuted = new Map<number, Result | null>()
  readonly #unaccepted: Unaccepted
  /** pieces whose result of our own was told in `replaces` */
  readonly #told = new Map<number, boolean>()
  /** calls of the verification that have not returned; one more until the session is open */
  #depth = 1
  #wasSettled = true
  #isComputing = false
  #cancelKeeping: (() => void) | null = null

  constructor (parts: BelievingParts, host: BelievingHost, report: SessionHost['report']) {
    this.#parts = parts
    this.#host = host
    this.#report = report
    const { verifying, task, random } = parts
    this.#runs = new SecondRuns(verifying?.isDeterministic === true)
    this.#unaccepted = new Unaccepted(task)
    if (verifying === undefined) return
    const { policy, ownKey, comparison = 'bytes' } = verifying
    this.#verification = new Verification({ pieceCount: task.pieceCount, policy, ownKey, random, comparison }, this)
    this.#attestations = this.#createAttestations(verifying, this.#verification)
    parts.scheduler.checks.onGivenUp(index => {
      if (this.#verification !== null) this.#tell(verification => { verification.abandoned(index) })
    })
  }

  /** Results are verified. */
  get isOn (): boolean { return this.#verification !== null }

  get checkShare (): number { return this.#verification?.checkShare ?? 0 }

  /** null: nothing is verified. */
  get verification (): Verification | null { return this.#verification }

  /** The file may be finished, as far as its results are concerned. */
  mayFinish (file: number): boolean {
    return this.#isSettled && this.#unaccepted.countIn(file) === 0
  }

  /** The result may be downloaded, and finished into files. */
  accepts (index: number, result: Result | undefined): boolean {
    return this.#verification === null || (result !== undefined && this.#verification.accepts(index, result))
  }

  /** The same for what is stored. */
  isAccepted (index: number): boolean { return !this.#unaccepted.has(index) }

  /** Like `accepts`, for a result that is announced: what is asked for now may tell more. */
  believes (index: number, result: Result | undefined): boolean {
    if (this.accepts(index, result)) return true
    if (this.#attestations?.isAwaited(index) === true) this.#parts.scheduler.checks.setAsked(index, true)
    return false
  }

  /** Something is, or will be, computed here. */
  setComputing (isComputing: boolean): void {
    this.#isComputing = isComputing
    this.#settle()
  }

  joined (peer: TaskPeer): void { this.#attestations?.add(peer) }

  left (peer: TaskPeer): void { this.#attestations?.remove(peer) }

  /** The pieces of earlier runs are known, and were told by `stored`. */
  open (): void {
    this.#depth--
    if (this.#verification === null) return
    const { verifying, task, results, store } = this.#parts
    this.#tell(verification => {
      verification.restore(verifying?.load?.())
      this.#attestations?.open()
      for (let index = 0; index < task.pieceCount; index++) {
        const [own, computed] = [results.own(index), store.computed(index)]
        if (own === undefined || computed === undefined || !sameResult(own, computed)) continue
        if (verification.stateOf(index) !== 'own') verification.computed(index, own)
        this.#attestations?.attest(index, own, { isCheck: false })
      }
    })
  }

  close (): void {
    this.#attestations?.close()
    if (this.#cancelKeeping === null) return
    this.#cancelKeeping()
    this.#keep()
  }

  /** The piece is stored, or is not any more. */
  stored (index: number, result: Result | undefined): void {
    if (this.#verification === null) return
    this.#tell(verification => {
      verification.stored(index, result)
      this.#changed.add(index)
    })
  }

  /**
   * A command of ours gave another result than the stored one. Returns whether it takes its place. For the store; the
   * same result is told again by `computed`.
   */
  replaces (index: number, own: Result): boolean {
    if (this.#verification === null) return false
    const isSure = this.#isSure(index, own, true)
    this.#told.set(index, isSure)
    // what follows from it is seen to when the stored result is gone
    if (isSure) this.#verification.computed(index, own)
    return isSure
  }

  /** A command of ours gave this result. It is stored now, unless another one is. */
  computed (index: number, own: Result): void {
    if (this.#verification === null) return
    const told = this.#told.get(index)
    this.#told.delete(index)
    if (!(told ?? this.#isSure(index, own, this.#verification.contradicts(index, own)))) {
      // not now: this item has only just ended
      return queueMicrotask(() => { this.check(index) })
    }
    const { results } = this.#parts
    const isCheck = results.has(index) || results.holders(index) > 0
    this.#tell(verification => { if (told === undefined) verification.computed(index, own) })
    this.#attestations?.attest(index, own, { isCheck })
  }

  /**
   * A result that contradicts others is computed once more before anything is said of them: a machine may err, and a
   * command may not give the same bytes each time.
   */
  #isSure (index: number, own: Result, isContested: boolean): boolean {
    const stored = this.#parts.results.own(index)
    // what an earlier run gave, and was told then
    if (this.#verification?.stateOf(index) === 'own' && stored !== undefined && sameResult(stored, own)) return true
    const verdict = this.#runs.ended(index, own, isContested)
    trace('piece %d gave a result that is %s', index, verdict)
    if (verdict === 'unequal') this.#giveUp(index)
    return verdict === 'sure'
  }

  /** Results of this task cannot be compared here: everything is accepted from now on. */
  #giveUp (index: number): void {
    this.#verification = null
    this.#report('incomparable', { piece: index })
    const { task, scheduler } = this.#parts
    for (const check of scheduler.checks.wanted) scheduler.checks.drop(check)
    for (let piece = 0; piece < task.pieceCount; piece++) this.#changed.add(piece)
    queueMicrotask(() => { this.#follow() })
  }

  #createAttestations (verifying: Verifying, verification: Verification): Attestations {
    const { results, scheduler } = this.#parts
    const told = <T>(value: () => T): T => this.#tell(value)
    return verifying.createAttestations({
      results,
      verification: {
        attested: statement => told(() => verification.attested(statement)),
        setMember: (key, trustedKey) => { told(() => { verification.setMember(key, trustedKey) }) },
        isMember: key => verification.isMember(key),
        isExcluded: key => verification.isExcluded(key),
        statementsOf: index => verification.statementsOf(index)
      }
    }, {
      wantsAttestation: index => scheduler.isMissing(index) && scheduler.isWanted(index),
      attestationEnded: index => {
        scheduler.checks.setAsked(index, false)
        this.#host.run()
      },
      misbehaved: (peer, reason, isFinal) => { this.#host.misbehaved(peer, reason, isFinal) }
    })
  }

  //
  // WHAT THE VERIFICATION DECIDES
  //

  changed (index: number): void { this.#changed.add(index) }

  refuted (index: number, right: Result | null): void { this.#refuted.set(index, right) }

  check (index: number): void {
    if (this.#verification === null) return
    this.#parts.scheduler.checks.add(index)
    this.#changed.add(index)
    if (this.#depth === 0) this.#follow()
  }

  dropped (index: number): void { this.#parts.scheduler.checks.drop(index) }

  checked (event: CheckedEvent): void { this.#report('checked', event) }

  suspected (key: string, reason: string): void { this.#report('suspected', { key, reason }) }

  excluded (key: string, reason: string): void {
    this.#report('excluded', { key, reason })
    // not now: it closes connections
    queueMicrotask(() => { this.#attestations?.exclude(key, reason) })
  }

  level (level: number, reason: string): void { this.#report('level', { level, reason }) }

  /** Tells the verification something, and does what follows from it. */
  #tell<T> (tell: (verification: Verification) => T): T {
    this.#depth++
    let told: T
    try {
      told = tell(this.#verification!)
    } finally {
      this.#depth--
    }
    this.#cancelKeeping ??= this.#parts.clock.after(KEEP_MS, () => { this.#keep() }, { unref: true })
    if (this.#depth === 0) this.#follow()
    return told
  }

  #follow (): void {
    this.#depth++
    const hasChanged = this.#changed.size > 0 || this.#refuted.size > 0
    while (this.#changed.size > 0 || this.#refuted.size > 0) {
      for (const [index, right] of this.#refuted) {
        this.#refuted.delete(index)
        this.#drop(index, right)
      }
      for (const index of this.#changed) {
        this.#changed.delete(index)
        this.#look(index)
      }
    }
    this.#depth--
    this.#settle()
    if (hasChanged) this.#host.run()
  }

  /** Nothing is to be checked any more. Nobody waits for lots while nothing is computed here; for a sample, he does. */
  get #isSettled (): boolean {
    const verification = this.#verification
    return verification === null || verification.isSettled || (!this.#isComputing && !verification.isSampling)
  }

  #settle (): void {
    const isSettled = this.#isSettled
    if (isSettled && !this.#wasSettled) this.#host.settled()
    this.#wasSettled = isSettled
  }

  /** What is stored is wrong, and was not replaced in the meantime. */
  #drop (index: number, right: Result | null): void {
    const stored = this.#parts.results.own(index)
    if (stored !== undefined && (right === null || !sameResult(stored, right))) this.#parts.store.drop(index)
  }

  #look (index: number): void {
    const own = this.#parts.results.own(index)
    const isAccepted = own === undefined || this.accepts(index, own)
    // another result is: it can be downloaded, perhaps
    if (!isAccepted && this.#verification?.accepted(index) != null) return this.#parts.store.drop(index)
    this.#parts.scheduler.checks.setAccepted(index, isAccepted)
    const isNew = this.#unaccepted.set(index, !isAccepted)
    if (own === undefined) this.#host.reconsider(index)
    else if (isNew) this.#host.believed(index, isAccepted)
  }

  #keep (): void {
    this.#cancelKeeping = null
    if (this.#verification !== null) this.#parts.verifying?.keep?.(this.#verification.save())
  }
}

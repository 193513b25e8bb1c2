/**
 * Connects the verification of a task with its session: tells it what is computed, stored and attested, and acts on
 * what it decides (docs/scheduling.md, "Checks"). Without a verification, everything that is announced is accepted.
 * Owned by piece-flow.ts.
 */
import type { TaskPeer } from '../peers/task-peer.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import { withoutConduct } from '../verification/saved.ts'
import type { CheckedEvent, Policy, VerificationHost } from '../verification/types.ts'
import { Verification } from '../verification/verification.ts'
import type { Verifying } from './attestations.ts'
import { Attesting } from './attesting.ts'
import { attestersOf, voucherOf } from './attesters.ts'
import type { Attester } from './attesters.ts'
import type { BelievingHost, BelievingParts } from './believing-parts.ts'
import { HeldResults } from './held-results.ts'
import { Keeping } from './keeping.ts'
import { OwnResults } from './own-results.ts'
import type { SessionHost } from './session-host.ts'

/** What is believed in one session. */
export class Believing implements VerificationHost {
  readonly #parts: BelievingParts
  readonly #host: BelievingHost
  readonly #report: SessionHost['report']
  /** what follows from what is computed here */
  readonly own: OwnResults
  /** which stored results are not to be used yet */
  readonly held: HeldResults
  #verification: Verification | null = null
  /** how results are verified, as `setPolicy` was told last */
  #verifying: Verifying | undefined
  readonly #attesting: Attesting
  #isOpen = false
  /** pieces to be looked at when the current call of the verification has returned */
  readonly #changed = new Set<number>()
  readonly #refuted = new Map<number, Result | null>()
  /** pieces to be checked as soon as their result is here: its bytes are needed to compare it */
  readonly #awaiting = new Set<number>()
  /** calls of the verification that have not returned; one more until the session is open */
  #depth = 1
  readonly #keeping: Keeping

  constructor (
    parts: BelievingParts, host: BelievingHost, { report, warn }: Pick<SessionHost, 'report' | 'warn'>
  ) {
    this.#parts = parts
    this.#host = host
    this.#report = report
    this.own = new OwnResults(parts, {
      verification: () => this.#verification,
      tell: tell => { this.#tell(tell) },
      attest: (index, result, opts) => { if (this.#verification !== null) this.#attesting.attest(index, result, opts) },
      again: index => { this.check(index) },
      incomparable: index => { this.#giveUp(index) },
      warn
    })
    this.#keeping = new Keeping(parts.clock, () => {
      if (this.#verification !== null) this.#verifying?.keep?.(this.#verification.save())
    })
    this.#attesting = new Attesting(parts, {
      tell: tell => this.#verification === null ? null : this.#tell(tell),
      verification: () => this.#verification,
      run: () => { host.run() },
      misbehaved: (...misdeed) => { host.misbehaved(...misdeed) }
    })
    this.held = new HeldResults(parts.task, {
      verification: () => this.#verification,
      settled: () => { host.settled() },
      warn
    })
    parts.scheduler.checks.onGivenUp(index => {
      if (this.#verification !== null) this.#tell(verification => { verification.abandoned(index) })
    })
  }

  get checkShare (): number { return this.#verification?.checkShare ?? 0 }

  /** null: nothing is verified; what is attested may be kept for those who do. */
  get verification (): Verification | null { return this.#verification?.policy.kind === 'off' ? null : this.#verification }

  /** The result may be downloaded. */
  fetches (index: number, result: Result | undefined): boolean {
    return this.#verification === null || (result !== undefined && this.#verification.fetches(index, result))
  }

  /** The result may be finished into files. */
  accepts (index: number, result: Result | undefined): boolean {
    return this.#verification === null || (result !== undefined && this.#verification.accepts(index, result))
  }

  /** Like `fetches`, for a result that is announced: what is asked for now may tell more. */
  believes (index: number, result: Result | undefined): boolean {
    if (this.fetches(index, result)) return true
    if (this.#attesting.isAwaited(index)) this.#parts.scheduler.checks.setAsked(index, true)
    return false
  }

  joined (peer: TaskPeer): void { this.#attesting.add(peer) }

  left (peer: TaskPeer): void { this.#attesting.remove(peer) }

  /** The pieces of earlier runs are known, and were told by `stored`. */
  open (): void {
    this.#isOpen = true
    this.#depth--
    if (this.#verification !== null) this.#begin(this.#verifying?.load?.())
  }

  /**
   * How results are verified from now on; what was found out under another policy stays known. undefined: everything is
   * accepted.
   * @param isJudged until now, the verify command decided: what it found right stays accepted
   */
  setPolicy (verifying: Verifying | undefined, isJudged = false): void {
    const saved = this.#verification?.save()
    this.#verifying = verifying
    if (verifying !== undefined) this.#attesting.begin(verifying)
    this.#verification = this.#createVerification(verifying?.policy)
    if (this.#isOpen) this.#replaced(saved ?? verifying?.load?.(), isJudged)
  }

  #createVerification (policy: Policy | undefined): Verification | null {
    const { task: { pieceCount }, random } = this.#parts
    if (policy === undefined) return null
    const [{ comparison }, ownKey] = [this.own, this.#verifying!.ownKey]
    return new Verification({ pieceCount, policy, ownKey, random, comparison }, this)
  }

  close (): void {
    this.#attesting.close()
    this.#keeping.close()
  }

  /** The piece is stored, or is not any more. */
  stored (index: number, result: Result | undefined): void {
    if (this.#verification === null) return
    this.#tell(verification => {
      verification.stored(index, result)
      this.#changed.add(index)
      if (result !== undefined && this.#awaiting.delete(index)) this.check(index)
    })
  }

  /** Results of this task cannot be compared here: who is trusted is believed from now on, or everybody. */
  #giveUp (index: number): void {
    const policy = this.#verifying?.ifIncomparable
    const saved = this.#verification?.save()
    this.#verification = this.#createVerification(policy)
    this.#report('incomparable', { piece: index, policy: policy?.kind ?? 'off' })
    // not now: what gave the result has only just ended
    queueMicrotask(() => { this.#replaced(saved && withoutConduct(saved), false) })
  }

  /** Another verification, or none, has taken the place of one. @param saved what that one knew */
  #replaced (saved: unknown, isJudged: boolean): void {
    const { task: { pieceCount }, scheduler, results, store } = this.#parts
    this.#awaiting.clear()
    for (const check of scheduler.checks.wanted) scheduler.checks.drop(check)
    for (let index = 0; index < pieceCount; index++) this.#changed.add(index)
    if (this.#verification === null) return this.#follow()
    this.#tell(verification => {
      for (let index = 0; index < pieceCount; index++) {
        verification.stored(index, results.own(index))
        if (isJudged && store.isVerified?.(index) === true) verification.verified(index)
      }
      this.#begin(saved)
    })
  }

  /** Tells a verification, which knows what is stored, what was known before, what is attested, and what is our own. */
  #begin (saved: unknown): void {
    this.#tell(verification => {
      if (saved !== undefined) verification.restore(saved)
      this.#attesting.tellAll()
      for (const [index, own] of this.own.stored()) {
        if (verification.stateOf(index) !== 'own') verification.computed(index, own)
        this.#attesting.attest(index, own, { isCheck: false })
      }
    })
  }

  // WHAT THE VERIFICATION DECIDES

  changed (index: number): void { this.#changed.add(index) }

  refuted (index: number, right: Result | null): void { this.#refuted.set(index, right) }

  check (index: number): void {
    if (this.#verification === null) return
    if (this.#needsBytes(index)) return void this.#awaiting.add(index)
    this.#parts.scheduler.checks.add(index)
    this.#changed.add(index)
    if (this.#depth === 0) this.#follow()
  }

  /** The result will be compared with ours by a command, and is about to be downloaded. */
  #needsBytes (index: number): boolean {
    const { results, scheduler } = this.#parts
    return this.own.comparer !== null && !results.has(index) && scheduler.isWanted(index) &&
      this.#verification?.accepted(index) != null
  }

  dropped (index: number): void {
    this.#awaiting.delete(index)
    this.#parts.scheduler.checks.drop(index)
  }

  /** Other pieces are wanted than before: what is not downloaded any more is checked without it. */
  reconsiderChecks (): void {
    for (const index of this.#awaiting) {
      if (!this.#needsBytes(index) && this.#awaiting.delete(index)) this.check(index)
    }
  }

  checked (event: CheckedEvent): void {
    this.#report('checked', { ...event, ...voucherOf(this.#verification, event.key) })
  }

  suspected (key: string, reason: string): void {
    this.#report('suspected', { key, reason, ...voucherOf(this.#verification, key) })
  }

  excluded (key: string, reason: string): void {
    this.#keeping.changed(true)
    this.#report('excluded', { key, reason, ...voucherOf(this.#verification, key) })
    queueMicrotask(() => { this.#attesting.exclude(key, reason) }) // not now: it closes connections
  }

  /** Who attests the stored result of a piece, and is listened to. */
  attestersOf (index: number): Attester[] {
    return attestersOf(this.#verification, index, this.#parts.results.own(index))
  }

  level (level: number, reason: string): void {
    this.#keeping.changed(true)
    this.#report('level', { level, reason })
  }

  /** Tells the verification something, and does what follows from it. */
  #tell<T> (tell: (verification: Verification) => T): T {
    this.#depth++
    try {
      return tell(this.#verification!)
    } finally {
      this.#depth--
      this.#keeping.changed()
      if (this.#depth === 0) this.#follow()
    }
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
    this.held.settle()
    if (hasChanged) this.#host.run()
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
    const needsLook = own !== undefined && isAccepted && this.#verification?.needsLook(index) === true
    this.#parts.scheduler.checks.setLook(index, needsLook)
    const hasChanged = this.held.set(index, isAccepted, needsLook)
    if (own === undefined) this.#host.reconsider(index)
    else if (hasChanged) this.#host.believed(index, isAccepted)
  }
}

/**
 * Connects the verification of a task with its session: tells it what is computed, stored and attested, and acts on
 * what it decides (docs/scheduling.md, "Checks"). Without a verification, everything that is announced is accepted.
 * Owned by piece-flow.ts.
 */
import type { TaskPeer } from '../peers/task-peer.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { CheckedEvent, VerificationHost } from '../verification/types.ts'
import { Verification } from '../verification/verification.ts'
import type { Attestations, Verifying } from './attestations.ts'
import type { Attester, BelievingHost, BelievingParts } from './believing-parts.ts'
import { OwnResults } from './own-results.ts'
import type { SessionHost } from './session-host.ts'
import { Unaccepted } from './unaccepted.ts'

/** Time between two states that are kept. */
const KEEP_MS = 5_000

/** What is believed in one session. */
export class Believing implements VerificationHost {
  readonly #parts: BelievingParts
  readonly #host: BelievingHost
  readonly #report: SessionHost['report']
  /** what follows from what is computed here */
  readonly own: OwnResults
  /** null: nothing is verified, or not any more */
  #verification: Verification | null = null
  #attestations: Attestations | null = null
  /** pieces to be looked at when the current call of the verification has returned */
  readonly #changed = new Set<number>()
  readonly #refuted = new Map<number, Result | null>()
  readonly #unaccepted: Unaccepted
  /** pieces to be checked as soon as their result is here: its bytes are needed to compare it */
  readonly #awaiting = new Set<number>()
  /** stored pieces that need a second look before they are made into files */
  readonly #unseen: Unaccepted
  /** calls of the verification that have not returned; one more until the session is open */
  #depth = 1
  #wasSettled = true
  #isComputing = false
  #cancelKeeping: (() => void) | null = null

  constructor (
    parts: BelievingParts, host: BelievingHost, { report, warn }: Pick<SessionHost, 'report' | 'warn'>
  ) {
    this.#parts = parts
    this.#host = host
    this.#report = report
    const { verifying, task, random } = parts
    this.own = new OwnResults(parts, {
      verification: () => this.#verification,
      tell: tell => { this.#tell(tell) },
      attest: (index, result, opts) => { this.#attestations?.attest(index, result, opts) },
      again: index => { this.check(index) },
      incomparable: index => { this.#giveUp(index) },
      warn
    })
    this.#unaccepted = new Unaccepted(task)
    this.#unseen = new Unaccepted(task)
    if (verifying === undefined) return
    const { policy, ownKey, comparison = 'bytes' } = verifying
    this.#verification = new Verification({ pieceCount: task.pieceCount, policy, ownKey, random, comparison }, this)
    this.#attestations = this.#createAttestations(verifying, this.#verification)
    parts.scheduler.checks.onGivenUp(index => {
      if (this.#verification !== null) this.#tell(verification => { verification.abandoned(index) })
    })
  }

  /** Results are verified; otherwise attestations may be kept for others. */
  get isOn (): boolean { return this.verification !== null }

  get checkShare (): number { return this.#verification?.checkShare ?? 0 }

  /** null: nothing is verified. */
  get verification (): Verification | null { return this.#isOff ? null : this.#verification }

  /** Everything is accepted, and what is attested is kept for those who check it. */
  get #isOff (): boolean { return this.#verification?.policy.kind === 'off' }

  /** The file may be finished, as far as its results are concerned. */
  mayFinish (file: number): boolean {
    if (this.#isComputing && this.#unseen.countIn(file) > 0) return false
    return this.#isSettled && this.#unaccepted.countIn(file) === 0
  }

  /** The result may be downloaded. */
  fetches (index: number, result: Result | undefined): boolean {
    return this.#verification === null || (result !== undefined && this.#verification.fetches(index, result))
  }

  /** The result may be finished into files. */
  accepts (index: number, result: Result | undefined): boolean {
    return this.#verification === null || (result !== undefined && this.#verification.accepts(index, result))
  }

  /** The same for what is stored. */
  isAccepted (index: number): boolean { return !this.#unaccepted.has(index) }

  /** Like `fetches`, for a result that is announced: what is asked for now may tell more. */
  believes (index: number, result: Result | undefined): boolean {
    if (this.fetches(index, result)) return true
    if (this.#attestations?.isAwaited(index) === true) this.#parts.scheduler.checks.setAsked(index, true)
    return false
  }

  /** Something is, or will be, computed here. */
  setComputing (isComputing: boolean): void {
    this.#isComputing = isComputing
    this.#wasSettled = false
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
      if (result !== undefined && this.#awaiting.delete(index)) this.check(index)
    })
  }

  /** Results of this task cannot be compared here: everything is accepted from now on. */
  #giveUp (index: number): void {
    this.#verification = null
    this.#report('incomparable', { piece: index })
    const { task, scheduler } = this.#parts
    this.#awaiting.clear()
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
        accepts: (index, result) => verification.accepts(index, result),
        attested: statement => told(() => verification.attested(statement)),
        setMember: (key, trustedKey) => { told(() => { verification.setMember(key, trustedKey) }) },
        isMember: key => verification.trustedKeyOf(key) !== undefined,
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
      if (this.#needsBytes(index)) continue
      this.#awaiting.delete(index)
      this.check(index)
    }
  }

  checked (event: CheckedEvent): void { this.#report('checked', { ...event, ...this.#voucherOf(event.key) }) }

  suspected (key: string, reason: string): void { this.#report('suspected', { key, reason, ...this.#voucherOf(key) }) }

  excluded (key: string, reason: string): void {
    this.#report('excluded', { key, reason, ...this.#voucherOf(key) })
    // not now: it closes connections
    queueMicrotask(() => { this.#attestations?.exclude(key, reason) })
  }

  #voucherOf (key: string | null): { trustedKey?: string } {
    const trustedKey = key === null ? undefined : this.#verification?.trustedKeyOf(key)
    return trustedKey === undefined ? {} : { trustedKey }
  }

  /** Who attests the stored result of a piece, and is listened to. */
  attestersOf (index: number): Attester[] {
    const stored = this.#parts.results.own(index)
    const verification = this.#verification
    if (verification === null || stored === undefined) return []
    return verification.statementsOf(index)
      .filter(({ key, result }) => sameResult(result, stored) && !verification.isExcluded(key))
      .map(({ key }) => Object.assign(this.#voucherOf(key), { key }))
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
    const needsLook = own !== undefined && isAccepted && this.#verification?.needsLook(index) === true
    this.#parts.scheduler.checks.setLook(index, needsLook)
    const isSeen = this.#unseen.set(index, needsLook) && !needsLook
    if (own === undefined) this.#host.reconsider(index)
    else if (isNew || isSeen) this.#host.believed(index, isAccepted)
  }

  #keep (): void {
    this.#cancelKeeping = null
    if (this.#verification !== null) this.#parts.verifying?.keep?.(this.#verification.save())
  }
}

/**
 * Decides which results of one task are accepted here: keeps what keys attest, what was computed here, and the ledger
 * of the keys, asks for checks, and tells its host what changes. The room's entrance.
 *
 * Signatures and certificates were checked before they get here; keys are opaque strings. Nothing throws for what a
 * peer says. Portable: no file, clock, timer or random numbers of its own. Called by the session.
 */
import type { Result } from '../results/result.ts'
import type { Belief } from './belief.ts'
import { Checks, reasonOf } from './checks.ts'
import type { CheckKind } from './checks.ts'
import { Conduct } from './conduct.ts'
import { Known } from './known.ts'
import type { KeyRecord } from './ledger.ts'
import { admit } from './room.ts'
import { Sample } from './sample.ts'
import { restore, save } from './saved.ts'
import type { Saved } from './saved.ts'
import { SecondLooks } from './second-looks.ts'
import { statsOf } from './stats.ts'
import type { PieceState, Policy, Statement, VerificationHost, VerificationOptions, VerificationStats } from './types.ts'
import { Vetting } from './vetting.ts'

/** What is known of the results of one task, and which of them are accepted. */
export class Verification {
  readonly #ownKey: string | null
  readonly #host: VerificationHost
  readonly #known: Known
  readonly #conduct: Conduct
  readonly #vetting: Vetting
  /** null: the policy asks for none, or results cannot be compared */
  readonly #checks: Checks | null
  readonly #sample: Sample | null
  readonly #looks: SecondLooks

  constructor (options: VerificationOptions, host: VerificationHost) {
    const { pieceCount, policy, random, comparison = 'bytes' } = options
    this.#ownKey = options.ownKey
    this.#host = host
    this.#known = new Known(options)
    this.#conduct = new Conduct(this.#known, {
      touched: pieces => { for (const index of pieces) this.#refresh(index) },
      believedWrongly: record => { this.#believedWrongly(record) },
      contradiction: (index, isStrong) => { this.#checks?.hint(index, isStrong) },
      recheck: index => { host.check(index, 'hint') },
      suspected: (key, reason) => { host.suspected(key, reason) },
      excluded: (key, reason) => { host.excluded(key, reason) }
    })
    this.#vetting = new Vetting(random)
    const isAudit = policy.kind === 'audit' && comparison !== 'none'
    this.#checks = isAudit ? this.#createChecks(options) : null
    this.#sample = isAudit && policy.error !== undefined
      ? new Sample(pieceCount, policy.error, random, index => { this.#checks?.require(index) })
      : null
    this.#looks = new SecondLooks(this.#known, () => this.#checks?.items ?? 0)
  }

  get policy (): Policy { return this.#known.policy }
  /** 0 to 2: how much it takes until a new peer is believed. */
  get level (): number { return this.#known.levels.level }
  /** The share of the items that are checks while pieces are missing, 0 to 1; then, all that were asked for. */
  get checkShare (): number {
    if (this.#checks === null || this.#checks.openCount === 0) return 0
    return this.isSampling ? Math.max(0.5, this.#checks.share) : this.#checks.share
  }

  /** No check is to be computed any more, and the sample is satisfied or has failed. */
  get isSettled (): boolean { return !this.#known.rechecks.isOpen && !this.#checks?.openCount && !this.isSampling }

  /** The sample that was asked for is neither satisfied nor has it failed. */
  get isSampling (): boolean { return this.#sample?.isOpen === true }

  /**
   * `key` has shown a certificate by a trusted key, which was checked. With our own key: we are a member, and check
   * what others doubt before we compute.
   */
  setMember (key: string, trustedKey: string): void {
    if (this.#known.ledger.get(key)?.trustedKey === trustedKey) return
    const record = this.#known.ledger.openMember(key, trustedKey)
    if (record === undefined) return
    for (const index of record.pieces) {
      this.#conduct.settledByMember(index, record)
      this.#refresh(index)
    }
    this.#release()
  }

  isMember (key: string): boolean { return this.trustedKeyOf(key) !== undefined }
  /** The trusted key that certified this one. */
  trustedKeyOf (key: string): string | undefined { return this.#known.ledger.get(key)?.trustedKey ?? undefined }

  isExcluded (key: string): boolean { return this.#known.ledger.get(key)?.state === 'excluded' }
  /** A statement with a right signature. 'refused': no room, or nothing new is learnt by it. */
  attested ({ index, result, key, kind, isFirstHand = true }: Statement): 'new' | 'known' | 'refused' {
    const { ledger, statements } = this.#known
    if (!this.#known.isPiece(index) || key === this.#ownKey) return 'refused'
    const known = ledger.get(key)
    if (known?.state === 'excluded') return 'refused'
    const before = known && this.#known.entryOf(index, known)
    if (known !== undefined && before !== undefined) {
      if (before.variant === statements.variantOf(index, result)) return 'known'
      this.#conduct.exclude(known, `it attests two results of piece ${index}`)
      return 'new'
    }
    const record = admit(this.#known, index, result, key)
    if (record === undefined) return 'refused'
    const settled = this.#known.settled(index)
    const variant = statements.add(index, record, result, kind, settled === 0 && isFirstHand)
    record.pieces.push(index)
    if (statements.earner(index) === record) {
      record.firsts++
      if (record.trustedKey === null) this.#vetting.add(record)
    }
    this.#conduct.heard(index, record, variant, settled)
    this.#refresh(index)
    this.#release()
    return 'new'
  }

  /** What is known of a piece, for answers to `asks`: what members attest first. Bounded. */
  statementsOf (index: number): Statement[] {
    return this.#known.heard(index)
      .toSorted((a, b) => Number(b.key.trustedKey !== null) - Number(a.key.trustedKey !== null))
      .map(({ key: { key }, kind, variant }) => (
        { index, result: this.#known.statements.result(index, variant)!, key, kind }
      ))
  }

  /** Whether the result contradicts what somebody attests: compute it once more before calling `computed`. */
  contradicts (index: number, result: Result): boolean {
    const variant = this.#known.statements.variantOf(index, result)
    return this.#known.comparison === 'bytes' && this.#known.heard(index).some(entry => entry.variant !== variant)
  }

  /**
   * A command of ours (item or check) gave this result. With a compare command: `result` is the attested one that is
   * equal, if there is one; `unequal`: those that are not.
   */
  computed (index: number, result: Result, unequal: readonly Result[] = []): void {
    if (!this.#known.isPiece(index)) return
    const { statements, pieces } = this.#known
    const before = this.#known.belief(index).variant
    const kind = this.#checks?.openKind(index)
    const isSecond = kind === undefined && (before === 0 ? this.#known.hasVoices(index) : this.needsLook(index))
    this.#known.addUnequal(index, unequal)
    const variant = statements.number(index, result)
    const isRight = before === 0 ? null : this.#known.isRight(index, before, variant)
    pieces.own[index] = variant
    this.#known.rechecks.computed(index, this.contradicts(index, result))
    this.#checks?.computed(index, isSecond, before === 0 ? false : isRight === null ? null : !isRight)
    this.#vetting.ended(index)
    if (kind !== undefined || isSecond || isRight === false) this.#report(index, before, variant, kind)
    this.#conduct.settled(index, variant, before)
    this.#refresh(index)
    this.#release()
  }

  /** The piece cannot be computed here (its command fails): it is never checked, and no part of the sample. */
  abandoned (index: number): void {
    this.#known.rechecks.abandoned(index)
    this.#checks?.drop(index)
    this.#vetting.ended(index)
    this.#sample?.settled(index, null)
    this.#refresh(index)
    this.#release()
  }

  /** The verify command has decided about a result. `key`: who attested it. */
  judged (index: number, result: Result, isRight: boolean, key: string | null = null): void {
    if (!this.#known.isPiece(index)) return
    const { statements, pieces } = this.#known
    const before = this.#known.belief(index).variant
    const variant = isRight ? statements.number(index, result) : statements.variantOf(index, result)
    if (isRight) pieces.verified[index] = variant
    else if (variant !== 0 && pieces.verified[index] === variant) pieces.verified[index] = 0
    this.#conduct.judged(index, variant, isRight, before)
    this.#host.checked({ piece: index, right: isRight, by: 'verify', key })
    if (!isRight && variant !== 0 && pieces.stored[index] === variant) this.#host.refuted(index, null)
    this.#refresh(index)
    this.#release()
  }

  /** The verify command found the stored result right before any of this was known. */
  verified (index: number): void {
    this.#known.pieces.verified[index] = this.#known.pieces.stored[index]!
    this.#refresh(index)
  }

  /** What is stored here now; undefined: nothing. */
  stored (index: number, result: Result | undefined): void {
    if (!this.#known.isPiece(index)) return
    this.#known.pieces.stored[index] = result === undefined ? 0 : this.#known.statements.number(index, result)
    this.#refresh(index)
  }

  /** May this result be downloaded, announced, and finished into files? */
  accepts (index: number, result: Result): boolean {
    if (this.policy.kind === 'off') return true
    const { variant } = this.#known.belief(index)
    return variant !== 0 && variant === this.#known.statements.variantOf(index, result)
  }

  /** May it be downloaded? Also if it is not accepted, but ours will be compared with it by a command. */
  fetches (index: number, result: Result): boolean {
    return this.accepts(index, result) || this.#known.isQuoted(index, result)
  }

  /** The accepted result of the piece, which may not be stored yet; null: none is. */
  accepted (index: number): Result | null { return this.#known.result(index, this.#known.belief(index).variant) }
  /**
   * There is a result that is not accepted, by a key that is listened to: computing the piece is a second opinion. It
   * comes after the missing pieces and the checks.
   */
  needsSecond (index: number): boolean {
    const isAsked = this.policy.kind === 'audit' || this.policy.kind === 'quorum'
    return isAsked && this.#known.belief(index).variant === 0 && this.#known.hasVoices(index)
  }

  /** The result is accepted, but not made into files before one more peer has computed the piece. */
  needsLook (index: number): boolean { return this.#looks.needs(index) }

  stateOf (index: number): PieceState { return this.#known.pieces.stateOf(index) }
  stats (): VerificationStats { return statsOf(this.#known, this.#checks, this.#sample, this.#isMember()) }

  /** For the disk, or another policy: the ledger, the level, what was computed here, and the counts of checks. JSON. */
  save (): Saved { return save(this.#known, this.#checks, this.#sample) }

  /**
   * Takes back what `save` returned, after `stored` and before any attestation. Returns false, and takes nothing, if
   * any part of it is not as it must be.
   */
  restore (saved: unknown): boolean {
    if (!restore(saved, this.#known, this.#checks, this.#sample)) return false
    for (let index = 0; index < this.#known.pieceCount; index++) this.#refresh(index)
    return true
  }

  /** Asks for the checks and second looks that are within their limits now. */
  #release (): void {
    for (const index of this.#looks.updateAll()) this.#host.changed(index)
    this.#checks?.release()
  }

  #createChecks ({ pieceCount, random }: VerificationOptions): Checks {
    return new Checks(pieceCount, {
      level: () => this.level,
      keys: () => this.#known.ledger.accepted + 1,
      hasMembers: () => this.#known.ledger.members > 0,
      membersWithUs: () => this.#isMember() ? this.#known.ledger.members : 0,
      vet: () => this.#vetting.pick((index, record) => this.#isToVet(index, record)),
      isUseful: (index, kind) => this.#isUseful(index, kind),
      random,
      ask: (index, kind) => { this.#host.check(index, reasonOf(kind)) }
    })
  }

  #isMember (): boolean { return this.#ownKey !== null && this.isMember(this.#ownKey) }

  /** A check can be made, and teaches something: nobody whom we believe for certain knows the right result yet. */
  #isUseful (index: number, kind: CheckKind): boolean {
    const { pieces } = this.#known
    if (pieces.isOwn(index) || this.#known.rechecks.isAbandoned(index)) return false
    if (kind === 'hint' && !this.#known.isContradicted(index)) return false
    return kind === 'member' || this.#known.trusted(index) === 0
  }

  #isToVet (index: number, record: KeyRecord): boolean {
    return this.#checks?.openKind(index) === undefined && this.#isUseful(index, 'vet') &&
      this.#known.statements.earner(index) === record
  }

  #believedWrongly (record: KeyRecord): void {
    if (this.policy.kind !== 'audit') return
    const reason = this.#known.levels.found(record, this.#known.ledger.members > 0)
    if (reason === null) return
    this.#host.level(this.level, reason)
    for (let index = 0; index < this.#known.pieceCount; index++) this.#refresh(index)
  }

  #report (index: number, before: number, variant: number, kind: CheckKind | undefined): void {
    const attester = this.#known.attester(index, before)
    const right = this.#known.isRight(index, before === 0 ? this.#known.heard(index)[0]?.variant ?? 0 : before, variant)
    if (right === null) return
    const by = kind === undefined ? 'second' : reasonOf(kind)
    this.#host.checked({ piece: index, right, by, key: attester?.key ?? null })
  }

  /** Finds out again what is accepted of a piece, and tells the host what has changed. */
  #refresh (index: number): void {
    const { pieces } = this.#known
    const belief = this.#known.belief(index)
    const before = pieces.believed[index]!
    const isChanged = pieces.set(index, belief, this.#known.hasVoices(index), this.policy.kind === 'off')
    const isCertain = belief.by === 'own' || belief.by === 'verified' || belief.by === 'trusted'
    if (isCertain) this.#settle(index, belief, before)
    if (this.#looks.update(index) && !isChanged) this.#host.changed(index)
    if (!isChanged) return
    if (belief.variant !== 0 && belief.by !== 'own' && belief.by !== 'verified') this.#accept(index, belief)
    if (isCertain && pieces.stored[index] !== 0 && pieces.stored[index] !== belief.variant) {
      this.#host.refuted(index, this.#known.result(index, belief.variant))
    }
    this.#host.changed(index)
  }

  /** The right result of the piece is known for certain. */
  #settle (index: number, { variant }: Belief, before: number): void {
    this.#sample?.settled(index, before === 0 ? null : this.#known.isRight(index, before, variant))
    const kind = this.#checks?.openKind(index)
    if (kind === undefined || this.#isUseful(index, kind)) return
    this.#checks?.drop(index)
    this.#vetting.ended(index)
    this.#host.dropped(index)
  }

  /** A result of others is accepted from now on. */
  #accept (index: number, { variant, by }: Belief): void {
    this.#checks?.enter(index, variant, by === 'trusted', this.#known.accept(index, variant))
    if (by !== 'trusted') this.#sample?.attested(index)
  }
}

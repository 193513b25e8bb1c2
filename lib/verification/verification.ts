/**
 * Decides which results of one task are accepted here: keeps what keys attest, what was computed here, and the ledger
 * of the keys, and tells its host what changes. The room's entrance.
 *
 * Signatures and certificates were checked before they get here; keys are opaque strings. Nothing throws for what a
 * peer says. Portable: no file, clock, timer or random numbers of its own. Called by the session.
 */
import type { Result } from '../results/result.ts'
import { Conduct } from './conduct.ts'
import { Known } from './known.ts'
import { hasRecord } from './ledger.ts'
import type { KeyRecord } from './ledger.ts'
import type { Entry } from './statements.ts'
import type {
  CheckReason, PieceState, Policy, Statement, VerificationHost, VerificationOptions, VerificationStats
} from './types.ts'

/** What is known of the results of one task, and which of them are accepted. */
export class Verification {
  readonly #ownKey: string | null
  readonly #host: VerificationHost
  readonly #known: Known
  readonly #conduct: Conduct

  constructor (options: VerificationOptions, host: VerificationHost) {
    this.#ownKey = options.ownKey
    this.#host = host
    this.#known = new Known(options)
    this.#conduct = new Conduct(this.#known, {
      touched: pieces => { for (const index of pieces) this.#refresh(index) },
      believedWrongly: record => { this.#believedWrongly(record) },
      suspected: (key, reason) => { host.suspected(key, reason) },
      excluded: (key, reason) => { host.excluded(key, reason) }
    })
  }

  get policy (): Policy { return this.#known.policy }

  /** 0 to 2: how much it takes until a new peer is believed. */
  get level (): number { return this.#known.levels.level }

  /** The share of items that are to be checks while pieces are missing, from 0 to 1; 0: no check is open. */
  get checkShare (): number { return 0 }

  /** Second opinions (`needsSecond`) are within the cap now. */
  get maySecond (): boolean { return true }

  /** No check is to be computed any more, and the sample is satisfied or has failed. */
  get isSettled (): boolean { return true }

  /** A check that was asked for is still to be computed. */
  isCheckOpen (_index: number): boolean { return false }

  /** `key` has shown a certificate by a trusted key, which was checked. */
  setMember (key: string, trustedKey: string): void {
    if (this.#known.ledger.get(key)?.trustedKey === trustedKey) return
    const record = this.#known.ledger.openMember(key, trustedKey)
    if (record === undefined) return
    for (const index of record.pieces) {
      this.#conduct.settledByMember(index, record)
      this.#refresh(index)
    }
  }

  isMember (key: string): boolean { return this.#known.ledger.get(key)?.trustedKey != null }

  isExcluded (key: string): boolean { return this.#known.ledger.get(key)?.state === 'excluded' }

  /** A statement with a right signature. 'refused': no room, or nothing new is learnt by it. */
  attested ({ index, result, key, kind, isFirstHand = true }: Statement): 'new' | 'known' | 'refused' {
    const { ledger, statements } = this.#known
    if (!this.#known.isPiece(index) || key === this.#ownKey) return 'refused'
    const record = ledger.open(key)
    if (record === undefined || record.state === 'excluded') return 'refused'
    const before = this.#known.entryOf(index, record)
    if (before !== undefined) {
      if (before.variant === statements.variantOf(index, result)) return 'known'
      this.#conduct.exclude(record, `it attests two results of piece ${index}`)
      return 'new'
    }
    if (!this.#hasRoom(index, result, record)) return 'refused'
    const settled = this.#known.settled(index)
    const variant = statements.add(index, record.number, result, kind, settled === 0 && isFirstHand)
    record.pieces.push(index)
    if (statements.earner(index) === record.number) record.firsts++
    this.#conduct.heard(index, record, variant, settled)
    this.#refresh(index)
    return 'new'
  }

  /** What is known of a piece, for answers to `asks`: what members attest first. Bounded. */
  statementsOf (index: number): Statement[] {
    const { ledger, statements } = this.#known
    return this.#known.heard(index)
      .map(({ key, kind, variant }) => ({ kind, variant, record: ledger.at(key) }))
      .toSorted((a, b) => Number(b.record.trustedKey !== null) - Number(a.record.trustedKey !== null))
      .map(({ kind, variant, record: { key } }) => (
        { index, result: statements.result(index, variant)!, key, kind }
      ))
  }

  /** Whether the result contradicts what somebody attests: compute it once more before calling `computed`. */
  contradicts (index: number, result: Result): boolean {
    const variant = this.#known.statements.variantOf(index, result)
    return this.#known.comparison === 'bytes' && this.#known.heard(index).some(entry => entry.variant !== variant)
  }

  /** A command of ours (item or check) gave this result. */
  computed (index: number, result: Result): void {
    if (!this.#known.isPiece(index)) return
    const before = this.#known.belief(index).variant
    const isCheck = this.#known.heard(index).length > 0
    const variant = this.#known.statements.number(index, result)
    this.#known.pieces.own[index] = variant
    if (isCheck) this.#report(index, before, variant, 'second')
    if (this.#known.comparison === 'bytes') this.#conduct.settled(index, variant, before)
    this.#refresh(index)
  }

  /**
   * The verify command, or the compare command by what was computed here, has decided about a result.
   *
   * @param key who attested it
   */
  judged (index: number, result: Result, isRight: boolean, key: string | null = null): void {
    if (!this.#known.isPiece(index)) return
    const before = this.#known.belief(index).variant
    const variant = this.#known.statements.number(index, result)
    if (isRight) this.#known.pieces.verified[index] = variant
    else if (this.#known.pieces.verified[index] === variant) this.#known.pieces.verified[index] = 0
    this.#conduct.judged(index, variant, isRight, before)
    this.#host.checked({ piece: index, right: isRight, by: 'verify', key })
    if (!isRight && this.#known.pieces.stored[index] === variant) this.#host.refuted(index, null)
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

  /** The accepted result of the piece, which may not be stored yet; null: none is. */
  accepted (index: number): Result | null { return this.#known.result(index, this.#known.belief(index).variant) }

  /**
   * There is a result that is not accepted, by a key that is listened to: computing the piece is a second opinion. It
   * comes after the missing pieces, and only while `maySecond`.
   */
  needsSecond (index: number): boolean {
    return this.policy.kind !== 'off' && this.#known.belief(index).variant === 0 && this.#known.heard(index).length > 0
  }

  stateOf (index: number): PieceState { return this.#known.pieces.stateOf(index) }

  stats (): VerificationStats {
    const keys = [...this.#known.ledger]
    return {
      states: this.#known.pieces.counts(),
      lots: { drawn: 0, wrong: 0, open: 0, atMost: 1 },
      sample: null,
      excluded: keys.filter(key => key.state === 'excluded').length,
      suspected: keys.filter(key => key.state === 'suspended').length,
      members: this.#known.ledger.members,
      level: this.level
    }
  }

  /** Makes room by forgetting keys that are excluded, and, for a key that was checked, one that has no record. */
  #hasRoom (index: number, result: Result, record: KeyRecord): boolean {
    const { ledger, statements } = this.#known
    if (record.trustedKey !== null) return this.#hasRoomForMember(index, result, record.trustedKey)
    const isKept = (entry: Entry): boolean => ledger.at(entry.key).trustedKey !== null
    if (statements.hasRoom(index, result, isKept)) return true
    for (const entry of statements.entries(index)) {
      const other = ledger.at(entry.key)
      const isWorthLess = other.state === 'excluded' || (record.right > 0 && !hasRecord(other))
      if (isWorthLess && !isKept(entry)) statements.remove(index, entry.key)
    }
    return statements.hasRoom(index, result, isKept)
  }

  /** One attestation of each trusted key and result. */
  #hasRoomForMember (index: number, result: Result, trustedKey: string): boolean {
    const variant = this.#known.statements.variantOf(index, result)
    return !this.#known.statements.entries(index).some(entry => (
      entry.variant === variant && this.#known.ledger.at(entry.key).trustedKey === trustedKey
    ))
  }

  #believedWrongly (record: KeyRecord): void {
    if (this.policy.kind !== 'audit') return
    const reason = this.#known.levels.found(record, this.#known.ledger.members > 0)
    if (reason === null) return
    this.#host.level(this.level, reason)
    for (let index = 0; index < this.#known.pieceCount; index++) this.#refresh(index)
  }

  #report (index: number, before: number, variant: number, by: CheckReason): void {
    const attester = this.#known.attester(index, before)
    const right = before === 0 ? this.#known.heard(index)[0]?.variant === variant : before === variant
    this.#host.checked({ piece: index, right, by, key: attester?.key ?? null })
  }

  /** Finds out again what is accepted of a piece, and tells the host what has changed. */
  #refresh (index: number): void {
    const { pieces, statements, ledger } = this.#known
    const belief = this.#known.belief(index)
    const hasVoices = this.#known.heard(index).length > 0
    if (!pieces.set(index, belief, hasVoices, this.policy.kind === 'off')) return
    for (const entry of statements.entries(index)) {
      if (entry.variant === belief.variant) ledger.at(entry.key).hasAccepted = true
    }
    const isSettled = belief.by === 'own' || belief.by === 'verified' || belief.by === 'trusted'
    if (isSettled && pieces.stored[index] !== 0 && pieces.stored[index] !== belief.variant) {
      this.#host.refuted(index, this.#known.result(index, belief.variant))
    }
    this.#host.changed(index)
  }
}

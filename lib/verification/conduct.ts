/**
 * What attestations and computations teach about keys: who was right, wrong, confirmed; who is suspended or excluded.
 * Only an own or a trusted computation, a verify command, or two attestations by one key turn a key down. Pure. Called
 * by verification.ts.
 */
import { hasRecord, isChecked, isVouched } from './ledger.ts'
import type { KeyRecord } from './ledger.ts'
import type { Known } from './known.ts'
import type { Entry } from './statements.ts'

/** Right results after which a suspended key is believed again: a machine may err. */
const RIGHT_TO_RECOVER = 30
/**
 * From the second wrong result on, a key is excluded if these are more than this share of its results that were looked
 * at: more than of a machine that errs, less than of a liar that wants anything from its lies.
 */
const MAX_WRONG = 0.08

/** What a change of a key's record means for its pieces, and for the reader. */
export interface ConductHost {
  /** what is accepted of these pieces may have changed */
  touched (pieces: readonly number[]): void
  /** a result that was believed is wrong */
  believedWrongly (record: KeyRecord): void
  /** a key attests another result of the piece than others do, and nobody knows which one is right */
  contradiction (index: number, hasRecord: boolean): void
  /** what was computed here may be wrong: the piece is to be computed once more */
  recheck (index: number): void
  suspected (key: string, reason: string): void
  excluded (key: string, reason: string): void
}

/** Keeps the records of keys. */
export class Conduct {
  readonly #known: Known
  readonly #host: ConductHost

  constructor (known: Known, host: ConductHost) {
    this.#known = known
    this.#host = host
  }

  /**
   * A key has attested a result of a piece.
   *
   * @param settled the result that was right for certain before; 0: unknown
   */
  heard (index: number, record: KeyRecord, variant: number, settled: number): void {
    if (this.#known.comparison === 'none') return
    const others = this.#known.statements.entries(index).filter(entry => entry.key !== record)
    const differ = others.some(entry => entry.variant !== variant)
    if (this.#known.comparison === 'command') {
      const own = this.#known.pieces.own[index]!
      if (own !== 0 && this.#known.isRight(index, variant, own) === false) this.#caught(record, index, false)
      else if (!differ && others.length === 1) this.#confirmed(index, record, others[0]!)
      return
    }
    const isOwn = this.#known.pieces.isOwn(index)
    if (record.trustedKey !== null && !isOwn) return this.settledByMember(index, record)
    if (settled !== 0) {
      if (settled !== variant && !this.#mayErr(index, record)) this.#caught(record, index, false)
      return
    }
    if (differ) this.#contradicted(index, record, variant, others)
    else if (others.length === 1) this.#confirmed(index, record, others[0]!)
  }

  /** A key with a record contradicts what was computed here once: it is judged when that was done twice. */
  #mayErr (index: number, record: KeyRecord): boolean {
    const { pieces, rechecks } = this.#known
    if (pieces.own[index] === 0 || pieces.verified[index] !== 0 || rechecks.isSure(index)) return false
    if (!hasRecord(record) && record.trustedKey === null) return false
    if (rechecks.ask(index)) this.#host.recheck(index)
    return true
  }

  /** A member's attestation is a trusted computation: it tells who was right, unless we know it, or members differ. */
  settledByMember (index: number, record: KeyRecord): void {
    const variant = this.#known.entryOf(index, record)?.variant ?? 0
    const { pieces } = this.#known
    if (variant === 0 || pieces.isOwn(index) || this.#known.comparison !== 'bytes') return
    if (this.#known.trusted(index) === variant) this.settled(index, variant, pieces.believed[index]!)
  }

  /**
   * A result is right for certain, so what keys attested about the piece is right or wrong.
   *
   * @param before the result that was believed until now
   */
  settled (index: number, variant: number, before: number): void {
    const earner = this.#known.statements.earner(index)
    for (const entry of this.#known.statements.entries(index)) {
      const isRight = this.#known.isRight(index, entry.variant, variant)
      if (isRight === false) this.#caught(entry.key, index, entry.variant === before)
      else if (entry.variant === variant && entry.key === earner) this.#right(entry.key)
    }
  }

  /** The verify command, or the compare command, decided about one result. */
  judged (index: number, variant: number, isRight: boolean, before: number): void {
    const earner = this.#known.statements.earner(index)
    for (const entry of this.#known.statements.entries(index)) {
      if (entry.variant !== variant) continue
      if (isRight && entry.key === earner) this.#right(entry.key)
      if (!isRight) this.exclude(entry.key, `its result of piece ${index} is wrong`)
      if (!isRight && variant === before) this.#host.believedWrongly(entry.key)
    }
  }

  exclude (record: KeyRecord, reason: string): void {
    if (record.state === 'excluded') return
    this.#known.ledger.exclude(record)
    this.#host.excluded(record.key, reason)
    this.#changed(record)
  }

  #right (record: KeyRecord): void {
    if (record.state === 'excluded') return
    record.right++
    record.proven++
    // who was only contradicted would not have been suspended, had this been known before
    const needed = record.wrongAt.length === 0 ? 1 : RIGHT_TO_RECOVER
    const recovers = record.state === 'suspended' && record.right >= needed
    if (recovers) record.state = 'ok'
    if (recovers || record.right === 1) this.#changed(record)
  }

  /** A second key attests the same: counted for the first one only, as repeating is free. */
  #confirmed (index: number, record: KeyRecord, first: Entry): void {
    const confirmed = first.key
    if (this.#known.statements.earner(index) !== confirmed) return
    const [hadRecord, wasVouched] = [hasRecord(confirmed), isVouched(confirmed)]
    this.#known.ledger.vouch(record, confirmed)
    confirmed.confirmed++
    // else every piece would cost a look at all that its key attested
    if (hasRecord(confirmed) === hadRecord && isVouched(confirmed) === wasVouched) return
    this.#host.touched(confirmed.pieces)
  }

  /** A key that was checked contradicts keys that were not: it costs them nothing but a second attestation. */
  #contradicted (index: number, record: KeyRecord, variant: number, others: readonly Entry[]): void {
    // a key that was wrong before is no reason to look
    const isHint = others.some(({ key, variant: other }) => other !== variant && key.state === 'ok')
    if (isHint && record.state === 'ok') this.#host.contradiction(index, hasRecord(record))
    if (!isChecked(record)) return
    for (const entry of others) {
      const other = entry.key
      if (entry.variant === variant || other.right > 0 || other.state !== 'ok' || other.trustedKey !== null) continue
      this.#suspend(other, `a peer that was right before has another result of piece ${index}`)
      this.#host.believedWrongly(other)
    }
  }

  /** An own or trusted computation differs. */
  #caught (record: KeyRecord, index: number, wasBelieved: boolean): void {
    if (record.state === 'excluded' || record.wrongAt.includes(index)) return
    record.wrongAt.push(index)
    const reason = `its result of piece ${index} differs from what was computed`
    const { wrongAt, proven } = record
    record.right = 0
    if (wrongAt.length > 1 && wrongAt.length > MAX_WRONG * (wrongAt.length + proven)) this.exclude(record, reason)
    else this.#suspend(record, reason)
    if (wasBelieved) this.#host.believedWrongly(record)
  }

  #suspend (record: KeyRecord, reason: string): void {
    if (record.state !== 'ok') return
    record.state = 'suspended'
    record.right = 0
    this.#known.ledger.hasCulprit = true
    this.#host.suspected(record.key, reason)
    this.#changed(record)
  }

  /** Whether the key is believed has changed, and by it perhaps whether those are for which it vouches. */
  #changed (record: KeyRecord): void {
    this.#host.touched(record.pieces)
    for (const other of record.vouchedFor) this.#host.touched(other.pieces)
  }
}

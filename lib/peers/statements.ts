/**
 * The attestations that are known here, ours and those of others, with their signatures. Bounded: what is kept of a
 * piece is decided by the verification, and never more than MAX_KEPT. Called by attestation-exchange.ts.
 */
import type { AttestationRecord, LocalTask, StatementRecord } from '../../extensions/ut_bitworker/index.ts'
import { packAttestation, readAttestation } from '../../extensions/ut_bitworker/index.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { StatementLog } from '../store/types.ts'
import { attest } from '../trust/attest.ts'
import type { Signer } from '../trust/attest.ts'

/** Attestations of others that are kept of a piece: two results × 3 keys, and some of trusted keys. */
const MAX_KEPT = 16
/** Attestations in one answer. */
const MAX_ANSWER = 4
/** Own attestations that need not be read again: those that are about to be announced to all peers. */
const MAX_RECENT = 256

/** The statements of one task. */
export class Statements {
  readonly #task: LocalTask
  readonly #signer: Signer
  readonly #log: StatementLog
  /** by piece: number of attestations kept, and whether one of them is ours */
  readonly #counts: Uint8Array
  readonly #isOwn: Uint8Array
  readonly #recent = new Map<number, AttestationRecord>()
  /** pieces of which an attestation waits for the check of its signature */
  readonly unchecked = new Counted()

  constructor ({ task, signer, log }: { task: LocalTask, signer: Signer, log: StatementLog }) {
    this.#task = task
    this.#signer = signer
    this.#log = log
    this.#counts = new Uint8Array(task.pieceCount)
    this.#isOwn = new Uint8Array(task.pieceCount)
    for (const { index, key } of this.all()) this.#note(index, key)
  }

  /** All that are kept. */
  * all (): Generator<AttestationRecord> {
    for (const bytes of this.#log.all()) {
      const record = readAttestation(bytes, this.#task)
      if (record !== null) yield record
    }
  }

  /** Those of one piece, in the order in which they came. */
  of (index: number): AttestationRecord[] {
    if (this.#counts[index] === 0) return []
    return this.#log.of(index).flatMap(bytes => readAttestation(bytes, this.#task) ?? [])
  }

  /** the number of attestations of the piece */
  count (index: number): number { return this.#counts[index]! }

  has (record: AttestationRecord): boolean {
    return this.of(record.index).some(known => known.key === record.key && sameResult(known, record))
  }

  isAttested (index: number, result: Result): boolean {
    return this.of(index).some(known => sameResult(known, result))
  }

  /** Our attestation of the piece. */
  own (index: number): AttestationRecord | undefined {
    if (this.#isOwn[index] === 0) return undefined
    const recent = this.#recent.get(index)
    return recent ?? this.of(index).find(({ key }) => key === this.#signer.key)
  }

  /**
   * Signs a statement of ours, and keeps it: it is on disk before anybody can see it. Null if another result of the
   * piece was attested before, or if it cannot be written.
   */
  sign (statement: StatementRecord): AttestationRecord | null {
    const { index } = statement
    if (this.#isOwn[index] !== 0) {
      const own = this.own(index)
      return own !== undefined && sameResult(own, statement) ? own : null
    }
    const record = attest(this.#task.digest, statement, this.#signer)
    if (!this.#write(record)) return null
    if (this.#recent.size >= MAX_RECENT) this.#recent.delete(this.#recent.keys().next().value!)
    this.#recent.set(index, record)
    return record
  }

  /** Keeps an attestation of another key. False if there is no room. */
  add (record: AttestationRecord): boolean {
    return this.#counts[record.index]! < MAX_KEPT && this.#write(record)
  }

  /**
   * The attestations to answer a question with: the one that goes with the own result, then those of members, then
   * those of other results.
   */
  choose (index: number, own: Result | undefined, isMember: (key: string) => boolean): AttestationRecord[] {
    const rest = this.of(index)
    const chosen: AttestationRecord[] = []
    const take = (fits: (record: AttestationRecord) => boolean, most: number): void => {
      for (const record of rest) {
        if (most === 0 || chosen.length === MAX_ANSWER) return
        if (chosen.includes(record) || !fits(record)) continue
        chosen.push(record)
        most--
      }
    }
    if (own !== undefined) take(record => sameResult(record, own), 1)
    take(({ key }) => isMember(key), Infinity)
    take(record => !chosen.some(each => sameResult(each, record)), Infinity)
    return chosen
  }

  #write (record: AttestationRecord): boolean {
    try {
      this.#log.add(record.index, packAttestation(record))
    } catch {
      return false // a full disk, for example: it is as if it had never been heard
    }
    this.#note(record.index, record.key)
    return true
  }

  #note (index: number, key: string): void {
    this.#counts[index] = Math.min(255, this.#counts[index]! + 1)
    if (key === this.#signer.key) this.#isOwn[index] = 1
  }
}

/** Counts how often each piece was added and not deleted since. */
class Counted {
  readonly #counts = new Map<number, number>()

  has (index: number): boolean { return this.#counts.has(index) }

  add (index: number): void { this.#counts.set(index, (this.#counts.get(index) ?? 0) + 1) }

  delete (index: number): void {
    const count = (this.#counts.get(index) ?? 0) - 1
    if (count > 0) this.#counts.set(index, count)
    else this.#counts.delete(index)
  }
}

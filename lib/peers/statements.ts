/**
 * The attestations that are known here, ours and those of others, with their signatures. Bounded: what is kept of a
 * piece is decided by the verification, and never more than MAX_KEPT. Called by attestation-exchange.ts.
 */
import { BATCH_RESULTS } from '../../extensions/ut_bitworker/constants.ts'
import type { AttestationRecord, LocalTask, ResultRecord, StatementRecord } from '../../extensions/ut_bitworker/index.ts'
import { packKept, readKept } from '../../extensions/ut_bitworker/index.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { StatementLog } from '../store/types.ts'
import { attest } from '../trust/attest.ts'
import type { Signer } from '../trust/attest.ts'
import { signBatch } from '../trust/batch.ts'

/** Attestations of others that are kept of a piece: two results × 3 keys, and some of trusted keys. */
const MAX_KEPT = 16
/** Attestations in one answer. */
const MAX_ANSWER = 4
/** Pieces whose attestations need not be read again: those that are being announced. */
const MAX_RECENT = 256

/** Own results that wait for a signature: peers are told of them in some milliseconds, if there are any. */
const MAX_PENDING = 64

const NONE: readonly AttestationRecord[] = []

/** The statements of one task. */
export class Statements {
  readonly #task: LocalTask
  readonly #signer: Signer
  readonly #log: StatementLog
  /** by piece: number of attestations kept, and whether one of them is ours */
  readonly #counts: Uint8Array
  readonly #isOwn: Uint8Array
  readonly #batches = new Map<number, readonly AttestationRecord[]>()
  /** all attestations of the pieces that were first heard of lately: they need not be read again */
  readonly #lately = new Map<number, AttestationRecord[]>()
  /** own statements to be signed together: nobody has seen them yet */
  readonly #pending = new Map<number, StatementRecord>()

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
      const record = readKept(bytes, this.#task)
      if (record !== null) yield record
    }
  }

  /** Those of one piece, in the order in which they came. */
  of (index: number): AttestationRecord[] {
    if (this.#counts[index] === 0) return []
    const lately = this.#lately.get(index)
    if (lately !== undefined) return [...lately]
    return this.#log.of(index).flatMap(bytes => readKept(bytes, this.#task) ?? [])
  }

  /** the number of attestations of the piece */
  count (index: number): number { return this.#counts[index]! }

  has ({ index, key, ...result }: ResultRecord & { key: string }): boolean {
    return this.of(index).some(known => known.key === key && sameResult(known, result))
  }

  isAttested (index: number, result: Result): boolean {
    return this.of(index).some(known => sameResult(known, result))
  }

  /** Our attestation of the piece, if it is signed. */
  own (index: number): AttestationRecord | undefined {
    if (this.#isOwn[index] === 0) return undefined
    return this.of(index).find(({ key }) => key === this.#signer.key)
  }

  /** Our attestations that were signed together with that of this piece, lately; otherwise none. */
  batchOf (index: number): readonly AttestationRecord[] { return this.#batches.get(index) ?? NONE }

  /** The attestation for a peer that reads no branches; null: it cannot be told. */
  alone (record: AttestationRecord): AttestationRecord | null {
    const { branch, ...alone } = record
    if (branch === undefined) return record
    return record.key === this.#signer.key ? attest(this.#task.digest, alone, this.#signer) : null
  }

  /**
   * Signs a statement of ours, and keeps it: it is on disk before anybody can see it. Null if another result of the
   * piece was attested before, or if it cannot be written.
   */
  sign (statement: StatementRecord): AttestationRecord | null {
    const { index } = statement
    this.signPending(pending => pending === index)
    if (this.#isOwn[index] !== 0) {
      const own = this.own(index)
      return own !== undefined && sameResult(own, statement) ? own : null
    }
    const record = attest(this.#task.digest, statement, this.#signer)
    return this.#keepOwn([record]) ? record : null
  }

  /**
   * Like `sign`, but later, together with others: by `signPending`, or when many wait. Returns false if another result
   * of the piece was attested before.
   */
  signLater (statement: StatementRecord): boolean {
    const { index } = statement
    const pending = this.#pending.get(index)
    if (pending !== undefined) return sameResult(pending, statement)
    if (this.#isOwn[index] !== 0) return this.sign(statement) !== null
    this.#pending.set(index, statement)
    if (this.#pending.size === MAX_PENDING) this.signPending()
    return true
  }

  /** Signs what waits for it, of the pieces for which `fits`, together. What cannot be written is not attested. */
  signPending (fits: (index: number) => boolean = () => true): void {
    if (this.#pending.size === 0) return
    const statements = [...this.#pending.values()].filter(({ index }) => fits(index))
    for (const { index } of statements) this.#pending.delete(index)
    const { digest } = this.#task
    for (let at = 0; at < statements.length; at += BATCH_RESULTS) {
      const some = statements.slice(at, at + BATCH_RESULTS)
      this.#keepOwn(some.length > 1 ? signBatch(digest, some, this.#signer) : [attest(digest, some[0]!, this.#signer)])
    }
  }

  /** Keeps attestations of another key. Returns those for which there is room. */
  add (records: readonly AttestationRecord[]): readonly AttestationRecord[] {
    const kept = records.filter(({ index }) => this.#counts[index]! < MAX_KEPT)
    return this.#write(kept) ? kept : NONE
  }

  #keepOwn (records: readonly AttestationRecord[]): boolean {
    if (!this.#write(records)) return false
    if (records.length > 1) for (const { index } of records) remember(this.#batches, index, records)
    return true
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

  #write (records: readonly AttestationRecord[]): boolean {
    try {
      if (records.length > 0) this.#log.add(...records.map(packKept))
    } catch {
      return false // a full disk, for example: it is as if they had never been heard
    }
    for (const record of records) {
      const { index, key } = record
      if (this.#counts[index] === 0) remember(this.#lately, index, [record])
      else this.#lately.get(index)?.push(record)
      this.#note(index, key)
    }
    return true
  }

  #note (index: number, key: string): void {
    this.#counts[index] = Math.min(255, this.#counts[index]! + 1)
    if (key === this.#signer.key) this.#isOwn[index] = 1
  }
}

function remember<T> (map: Map<number, T>, index: number, value: T): void {
  if (map.size >= MAX_RECENT) map.delete(map.keys().next().value!)
  map.set(index, value)
}

/**
 * Sends attestations to the connected peers, within the limits of each connection, and answers their questions. Called
 * by attestation-exchange.ts.
 */
import {
  ATTESTATION_BURST, ATTESTATIONS_PER_SECOND, MAX_RECORDS, MEMBER_ATTESTATION_BURST, MEMBER_ATTESTATIONS_PER_SECOND
} from '../../extensions/ut_bitworker/constants.ts'
import type { AttestationRecord, ResultRecord, Signed } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'
import type { Statements } from './statements.ts'
import type { TaskPeer } from './task-peer.ts'

/** Pieces that one peer may have asked us for and not been answered yet. */
const MAX_ASKS = 2_048
/** Time between answers to a peer that has asked for more than the limits allow at once. */
const ANSWER_MS = 250

/** What the sender is told by its owner. */
export interface SenderHost {
  /** the attestations to answer with */
  choose (index: number): AttestationRecord[]
  /** an attestation by this key is about to be sent */
  vouch (peer: TaskPeer, key: string): void
  /** null: not open yet */
  statements (): Statements | null
}

interface Recipient { bucket: TokenBucket, isFellow: boolean, readonly asks: Set<number> }

/** What is sent to the peers of one task. */
export class AttestationSender {
  readonly #clock: Clock
  readonly #host: SenderHost
  readonly #recipients = new Map<TaskPeer, Recipient>()
  #cancel: (() => void) | null = null
  #isClosed = false

  constructor (clock: Clock, host: SenderHost) {
    this.#clock = clock
    this.#host = host
  }

  add (peer: TaskPeer): void {
    const bucket = new TokenBucket(ATTESTATIONS_PER_SECOND, ATTESTATION_BURST, this.#clock.now())
    this.#recipients.set(peer, { bucket, isFellow: false, asks: new Set() })
  }

  /** The peer and we are members of one trusted key, and have shown it. */
  setFellow (peer: TaskPeer): void {
    const recipient = this.#recipients.get(peer)
    if (recipient === undefined || recipient.isFellow) return
    recipient.isFellow = true
    recipient.bucket = new TokenBucket(MEMBER_ATTESTATIONS_PER_SECOND, MEMBER_ATTESTATION_BURST, this.#clock.now())
    this.#answer(peer, recipient)
  }

  remove (peer: TaskPeer): void { this.#recipients.delete(peer) }

  close (): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  /**
   * Signs results of ours that are about to be sent to the peer, and returns them with their attestations, as many as
   * the limits allow.
   */
  signed (peer: TaskPeer, results: ResultRecord[]): Signed {
    const signed: Signed = { results: [], attestations: [], batches: [] }
    const rest = new Map(results.map(result => [result.index, result]))
    const statements = this.#host.statements()
    statements?.signPending(index => rest.has(index))
    const mayBatch = results.length <= MAX_RECORDS && peer.ext.state.signing.readsBatches
    for (const result of results) {
      const own = rest.has(result.index) ? statements?.own(result.index) : undefined
      if (own === undefined || !sameResult(own, result)) continue
      const batch = mayBatch ? statements!.batchOf(result.index) : []
      if (batch.length > 0 && batch.every(each => isSame(each, rest.get(each.index)))) {
        if (!this.#take(peer, batch.length)) break
        signed.batches.push({ count: batch.length, signature: own.signature })
        signed.results.push(...batch.map(({ index }) => rest.get(index)!))
        for (const { index } of batch) rest.delete(index)
      } else {
        const record = this.#legible(peer, own)
        if (record === null || !this.#take(peer, 1)) break
        signed.attestations.push(record)
      }
    }
    signed.results.push(...rest.values())
    return signed
  }

  #take (peer: TaskPeer, count: number): boolean {
    return this.#recipients.get(peer)?.bucket.takeAll(count, this.#clock.now()) === true
  }

  /** The attestation in a form that the peer reads; null: there is none. */
  #legible (peer: TaskPeer, record: AttestationRecord): AttestationRecord | null {
    return peer.ext.state.signing.readsBatches ? record : this.#host.statements()?.alone(record) ?? null
  }

  /** Tells all peers, but not its sender, nor those that its sender tells. */
  passOn (record: AttestationRecord, from: TaskPeer | null): void {
    for (const [peer, recipient] of this.#recipients) {
      if (peer === from || from?.isConnectedTo(peer) === true) continue
      if (!this.#send(peer, recipient, [record])) this.#later(recipient, record.index)
    }
  }

  /** The peer asks for the attestations of these pieces. */
  asked (peer: TaskPeer, indices: number[]): void {
    const recipient = this.#recipients.get(peer)
    if (recipient === undefined) return
    for (const index of indices) if (recipient.asks.size < MAX_ASKS) recipient.asks.add(index)
    this.#answer(peer, recipient)
  }

  #later ({ asks }: Recipient, index: number): void {
    if (asks.size < MAX_ASKS) asks.add(index)
    if (this.#isClosed) return
    this.#cancel ??= this.#clock.after(ANSWER_MS, () => {
      this.#cancel = null
      for (const [peer, recipient] of this.#recipients) this.#answer(peer, recipient)
    }, { unref: true })
  }

  #answer (peer: TaskPeer, recipient: Recipient): void {
    // results that were announced before the peer's key was known have not been signed yet
    this.#host.statements()?.signPending(index => recipient.asks.has(index))
    for (const index of recipient.asks) {
      const records = this.#host.choose(index)
      if (!this.#send(peer, recipient, records)) return this.#later(recipient, index)
      recipient.asks.delete(index)
    }
  }

  /** Sends all of the records, or none. */
  #send (peer: TaskPeer, { bucket }: Recipient, all: AttestationRecord[]): boolean {
    const records = all.flatMap(record => this.#legible(peer, record) ?? [])
    if (records.length === 0) return true
    if (!bucket.takeAll(records.length, this.#clock.now())) return false
    for (const { key } of records) this.#host.vouch(peer, key)
    peer.ext.attest(records)
    return true
  }
}

function isSame (attested: Result, announced: Result | undefined): boolean {
  return announced !== undefined && sameResult(attested, announced)
}

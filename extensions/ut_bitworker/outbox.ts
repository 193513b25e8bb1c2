/**
 * The queue of one connection until the next flush. Pure. A later statement about a piece replaces the queued one, so
 * the queue never has more than a few records per piece, however long the peer makes us wait. Called by extension.ts.
 */
import type { Message } from './codec.ts'
import type { AttestationRecord, MemberRecord } from './attestation-records.ts'
import type { FailureRecord } from './failure-records.ts'
import type { ResultRecord } from './record-fields.ts'
import type { ClaimRecord, RelayRecord, WithdrawalRecord } from './records.ts'

/** The content of one flush: the message is sent first, then a `have` for each of `haves`. */
export interface Batch { message: Message, haves: number[] }

interface Queued<T> { record: T, queuedAt: number }

/** The queue of one connection. */
export class Outbox {
  readonly #results = new Map<number, ResultRecord>()
  readonly #haves = new Set<number>()
  readonly #claims = new Map<number, Queued<ClaimRecord>>()
  readonly #backups = new Map<number, Queued<ClaimRecord>>()
  readonly #releases = new Set<number>()
  /** by claimant, then piece: building one key of both would take longer than everything else here */
  readonly #relays = new Map<string, Map<number, Queued<RelayRecord>>>()
  readonly #withdrawals = new Map<string, Set<number>>()
  /** peer id → whether we are connected to it */
  readonly #neighbours = new Map<string, boolean>()
  #sealed: string | null = null
  #proof: Uint8Array | null = null
  readonly #members: MemberRecord[] = []
  readonly #attestations: AttestationRecord[] = []
  readonly #asks = new Set<number>()
  readonly #failures = new Map<number, FailureRecord>()

  get isEmpty (): boolean {
    return this.#results.size + this.#haves.size + this.#claims.size + this.#backups.size + this.#releases.size +
      this.#relays.size + this.#withdrawals.size + this.#neighbours.size + this.#members.length +
      this.#attestations.length + this.#asks.size + this.#failures.size === 0 && this.#sealed === null &&
      this.#proof === null
  }

  announce (results: Iterable<ResultRecord>, haves: Iterable<number>): void {
    for (const result of results) {
      this.#results.set(result.index, result)
      this.#claims.delete(result.index) // a result ends the claim
      this.#backups.delete(result.index)
    }
    for (const index of haves) this.#haves.add(index)
  }

  /** @param now milliseconds; the elapsed time of a claim is computed when it is sent, not when it is queued */
  claim (claims: Iterable<ClaimRecord>, now: number, { isBackup = false } = {}): void {
    const queue = isBackup ? this.#backups : this.#claims
    for (const claim of claims) queue.set(claim.index, { record: claim, queuedAt: now })
  }

  release (indices: Iterable<number>): void {
    for (const index of indices) {
      this.#claims.delete(index)
      this.#backups.delete(index)
      this.#releases.add(index)
    }
  }

  relay (relays: Iterable<RelayRecord>, now: number): void {
    for (const record of relays) {
      const queue = this.#relays.get(record.peerId)
      if (queue === undefined) this.#relays.set(record.peerId, new Map([[record.index, { record, queuedAt: now }]]))
      else queue.set(record.index, { record, queuedAt: now })
    }
  }

  withdraw (withdrawals: Iterable<WithdrawalRecord>): void {
    for (const { index, peerId } of withdrawals) {
      this.#relays.get(peerId)?.delete(index)
      const indices = this.#withdrawals.get(peerId)
      if (indices === undefined) this.#withdrawals.set(peerId, new Set([index]))
      else indices.add(index)
    }
  }

  /** Records that we connected to the peer (hex peer id), or disconnected from it. */
  setNeighbour (peerId: string, isConnected: boolean): void { this.#neighbours.set(peerId, isConnected) }

  /** Records that the task is sealed (hex info-hash). */
  seal (infoHash: string): void { this.#sealed = infoHash }

  /** Records that we prove our key (signature, 64 bytes). */
  prove (proof: Uint8Array): void { this.#proof = proof }

  certify (members: Iterable<MemberRecord>): void { this.#members.push(...members) }

  attest (attestations: Iterable<AttestationRecord>): void { this.#attestations.push(...attestations) }

  ask (indices: Iterable<number>): void { for (const index of indices) this.#asks.add(index) }

  giveUp (failures: Iterable<FailureRecord>): void {
    for (const failure of failures) this.#failures.set(failure.index, failure)
  }

  /** Returns everything queued, and empties the queue. */
  take (now: number): Batch {
    const message: Message = {}
    if (this.#neighbours.size > 0) {
      Object.assign(message, { neighbours: this.#neighboursThat(true), parted: this.#neighboursThat(false) })
    }
    if (this.#proof !== null) message.proof = [this.#proof]
    if (this.#members.length > 0) message.members = [...this.#members]
    if (this.#attestations.length > 0) message.attestations = [...this.#attestations]
    if (this.#results.size > 0) message.results = [...this.#results.values()]
    if (this.#releases.size > 0) message.releases = [...this.#releases]
    if (this.#withdrawals.size > 0) message.withdrawals = [...withdrawalsOf(this.#withdrawals)]
    if (this.#claims.size > 0) message.claims = aged(this.#claims, now)
    if (this.#backups.size > 0) message.backups = aged(this.#backups, now)
    if (this.#relays.size > 0) message.relays = [...this.#relays.values()].flatMap(queue => aged(queue, now))
    if (this.#sealed !== null) message.sealed = [this.#sealed]
    if (this.#asks.size > 0) message.asks = [...this.#asks]
    if (this.#failures.size > 0) message.failures = [...this.#failures.values()]
    const batch = { message, haves: [...this.#haves] }
    this.clear()
    return batch
  }

  clear (): void {
    this.#sealed = null
    this.#proof = null
    this.#members.length = 0
    this.#attestations.length = 0
    for (const queue of [
      this.#results,
      this.#haves,
      this.#claims,
      this.#backups,
      this.#releases,
      this.#relays,
      this.#withdrawals,
      this.#neighbours,
      this.#asks,
      this.#failures
    ])
      queue.clear()
  }

  #neighboursThat (areConnected: boolean): string[] {
    return [...this.#neighbours].filter(([, isConnected]) => isConnected === areConnected).map(([peerId]) => peerId)
  }
}

function * withdrawalsOf (queue: ReadonlyMap<string, ReadonlySet<number>>): Generator<WithdrawalRecord> {
  for (const [peerId, indices] of queue) for (const index of indices) yield { index, peerId }
}

function aged<T extends ClaimRecord> (queue: ReadonlyMap<unknown, Queued<T>>, now: number): T[] {
  return Array.from(queue.values(), ({ record, queuedAt }) => ({
    ...record, elapsedMs: record.elapsedMs + now - queuedAt
  }))
}

/**
 * Checks the signatures of attestations, when it is their sender's turn. Called by attestation-exchange.ts.
 */
import type { AttestationRecord, LocalTask, ReceivedBatch } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { SignatureCheck } from '../trust/attest.ts'
import { openBatch, signedBytes } from '../trust/batch.ts'
import { SignatureQueues } from './signature-queue.ts'
import type { TaskPeer } from './task-peer.ts'

/** Signatures of batches that were right: their branches may come one by one. */
const MAX_KNOWN = 1_024

/** What the checks are made with. */
export interface ChecksParts {
  readonly task: LocalTask
  readonly clock: Clock
  readonly isSignature: SignatureCheck
}

/** What has become of the attestations. */
export interface Outcome {
  right (records: readonly AttestationRecord[]): void
  wrong (): void
  /** they were not checked: there was no room, or the peer has left */
  dropped (): void
}

/** The checks of one task. */
export class AttestationChecks {
  readonly #parts: ChecksParts
  readonly #queues: SignatureQueues
  /** by piece: number of attestations that wait */
  readonly #waiting = new Map<number, number>()
  readonly #known = new Set<string>()

  constructor (parts: ChecksParts) {
    this.#parts = parts
    this.#queues = new SignatureQueues(parts.clock)
  }

  /** An attestation of the piece is still to be checked. */
  isWaiting (index: number): boolean { return this.#waiting.has(index) }

  one (peer: TaskPeer, record: AttestationRecord, outcome: Outcome): void {
    this.#add(peer, [record.index], () => this.#isRight(record) ? [record] : null, outcome)
  }

  /** All of the batch by one signature, that of the key that the peer has told. */
  batch (peer: TaskPeer, { results, signature }: ReceivedBatch, key: string, outcome: Outcome): void {
    const { task, isSignature } = this.#parts
    const open = (): AttestationRecord[] | null => openBatch(task.digest, { results, key, signature }, isSignature)
    this.#add(peer, results.map(({ index }) => index), open, outcome)
  }

  /** The peer has left: what waits of it is dropped. */
  remove (peer: TaskPeer): void { this.#queues.remove(peer) }

  close (): void { this.#queues.close() }

  #add (peer: TaskPeer, indices: number[], open: () => AttestationRecord[] | null, outcome: Outcome): void {
    for (const index of indices) this.#waiting.set(index, (this.#waiting.get(index) ?? 0) + 1)
    const drop = (): void => {
      this.#ended(indices)
      outcome.dropped()
    }
    const run = (): void => {
      if (peer.wire.destroyed) return drop()
      this.#ended(indices)
      const records = open()
      if (records === null) outcome.wrong()
      else outcome.right(records)
    }
    this.#queues.of(peer.ext.state.signing).add(peer, { run, drop })
  }

  #ended (indices: number[]): void {
    for (const index of indices) {
      const count = (this.#waiting.get(index) ?? 0) - 1
      if (count > 0) this.#waiting.set(index, count)
      else this.#waiting.delete(index)
    }
  }

  #isRight (record: AttestationRecord): boolean {
    const { task, isSignature } = this.#parts
    const { key, signature, branch } = record
    const message = signedBytes(task.digest, record)
    if (branch === undefined) return isSignature(key, message, signature)
    const id = `${key}${Buffer.concat([message, signature]).toString('latin1')}`
    if (this.#known.has(id)) return true
    if (!isSignature(key, message, signature)) return false
    if (this.#known.size >= MAX_KNOWN) this.#known.delete(this.#known.values().next().value!)
    this.#known.add(id)
    return true
  }
}

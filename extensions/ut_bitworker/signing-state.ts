/**
 * What the peer of one connection has signed or vouched for: its key, and how many records it may still send. Pure, a
 * part of state.ts. Signatures are not checked here.
 */
import { equalBytes, hexOf } from '../../lib/base/digest.ts'
import { TokenBucket } from '../../lib/base/token-bucket.ts'
import {
  ATTESTATION_BURST, ATTESTATIONS_PER_SECOND, KEY_BYTES, MAX_MEMBERS, MEMBER_ATTESTATION_BURST,
  MEMBER_ATTESTATIONS_PER_SECOND, NONCE_BYTES
} from './constants.ts'
import type { AttestationRecord, MemberRecord, ReceivedBatch } from './attestation-records.ts'
import type { PeerEvent } from './peer-events.ts'
import type { Records } from './records.ts'

/** What a side of a connection says of itself in the extended handshake. */
export interface WireIdentity {
  /** peer key, 64 hex digits */
  key: string
  /** 16 random bytes, new for each connection */
  nonce: Uint8Array
}

/** The peer's key and the records that depend on it. */
export class SigningState {
  /** what we say of ourselves; null: nothing, and what peers sign is ignored */
  own: WireIdentity | null = null
  /** what the peer says of itself; not proved by that */
  peer: WireIdentity | null = null
  /** it reads `batches` and `branches` */
  readsBatches = false
  /** its proof of the key, a signature of 64 bytes, not checked; null: it has sent none */
  proof: Uint8Array | null = null
  /** certificates that it has sent, not checked */
  readonly members: MemberRecord[] = []
  #attestations: TokenBucket | null = null
  #isMember = false

  /** The peer's handshake names a key. It never changes. */
  onIdentity (identity: WireIdentity): PeerEvent[] {
    if (this.peer === null) {
      this.peer = identity
      return [{ type: 'key' }]
    }
    if (this.peer.key === identity.key && equalBytes(this.peer.nonce, identity.nonce)) return []
    return [{ type: 'violation', reason: 'handshake: another key or nonce than before' }]
  }

  /** Records of one message, before its results. */
  onRecords (records: Records, now: number): PeerEvent[] {
    const { proof = [], members = [], attestations = [], branches = [], batches = [], results = [] } = records
    if (this.own === null) return []
    const events: PeerEvent[] = []
    if (proof.length > 0 && this.peer !== null && this.proof === null) {
      this.proof = proof[0]!
      events.push({ type: 'proof', proof: this.proof })
    }
    const certificates = members.slice(0, MAX_MEMBERS - this.members.length)
    this.members.push(...certificates)
    if (certificates.length > 0) events.push({ type: 'members', members: certificates })
    const single: AttestationRecord[] = [...attestations, ...branches]
    const allowed = single.length === 0 ? 0 : this.#bucket(now).takeUpTo(single.length, now)
    if (allowed > 0) events.push({ type: 'attestations', attestations: single.slice(0, allowed) })
    const received: ReceivedBatch[] = []
    let at = 0
    for (const { count, signature } of batches) {
      if (this.#bucket(now).takeAll(count, now)) received.push({ results: results.slice(at, at + count), signature })
      at += count
    }
    if (received.length > 0) events.push({ type: 'batches', batches: received })
    return events
  }

  /** The peer has proved the key of a member. */
  get isMember (): boolean { return this.#isMember }

  /** From now on it may send as many attestations as a member. */
  setMember (): void {
    if (!this.#isMember) this.#attestations = null
    this.#isMember = true
  }

  /** how many attestations it may send; each result of a batch counts as one */
  #bucket (now: number): TokenBucket {
    const [perSecond, burst] = this.#isMember
      ? [MEMBER_ATTESTATIONS_PER_SECOND, MEMBER_ATTESTATION_BURST]
      : [ATTESTATIONS_PER_SECOND, ATTESTATION_BURST]
    // what a second's delay can bring at once is allowed for
    return this.#attestations ??= new TokenBucket(perSecond, burst + perSecond, now)
  }
}

/** Reads `key` and `nonce` of a handshake. Null if there is neither; a string says what is wrong with them. */
export function readIdentity (key: unknown, nonce: unknown): WireIdentity | string | null {
  if (key === undefined && nonce === undefined) return null
  if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) return `key is not a string of ${KEY_BYTES} bytes`
  if (!(nonce instanceof Uint8Array) || nonce.length !== NONCE_BYTES) {
    return `nonce is not a string of ${NONCE_BYTES} bytes`
  }
  return { key: hexOf(key), nonce: nonce.slice() }
}

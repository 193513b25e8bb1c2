/**
 * Which key each connected peer has, and which keys are members: proofs and certificates, ours and those of the peers
 * (docs/ut_bitworker.md, "Keys" and "Members"). Called by attestation-exchange.ts.
 */
import { MAX_MEMBERS } from '../../extensions/ut_bitworker/constants.ts'
import type { LocalTask, MemberRecord } from '../../extensions/ut_bitworker/index.ts'
import { wireProofBytes } from '../trust/attest.ts'
import type { SignatureCheck, Signer } from '../trust/attest.ts'
import { memberBytes } from '../trust/member.ts'
import type { TaskPeer } from './task-peer.ts'

/** Certificates that are kept for passing on: only trusted keys can make one. */
const MAX_KEPT = 1_024
const NO_PEER_ID = new Uint8Array(20)

/** The parts that the keys use. */
export interface PeerKeysParts {
  readonly task: LocalTask
  /** our own, 20 bytes */
  readonly peerId: Uint8Array
  /** our peer key */
  readonly signer: Signer
  /** certificates of our peer key */
  readonly certificates: readonly MemberRecord[]
  /** 64 hex digits each; certificates by others are ignored */
  readonly trustedKeys: ReadonlySet<string>
  readonly isSignature: SignatureCheck
}

interface Known {
  /** the key that it has proved to have; null: none */
  key: string | null
  /** keys whose certificates it has been sent */
  readonly sent: Set<string>
}

/** The keys of the peers of one task. */
export class PeerKeys {
  readonly #parts: PeerKeysParts
  readonly #peers = new Map<TaskPeer, Known>()
  /** certificates with right signatures, by peer key */
  readonly #members = new Map<string, MemberRecord>()

  constructor (parts: PeerKeysParts) {
    this.#parts = parts
    for (const member of parts.certificates) this.#members.set(member.key, member)
  }

  /** Proves our key to a peer that has told its own, and shows our certificates. */
  introduce (peer: TaskPeer): void {
    this.#peers.set(peer, { key: null, sent: new Set([this.#parts.signer.key]) })
    peer.ext.prove(this.#parts.signer.sign(this.#proofBytes(peer, true)))
    peer.ext.certify(this.#parts.certificates.slice(0, MAX_MEMBERS))
  }

  /** Certificates that are known, ours included. */
  members (): Iterable<MemberRecord> { return this.#members.values() }

  remove (peer: TaskPeer): void { this.#peers.delete(peer) }

  /** The key that the peer has proved to have; null: none. */
  of (peer: TaskPeer): string | null { return this.#peers.get(peer)?.key ?? null }

  /** The connected peers that have proved this key. */
  owners (key: string): TaskPeer[] {
    return [...this.#peers].filter(([, known]) => known.key === key).map(([peer]) => peer)
  }

  /** Checks the proof of a peer. Returns its key; null: the proof is wrong. */
  prove (peer: TaskPeer, proof: Uint8Array): string | null {
    const known = this.#peers.get(peer)
    const key = peer.ext.state.signing.peer?.key
    if (known === undefined || key === undefined) return null
    if (!this.#parts.isSignature(key, this.#proofBytes(peer, false), proof)) return null
    known.key = key
    return key
  }

  /** Whether a certificate can tell us something. */
  isNews ({ key, trustedKey }: MemberRecord): boolean {
    return this.#parts.trustedKeys.has(trustedKey) && !this.#members.has(key)
  }

  /** Checks a certificate, and keeps it. */
  certify (member: MemberRecord): boolean {
    const { trustedKey, key, certificate } = member
    if (!this.#parts.isSignature(trustedKey, memberBytes(this.#parts.task.digest, key), certificate)) return false
    if (this.#members.size < MAX_KEPT) this.#members.set(key, member)
    return true
  }

  /** Whether the key is a member of a trusted key that we are a member of, too. */
  isFellow (key: string): boolean {
    const trustedKey = this.#members.get(key)?.trustedKey
    return this.#parts.certificates.some(own => own.trustedKey === trustedKey)
  }

  /** Sends the peer the certificate of a key whose attestation follows. */
  vouch (peer: TaskPeer, key: string): void {
    const [member, known] = [this.#members.get(key), this.#peers.get(peer)]
    if (member === undefined || known === undefined || known.sent.has(key) || known.sent.size >= MAX_MEMBERS) return
    known.sent.add(key)
    peer.ext.certify([member])
  }

  #proofBytes (peer: TaskPeer, isOurs: boolean): Uint8Array {
    const { own, peer: other } = peer.ext.state.signing
    const [ours, theirs] = [own?.nonce ?? NO_PEER_ID, other?.nonce ?? NO_PEER_ID]
    const [id, otherId] = [this.#parts.peerId, peer.wire.peerIdBuffer ?? NO_PEER_ID]
    return wireProofBytes({
      taskDigest: this.#parts.task.digest,
      senderNonce: isOurs ? ours : theirs,
      receiverNonce: isOurs ? theirs : ours,
      senderPeerId: isOurs ? id : otherId,
      receiverPeerId: isOurs ? otherId : id
    })
  }
}

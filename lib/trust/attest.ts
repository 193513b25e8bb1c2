/**
 * Attestations: signed statements of a peer key, "I computed this result" (docs/ut_bitworker.md, "Attestations"); and
 * the proof that a peer has the key of its handshake. Pure. Whose statements are believed is decided elsewhere.
 */
import type { KeyObject } from 'node:crypto'
import { statementBytes } from '../../extensions/ut_bitworker/index.ts'
import type { AttestationRecord, StatementRecord } from '../../extensions/ut_bitworker/index.ts'
import { concatBytes } from '../base/bencode.ts'
import { hexOf } from '../base/digest.ts'
import { publicKeyOf, signBytes } from '../task/ed25519.ts'

const ATTEST = new TextEncoder().encode('BitWorker/attest/1\0')
const WIRE = new TextEncoder().encode('BitWorker/wire/1\0')

/** A peer key whose secret part is here. */
export interface Signer {
  /** 64 hex digits */
  readonly key: string
  /** Returns the Ed25519 signature of the message, 64 bytes. */
  sign (message: Uint8Array): Uint8Array
}

/** Whether this is the key's (64 hex digits) Ed25519 signature of the message. Never throws. */
export type SignatureCheck = (key: string, message: Uint8Array, signature: Uint8Array) => boolean

/** What a peer signs to prove, on one connection, that it has its key. */
export interface WireProof {
  /** 32 bytes */
  taskDigest: Uint8Array
  /** 16 random bytes each, from the extended handshakes */
  senderNonce: Uint8Array
  receiverNonce: Uint8Array
  /** 20 bytes each */
  senderPeerId: Uint8Array
  receiverPeerId: Uint8Array
}

/** The signer with a secret key, which comes from `toSigningKey` (lib/task/ed25519.ts). */
export function signerOf (secret: KeyObject): Signer {
  return { key: hexOf(publicKeyOf(secret)), sign: message => signBytes(message, secret) }
}

/** The 128 bytes that an attestation's signature covers. Throws BW_ERR_RECORD for a statement that fits no record. */
export function attestedBytes (taskDigest: Uint8Array, statement: StatementRecord): Uint8Array {
  return concatBytes([ATTEST, taskDigest, statementBytes(statement)])
}

/** Signs a statement. Throws BW_ERR_RECORD for one that fits no record. */
export function attest (taskDigest: Uint8Array, statement: StatementRecord, signer: Signer): AttestationRecord {
  return { ...statement, key: signer.key, signature: signer.sign(attestedBytes(taskDigest, statement)) }
}

/** The bytes that a wire proof's signature covers. */
export function wireProofBytes (proof: WireProof): Uint8Array {
  const { taskDigest, senderNonce, receiverNonce, senderPeerId, receiverPeerId } = proof
  return concatBytes([WIRE, taskDigest, senderNonce, receiverNonce, senderPeerId, receiverPeerId])
}

/**
 * The records of ut_bitworker by which peers sign results: attestations, certificates of members, proofs of a key
 * (docs/ut_bitworker.md, "Attestations"). Pure: form only. Signatures are checked in lib/trust/.
 */
import { BitWorkerError } from '../../lib/base/errors.ts'
import {
  ATTESTATION_BYTES, BATCH_BYTES, BATCH_RESULTS, BRANCH_BYTES, BRANCH_HASHES_BYTES, DIGEST_BYTES, KEY_BYTES,
  MEMBER_BYTES, RESULT_BYTES, SIGNATURE_BYTES, STATEMENT_BYTES
} from './constants.ts'
import {
  demand, packedIn, readBytes, readHex, readResult, refuse, writeBytes, writeHex, writeResult
} from './record-fields.ts'
import type { Bounds, Packed, RecordType, ResultRecord } from './record-fields.ts'

/** Why the key stands for the result: 0 computed, 1 equal by the compare command, 2 right by the verify command. */
export type AttestationKind = 0 | 1 | 2

/** The part of an attestation that is signed. */
export interface StatementRecord extends ResultRecord {
  kind: AttestationKind
  /** SHA-256 of the digests of the upstream pieces that the piece was made of, in order; null: there are none */
  basis: Uint8Array | null
}

/** "I computed this result", signed. */
export interface AttestationRecord extends StatementRecord {
  /** peer key, 64 hex digits */
  key: string
  /** 64 bytes */
  signature: Uint8Array
  /** the signature is that of a batch, and this its way to it; absent: the signature covers the statement alone */
  branch?: Branch
}

/** Where a statement stands in a signed batch. */
export interface Branch {
  /** 0 to BATCH_RESULTS - 1 */
  position: number
  /** the digests beside the way from the leaf to the root, BRANCH_HASHES_BYTES */
  hashes: Uint8Array
}

/** "I computed the next `count` results of this message", signed. */
export interface BatchRecord {
  /** 2 to BATCH_RESULTS */
  count: number
  /** 64 bytes */
  signature: Uint8Array
}

/** Results of one message that the owner of the connection's key has signed together. */
export interface ReceivedBatch {
  results: ResultRecord[]
  /** 64 bytes */
  signature: Uint8Array
}

/** "This peer is one of mine", signed by a trusted key. */
export interface MemberRecord {
  /** peer key, 64 hex digits */
  key: string
  /** 64 hex digits */
  trustedKey: string
  /** 64 bytes */
  certificate: Uint8Array
}

const NO_BASIS = new Uint8Array(DIGEST_BYTES)
const KIND_AT = RESULT_BYTES
const BASIS_AT = KIND_AT + 1
const NO_BRANCH: Branch = { position: 255, hashes: new Uint8Array(BRANCH_HASHES_BYTES) }

/** <signature 64> */
export const PROOF_TYPE: RecordType<Uint8Array> = {
  bytes: SIGNATURE_BYTES,
  write: (to, at, proof) => { writeBytes(to, at, proof, SIGNATURE_BYTES) },
  read: (from, at) => readBytes(from, at, SIGNATURE_BYTES)
}

/** <peer key 32><trusted key 32><certificate 64> */
export const MEMBER_TYPE: RecordType<MemberRecord> = {
  bytes: MEMBER_BYTES,
  write: (to, at, { key, trustedKey, certificate }) => {
    writeHex(to, at, key, KEY_BYTES)
    writeHex(to, at + KEY_BYTES, trustedKey, KEY_BYTES)
    writeBytes(to, at + 2 * KEY_BYTES, certificate, SIGNATURE_BYTES)
  },
  read: (from, at) => ({
    key: readHex(from, at, KEY_BYTES),
    trustedKey: readHex(from, at + KEY_BYTES, KEY_BYTES),
    certificate: readBytes(from, at + 2 * KEY_BYTES, SIGNATURE_BYTES)
  })
}

/** <statement 77><peer key 32><signature 64> */
export const ATTESTATION_TYPE: RecordType<AttestationRecord> = {
  bytes: ATTESTATION_BYTES,
  write: (to, at, attestation) => {
    writeStatement(to, at, attestation)
    writeHex(to, at + STATEMENT_BYTES, attestation.key, KEY_BYTES)
    writeBytes(to, at + STATEMENT_BYTES + KEY_BYTES, attestation.signature, SIGNATURE_BYTES)
  },
  read: (from, at, bounds) => ({
    ...readStatement(from, at, bounds),
    key: readHex(from, at + STATEMENT_BYTES, KEY_BYTES),
    signature: readBytes(from, at + STATEMENT_BYTES + KEY_BYTES, SIGNATURE_BYTES)
  })
}

/** <statement 77><peer key 32><signature 64><position u8><digests 4 × 32> */
export const BRANCH_TYPE: RecordType<AttestationRecord> = {
  bytes: BRANCH_BYTES,
  write: (to, at, attestation) => {
    const { position, hashes } = attestation.branch ?? NO_BRANCH
    demand(position < BATCH_RESULTS, 'position', position)
    writeBranch(to, at, attestation, { position, hashes })
  },
  read: (from, at, bounds) => {
    const position = from.view.getUint8(at + ATTESTATION_BYTES)
    if (position >= BATCH_RESULTS) throw refuse(`a branch at position ${position}`)
    const hashes = readBytes(from, at + ATTESTATION_BYTES + 1, BRANCH_HASHES_BYTES)
    return { ...ATTESTATION_TYPE.read(from, at, bounds), branch: { position, hashes } }
  }
}

/** <count u8><signature 64> */
export const BATCH_TYPE: RecordType<BatchRecord> = {
  bytes: BATCH_BYTES,
  write: (to, at, { count, signature }) => {
    demand(isBatchSize(count), 'number of results', count)
    to.view.setUint8(at, count)
    writeBytes(to, at + 1, signature, SIGNATURE_BYTES)
  },
  read: (from, at) => {
    const count = from.view.getUint8(at)
    if (!isBatchSize(count)) throw refuse(`a batch of ${count} results`)
    return { count, signature: readBytes(from, at + 1, SIGNATURE_BYTES) }
  }
}

/**
 * The 77 bytes of an attestation that are signed.
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for a value that does not fit
 */
export function statementBytes (statement: StatementRecord): Uint8Array {
  const packed = packedIn(new Uint8Array(STATEMENT_BYTES))
  writeStatement(packed, 0, statement)
  return packed.bytes
}

/**
 * The 173 bytes of an attestation.
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for a value that does not fit
 */
export function packAttestation (attestation: AttestationRecord): Uint8Array {
  const packed = packedIn(new Uint8Array(ATTESTATION_BYTES))
  ATTESTATION_TYPE.write(packed, 0, attestation)
  return packed.bytes
}

/**
 * An attestation as it is kept on disk, BRANCH_BYTES: like a record of `branches`; one that has no branch has zeros,
 * and the position 255.
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for a value that does not fit
 */
export function packKept (attestation: AttestationRecord): Uint8Array {
  const packed = packedIn(new Uint8Array(BRANCH_BYTES))
  writeBranch(packed, 0, attestation, attestation.branch ?? NO_BRANCH)
  return packed.bytes
}

/** The opposite. Null for bytes that are no attestation of a piece of this task. */
export function readKept (bytes: Uint8Array, bounds: Bounds): AttestationRecord | null {
  if (bytes.length !== BRANCH_BYTES) return null
  const { read } = bytes[ATTESTATION_BYTES] === NO_BRANCH.position ? ATTESTATION_TYPE : BRANCH_TYPE
  try {
    return read(packedIn(bytes), 0, bounds)
  } catch (error) {
    if (error instanceof BitWorkerError) return null
    throw error
  }
}

function writeBranch (to: Packed, at: number, attestation: AttestationRecord, { position, hashes }: Branch): void {
  ATTESTATION_TYPE.write(to, at, attestation)
  to.view.setUint8(at + ATTESTATION_BYTES, position)
  writeBytes(to, at + ATTESTATION_BYTES + 1, hashes, BRANCH_HASHES_BYTES)
}

function isBatchSize (count: number): boolean { return count >= 2 && count <= BATCH_RESULTS }

/** <index u32><size u64><digest 32><kind u8><basis 32> */
function writeStatement (to: Packed, at: number, { index, size, digest, kind, basis }: StatementRecord): void {
  demand(isKind(kind), 'kind', kind)
  writeResult(to, at, { index, size, digest })
  to.view.setUint8(at + KIND_AT, kind)
  writeBytes(to, at + BASIS_AT, basis ?? NO_BASIS, DIGEST_BYTES)
}

function readStatement (from: Packed, at: number, bounds: Bounds): StatementRecord {
  const result = readResult(from, at, bounds)
  const kind = from.view.getUint8(at + KIND_AT)
  if (!isKind(kind)) throw refuse(`an attestation of kind ${kind}`)
  const basis = readBytes(from, at + BASIS_AT, DIGEST_BYTES)
  if (basis.every(byte => byte === 0)) return { ...result, kind, basis: null }
  if (bounds.hasBasis !== true) throw refuse('an attestation with a basis, which this task does not have')
  return { ...result, kind, basis }
}

function isKind (kind: number): kind is AttestationKind { return kind <= 2 }

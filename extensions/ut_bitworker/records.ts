/**
 * Encodes and decodes the records of ut_bitworker messages (docs/ut_bitworker.md, "ut_bitworker messages"). One table
 * for all keys. Pure. state.ts knows what a record means.
 */
import { ATTESTATION_TYPE, BATCH_TYPE, BRANCH_TYPE, MEMBER_TYPE, PROOF_TYPE } from './attestation-records.ts'
import type { AttestationRecord, BatchRecord, MemberRecord } from './attestation-records.ts'
import {
  ASK_BYTES,
  CLAIM_BYTES,
  INFO_HASH_BYTES,
  MAX_UINT32,
  PEER_ID_BYTES,
  RELAY_BYTES,
  RELEASE_BYTES,
  RESULT_BYTES,
  WITHDRAWAL_BYTES
} from './constants.ts'
import { FAILURE_TYPE } from './failure-records.ts'
import type { FailureRecord } from './failure-records.ts'
import {
  packedIn, readHex, readIndex, readResult, refuse, writeHex, writeIndex, writeResult
} from './record-fields.ts'
import type { Bounds, Packed, RecordType, ResultRecord } from './record-fields.ts'

/** "I have been computing this piece for `elapsedMs`, and expect it to take `estimateMs` in total" (0: unknown). */
export interface ClaimRecord { index: number, elapsedMs: number, estimateMs: number }

/** "A neighbour of mine is computing this piece." */
export interface RelayRecord extends ClaimRecord {
  /** hex, 40 digits: the peer that claimed it */
  peerId: string
  /** the elapsed time in the first claim that it sent to the relaying peer; decides collisions */
  firstElapsedMs: number
  isBackup: boolean
}

/** "A claim that I relayed has ended without a result." */
export interface WithdrawalRecord { index: number, peerId: string }

/** The records of one message, by key. An absent key means the same as a key without records. */
export interface Records {
  /** peer ids (hex) of peers that the sender matched with since its last message */
  neighbours?: string[]
  /** peer ids (hex) of peers that it is no longer connected to */
  parted?: string[]
  /** a signature of 64 bytes: the sender has the key of its handshake; the first one counts */
  proof?: Uint8Array[]
  /** certificates of peer keys by trusted keys */
  members?: MemberRecord[]
  attestations?: AttestationRecord[]
  /** attestations that were signed in a batch */
  branches?: AttestationRecord[]
  /** signatures by the sender of the first results of the message, in their order */
  batches?: BatchRecord[]
  results?: ResultRecord[]
  /** indices of pieces that the sender stopped computing, without a result */
  releases?: number[]
  withdrawals?: WithdrawalRecord[]
  claims?: ClaimRecord[]
  /** pieces that the sender computes although others have claimed or announced them */
  backups?: ClaimRecord[]
  relays?: RelayRecord[]
  /** info-hash (hex) of the ordinary torrent that the sender has made of the finished files; the first one counts */
  sealed?: string[]
  /** indices of pieces whose attestations the sender wants */
  asks?: number[]
  /** pieces that the sender has given up, and why */
  failures?: FailureRecord[]
}

/** A message key whose value is a string of records. */
export type RecordKey = keyof Records

/** In the order in which a receiver processes them. */
const TYPES: { readonly [K in RecordKey]-?: RecordType<NonNullable<Records[K]>[number]> } = {
  neighbours: { bytes: PEER_ID_BYTES, write: writePeerId, read: readPeerId },
  parted: { bytes: PEER_ID_BYTES, write: writePeerId, read: readPeerId },
  proof: PROOF_TYPE,
  members: MEMBER_TYPE,
  attestations: ATTESTATION_TYPE,
  branches: BRANCH_TYPE,
  batches: BATCH_TYPE,
  results: { bytes: RESULT_BYTES, write: writeResult, read: readResult },
  releases: { bytes: RELEASE_BYTES, write: writeIndex, read: readIndex },
  withdrawals: { bytes: WITHDRAWAL_BYTES, write: writeWithdrawal, read: readWithdrawal },
  claims: { bytes: CLAIM_BYTES, write: writeClaim, read: readClaim },
  backups: { bytes: CLAIM_BYTES, write: writeClaim, read: readClaim },
  relays: { bytes: RELAY_BYTES, write: writeRelay, read: readRelay },
  // 20 bytes, like a peer id
  sealed: { bytes: INFO_HASH_BYTES, write: writePeerId, read: readPeerId },
  asks: { bytes: ASK_BYTES, write: writeIndex, read: readIndex },
  failures: FAILURE_TYPE
}

/** All keys, in the order in which a receiver processes them. */
export const RECORD_KEYS = Object.keys(TYPES) as RecordKey[]

/** The size of a key's record in bytes. */
export function recordBytes (key: RecordKey): number { return TYPES[key].bytes }

/**
 * Encodes the records, one after the other.
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for a number that does not fit a record
 */
export function packRecords<K extends RecordKey> (key: K, records: NonNullable<Records[K]>): Uint8Array {
  const { bytes, write } = TYPES[key] as RecordType<unknown>
  // every byte is written; a new Uint8Array would allocate the memory from the system
  const packed = packedIn(Buffer.allocUnsafe(records.length * bytes))
  records.forEach((record, i) => { write(packed, i * bytes, record) })
  return packed.bytes
}

/**
 * Decodes the records in a string whose length is a multiple of the record size.
 * @throws BitWorkerError 'BW_ERR_PEER_MESSAGE' (blame 'peer') if one of them breaks the protocol
 */
export function readRecords (key: RecordKey, value: Uint8Array, bounds: Bounds): Records {
  const { bytes, read } = TYPES[key] as RecordType<unknown>
  const packed = packedIn(value)
  const records: unknown[] = []
  for (let at = 0; at < packed.bytes.length; at += bytes) records.push(read(packed, at, bounds))
  return { [key]: records }
}

/** Rounds a claim to its form on the wire: times in whole milliseconds, limited to a u32 (49 days). */
export function roundClaim<T extends ClaimRecord> (claim: T): T {
  return { ...claim, elapsedMs: clampUint32(claim.elapsedMs), estimateMs: clampUint32(claim.estimateMs) }
}

//
// ONE RECORD
//

/** <index u32><elapsed ms u32><estimate ms u32> */
function writeClaim (to: Packed, at: number, { index, elapsedMs, estimateMs }: ClaimRecord): void {
  writeIndex(to, at, index)
  to.view.setUint32(at + 4, clampUint32(elapsedMs))
  to.view.setUint32(at + 8, clampUint32(estimateMs))
}

function readClaim (from: Packed, at: number, bounds: Bounds): ClaimRecord {
  return {
    index: readIndex(from, at, bounds), elapsedMs: from.view.getUint32(at + 4), estimateMs: from.view.getUint32(at + 8)
  }
}

/** <index u32><elapsed ms u32><estimate ms u32><first elapsed ms u32><kind u8: 0 claim, 1 backup><peer id 20> */
function writeRelay (to: Packed, at: number, relay: RelayRecord): void {
  writeClaim(to, at, relay)
  to.view.setUint32(at + 12, clampUint32(relay.firstElapsedMs))
  to.view.setUint8(at + 16, relay.isBackup ? 1 : 0)
  writePeerId(to, at + 17, relay.peerId)
}

function readRelay (from: Packed, at: number, bounds: Bounds): RelayRecord {
  const kind = from.view.getUint8(at + 16)
  if (kind > 1) throw refuse(`a relay of kind ${kind}`)
  const { index, elapsedMs, estimateMs } = readClaim(from, at, bounds)
  const [peerId, firstElapsedMs] = [readPeerId(from, at + 17), from.view.getUint32(at + 12)]
  return { index, elapsedMs, estimateMs, peerId, firstElapsedMs, isBackup: kind === 1 }
}

/** <index u32><peer id 20> */
function writeWithdrawal (to: Packed, at: number, { index, peerId }: WithdrawalRecord): void {
  writeIndex(to, at, index)
  writePeerId(to, at + 4, peerId)
}

function readWithdrawal (from: Packed, at: number, bounds: Bounds): WithdrawalRecord {
  return { index: readIndex(from, at, bounds), peerId: readPeerId(from, at + 4) }
}

/** <peer id 20> */
function writePeerId (to: Packed, at: number, peerId: string): void { writeHex(to, at, peerId, PEER_ID_BYTES) }

function readPeerId (from: Packed, at: number): string { return readHex(from, at, PEER_ID_BYTES) }

function clampUint32 (ms: number): number {
  return Math.max(0, Math.min(Math.trunc(ms), MAX_UINT32))
}

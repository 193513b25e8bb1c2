/**
 * The records of ut_bitworker messages as bytes, and back (docs/ut_bitworker.md, "ut_bitworker messages"): one table for
 * all keys. Pure. What a record means is state.ts's business.
 */
import { BitWorkerError } from '../../lib/errors.ts'
import { CLAIM_BYTES, DIGEST_BYTES, EMPTY_DIGEST, MAX_UINT32, PEER_ID_BYTES, RELAY_BYTES, RELEASE_BYTES, RESULT_BYTES, WITHDRAWAL_BYTES } from './constants.ts'

/** "I have this piece": its size in bytes and the SHA-256 digest (32 bytes) of its content. */
export interface ResultRecord { index: number, size: number, digest: Uint8Array }

/** "I am computing this piece": since `elapsedMs`, `estimateMs` in all (0: unknown). */
export interface ClaimRecord { index: number, elapsedMs: number, estimateMs: number }

/** "A neighbour of mine is computing this piece." */
export interface RelayRecord extends ClaimRecord {
  /** hex, 40 digits: the peer that claimed it */
  peerId: string
  /** what the first claim said that it sent to the relaying peer; decides collisions */
  firstElapsedMs: number
  isBackup: boolean
}

/** "A claim that I passed on has ended without a result." */
export interface WithdrawalRecord { index: number, peerId: string }

/** What the numbers of a message are checked against. */
export interface Bounds {
  pieceCount: number
  /** bytes; the largest size a piece can have */
  pieceLength: number
}

/** The records of one message, by key. A key that is absent and a key without records mean the same. */
export interface Records {
  /** peer ids (hex) of peers that the sender is matched with, since the last message */
  neighbours?: string[]
  /** peer ids (hex) of peers that it is not connected to any more */
  parted?: string[]
  results?: ResultRecord[]
  /** indices of pieces that the sender stopped computing, without a result */
  releases?: number[]
  withdrawals?: WithdrawalRecord[]
  claims?: ClaimRecord[]
  /** pieces that the sender computes although others have claimed or announced them */
  backups?: ClaimRecord[]
  relays?: RelayRecord[]
}

/** A key of a message whose value is a string of records. */
export type RecordKey = keyof Records

interface RecordType<T> {
  readonly bytes: number
  readonly write: (view: DataView, record: T) => void
  readonly read: (view: DataView, bounds: Bounds) => T
}

/** In the order in which a receiver processes them. */
const TYPES: { readonly [K in RecordKey]-?: RecordType<NonNullable<Records[K]>[number]> } = {
  neighbours: { bytes: PEER_ID_BYTES, write: (view, id) => { writePeerId(view, 0, id) }, read: view => readPeerId(view, 0) },
  parted: { bytes: PEER_ID_BYTES, write: (view, id) => { writePeerId(view, 0, id) }, read: view => readPeerId(view, 0) },
  results: { bytes: RESULT_BYTES, write: writeResult, read: readResult },
  releases: { bytes: RELEASE_BYTES, write: writeIndex, read: readIndex },
  withdrawals: { bytes: WITHDRAWAL_BYTES, write: writeWithdrawal, read: readWithdrawal },
  claims: { bytes: CLAIM_BYTES, write: writeClaim, read: readClaim },
  backups: { bytes: CLAIM_BYTES, write: writeClaim, read: readClaim },
  relays: { bytes: RELAY_BYTES, write: writeRelay, read: readRelay }
}

/** All keys, in the order in which a receiver processes them. */
export const RECORD_KEYS = Object.keys(TYPES) as RecordKey[]

/** The size of a key's records, bytes. */
export function recordBytes (key: RecordKey): number { return TYPES[key].bytes }

/**
 * The records, one after the other.
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for a number that no record can hold
 */
export function packRecords<K extends RecordKey> (key: K, records: NonNullable<Records[K]>): Uint8Array {
  const { bytes, write } = TYPES[key] as RecordType<unknown>
  const packed = new Uint8Array(records.length * bytes)
  records.forEach((record, i) => { write(new DataView(packed.buffer, i * bytes, bytes), record) })
  return packed
}

/**
 * The records of a string whose length is a multiple of the record size.
 * @throws BitWorkerError 'BW_ERR_PEER_MESSAGE' (blame 'peer') when one of them breaks the protocol
 */
export function readRecords (key: RecordKey, packed: Uint8Array, bounds: Bounds): Records {
  const { bytes, read } = TYPES[key] as RecordType<unknown>
  const records: unknown[] = []
  for (let at = 0; at < packed.length; at += bytes) {
    records.push(read(new DataView(packed.buffer, packed.byteOffset + at, bytes), bounds))
  }
  return { [key]: records }
}

/** The claim as the wire carries it: times in whole milliseconds that fit a u32 (49 days). */
export function roundClaim<T extends ClaimRecord> (claim: T): T {
  return { ...claim, elapsedMs: clampUint32(claim.elapsedMs), estimateMs: clampUint32(claim.estimateMs) }
}

/** True when both are the same bytes. */
export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The error of a message that breaks the protocol. */
export function refuse (why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_PEER_MESSAGE', 'peer', `ut_bitworker message: ${why}; the message is ignored`)
}

/** Throws BW_ERR_RECORD: a caller of ours gave what no record can hold. */
export function demand (ok: boolean, what: string, value: number): void {
  if (!ok) throw new BitWorkerError('BW_ERR_RECORD', 'usage', `A ut_bitworker record cannot have the ${what} ${value}; correct the caller.`)
}

//
// ONE RECORD
//

/** <index u32><size u64><digest 32> */
function writeResult (view: DataView, { index, size, digest }: ResultRecord): void {
  demand(Number.isSafeInteger(size) && size >= 0, 'size', size)
  demand(digest.length === DIGEST_BYTES, 'digest length', digest.length)
  writeIndex(view, index)
  view.setUint32(4, Math.floor(size / 2 ** 32))
  view.setUint32(8, size >>> 0)
  new Uint8Array(view.buffer, view.byteOffset + 12, DIGEST_BYTES).set(digest)
}

function readResult (view: DataView, bounds: Bounds): ResultRecord {
  const index = readIndex(view, bounds)
  // beyond 2^53 it is no longer exact, and far beyond any piece length
  const size = view.getUint32(4) * 2 ** 32 + view.getUint32(8)
  if (size > bounds.pieceLength) throw refuse(`piece ${index} of ${size} bytes, more than the piece length ${bounds.pieceLength}`)
  // A copy: a digest is kept as long as the task, and must not keep the received buffer with it.
  const digest = new Uint8Array(view.buffer, view.byteOffset + 12, DIGEST_BYTES).slice()
  if (size === 0 && !equalBytes(digest, EMPTY_DIGEST)) throw refuse(`piece ${index} of 0 bytes whose digest is not that of 0 bytes`)
  return { index, size, digest }
}

/** <index u32><elapsed ms u32><estimate ms u32> */
function writeClaim (view: DataView, { index, elapsedMs, estimateMs }: ClaimRecord): void {
  writeIndex(view, index)
  view.setUint32(4, clampUint32(elapsedMs))
  view.setUint32(8, clampUint32(estimateMs))
}

function readClaim (view: DataView, bounds: Bounds): ClaimRecord {
  return { index: readIndex(view, bounds), elapsedMs: view.getUint32(4), estimateMs: view.getUint32(8) }
}

/** <index u32><elapsed ms u32><estimate ms u32><first elapsed ms u32><kind u8: 0 claim, 1 backup><peer id 20> */
function writeRelay (view: DataView, relay: RelayRecord): void {
  writeClaim(view, relay)
  view.setUint32(12, clampUint32(relay.firstElapsedMs))
  view.setUint8(16, relay.isBackup ? 1 : 0)
  writePeerId(view, 17, relay.peerId)
}

function readRelay (view: DataView, bounds: Bounds): RelayRecord {
  const kind = view.getUint8(16)
  if (kind > 1) throw refuse(`a relay of kind ${kind}`)
  return { ...readClaim(view, bounds), peerId: readPeerId(view, 17), firstElapsedMs: view.getUint32(12), isBackup: kind === 1 }
}

/** <index u32><peer id 20> */
function writeWithdrawal (view: DataView, { index, peerId }: WithdrawalRecord): void {
  writeIndex(view, index)
  writePeerId(view, 4, peerId)
}

function readWithdrawal (view: DataView, bounds: Bounds): WithdrawalRecord {
  return { index: readIndex(view, bounds), peerId: readPeerId(view, 4) }
}

/** <index u32> */
function writeIndex (view: DataView, index: number): void {
  demand(Number.isInteger(index) && index >= 0 && index <= MAX_UINT32, 'index', index)
  view.setUint32(0, index)
}

function readIndex (view: DataView, { pieceCount }: Bounds): number {
  const index = view.getUint32(0)
  if (index >= pieceCount) throw refuse(`piece ${index} of a task with ${pieceCount} pieces`)
  return index
}

function writePeerId (view: DataView, at: number, peerId: string): void {
  const bytes = Buffer.from(peerId, 'hex')
  demand(bytes.length === PEER_ID_BYTES, 'peer id length', bytes.length)
  new Uint8Array(view.buffer, view.byteOffset + at, PEER_ID_BYTES).set(bytes)
}

function readPeerId (view: DataView, at: number): string {
  return Buffer.from(view.buffer, view.byteOffset + at, PEER_ID_BYTES).toString('hex')
}

function clampUint32 (ms: number): number {
  return Math.max(0, Math.min(Math.trunc(ms), MAX_UINT32))
}

/**
 * The fields that records of ut_bitworker are made of: how each is written and read, and its limits. Pure. Used by
 * records.ts and attestation-records.ts.
 */
import { equalBytes } from '../../lib/base/digest.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { DIGEST_BYTES, EMPTY_DIGEST, MAX_UINT32 } from './constants.ts'

/** "I have this piece": its size in bytes and the SHA-256 digest (32 bytes) of its content. */
export interface ResultRecord { index: number, size: number, digest: Uint8Array }

/** The limits for the numbers in a message. */
export interface Bounds {
  pieceCount: number
  /** the largest size of a piece in bytes */
  pieceLength: number
  /** attestations have a basis: the task reads the output of another one; default false */
  hasBasis?: boolean
}

/** Concatenated records: two views of the same memory, for whole numbers and for strings of bytes. */
export interface Packed { readonly view: DataView, readonly bytes: Uint8Array }

/** The form of one kind of record. */
export interface RecordType<T> {
  readonly bytes: number
  readonly write: (to: Packed, at: number, record: T) => void
  readonly read: (from: Packed, at: number, bounds: Bounds) => T
}

/** Both views of a string of records. */
export function packedIn ({ buffer, byteOffset, length }: Uint8Array): Packed {
  // a plain Uint8Array, because slice() of a Buffer does not copy
  return { view: new DataView(buffer, byteOffset, length), bytes: new Uint8Array(buffer, byteOffset, length) }
}

/** Makes the error for a message that breaks the protocol. */
export function refuse (why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_PEER_MESSAGE', 'peer', `Ignored a ut_bitworker message: ${why}.`)
}

/** Throws BW_ERR_RECORD unless `ok`: our caller passed a value that does not fit a record. */
export function demand (ok: boolean, what: string, value: number): void {
  if (!ok)
    throw new BitWorkerError(
      'BW_ERR_RECORD', 'usage', `The ${what} ${value} does not fit a ut_bitworker record. Correct the caller.`
    )
}

/** Writes <index u32><size u64><digest 32>. */
export function writeResult (to: Packed, at: number, { index, size, digest }: ResultRecord): void {
  demand(Number.isSafeInteger(size) && size >= 0, 'size', size)
  demand(digest.length === DIGEST_BYTES, 'digest length', digest.length)
  writeIndex(to, at, index)
  to.view.setUint32(at + 4, Math.floor(size / 2 ** 32))
  to.view.setUint32(at + 8, size >>> 0)
  to.bytes.set(digest, at + 12)
}

/** Reads <index u32><size u64><digest 32>. */
export function readResult (from: Packed, at: number, bounds: Bounds): ResultRecord {
  const index = readIndex(from, at, bounds)
  // beyond 2^53 it is no longer exact, but that is far beyond any piece length
  const size = from.view.getUint32(at + 4) * 2 ** 32 + from.view.getUint32(at + 8)
  if (size > bounds.pieceLength) {
    throw refuse(`piece ${index} of ${size} bytes, more than the piece length ${bounds.pieceLength}`)
  }
  // A copy: a digest is kept as long as the task, and must not keep the whole received buffer in memory.
  const digest = from.bytes.slice(at + 12, at + 12 + DIGEST_BYTES)
  if (size === 0 && !equalBytes(digest, EMPTY_DIGEST)) {
    throw refuse(`piece ${index} of 0 bytes whose digest is not that of 0 bytes`)
  }
  return { index, size, digest }
}

/** Writes <index u32>. */
export function writeIndex ({ view }: Packed, at: number, index: number): void {
  demand(Number.isInteger(index) && index >= 0 && index <= MAX_UINT32, 'index', index)
  view.setUint32(at, index)
}

/** Reads <index u32>. */
export function readIndex ({ view }: Packed, at: number, { pieceCount }: Bounds): number {
  const index = view.getUint32(at)
  if (index >= pieceCount) throw refuse(`piece ${index} of a task with ${pieceCount} pieces`)
  return index
}

/** Writes `length` bytes that are given in hex. */
export function writeHex ({ bytes }: Packed, at: number, hex: string, length: number): void {
  const value = Buffer.from(hex, 'hex')
  demand(value.length === length, 'length', value.length)
  bytes.set(value, at)
}

/** Reads `length` bytes as hex. */
export function readHex ({ bytes: { buffer, byteOffset } }: Packed, at: number, length: number): string {
  return Buffer.from(buffer, byteOffset + at, length).toString('hex')
}

/** Writes a string of `length` bytes. */
export function writeBytes ({ bytes }: Packed, at: number, value: Uint8Array, length: number): void {
  demand(value.length === length, 'length', value.length)
  bytes.set(value, at)
}

/** Reads `length` bytes: a copy, which does not keep the received buffer in memory. */
export function readBytes ({ bytes }: Packed, at: number, length: number): Uint8Array {
  return bytes.slice(at, at + length)
}

/**
 * ut_bitworker messages as bytes, and back (docs/ut_bitworker.md, "Messages"). Pure: one message in, one message out;
 * what a message means on a connection is state.ts's business. Decoding is strict: a message is wholly right or refused.
 */
import { decode, encode } from '../../lib/bencode.ts'
import type { Bdict, Bvalue } from '../../lib/bencode.ts'
import { BitWorkerError } from '../../lib/errors.ts'
import {
  CLAIM_BYTES, DIGEST_BYTES, EMPTY_DIGEST, MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_RECORDS, MAX_TOKENS, MAX_UINT32,
  RELEASE_BYTES, RESULT_BYTES
} from './constants.ts'

/** "I have this piece": its size in bytes and the SHA-256 digest (32 bytes) of its content. */
export interface ResultRecord { index: number, size: number, digest: Uint8Array }

/** "I am computing this piece": since `elapsedMs`, `estimateMs` in all (0: unknown). */
export interface ClaimRecord { index: number, elapsedMs: number, estimateMs: number }

/** One message. A key that is absent and a key without records mean the same. */
export interface Message {
  /** the task digest, 32 bytes */
  task?: Uint8Array
  results?: ResultRecord[]
  claims?: ClaimRecord[]
  /** indices of pieces that the sender stopped computing, without a result */
  releases?: number[]
}

/** What the numbers of a message are checked against. */
export interface Bounds {
  pieceCount: number
  /** bytes; the largest size a piece can have */
  pieceLength: number
}

type RecordKey = 'results' | 'releases' | 'claims'

/** In the order in which a receiver processes them. */
const RECORD_KEYS = ['results', 'releases', 'claims'] as const satisfies RecordKey[]

const RECORD_BYTES = { results: RESULT_BYTES, releases: RELEASE_BYTES, claims: CLAIM_BYTES } as const satisfies Record<RecordKey, number>

/**
 * The message as bencoded dictionaries: one, or more when a key has over MAX_RECORDS records; none when it says nothing.
 * Received in order they mean the same. Times are rounded as by `roundClaim`.
 *
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for an index, size or digest that no record can hold
 */
export function encodeMessages (message: Message): Uint8Array[] {
  const dicts: Bdict[] = []
  if (message.task !== undefined) {
    demand(message.task.length === DIGEST_BYTES, 'task', message.task.length)
    dicts.push(new Map([['task', message.task]]))
  }
  for (const key of RECORD_KEYS) {
    for (const bytes of packChunks(key, message)) {
      // A key goes into the dictionary of the keys before it, never into an earlier one: records keep their order.
      const last = dicts.at(-1)
      if (last === undefined || last.has(key)) dicts.push(new Map([[key, bytes]]))
      else last.set(key, bytes)
    }
  }
  return dicts.map(dict => encode(dict))
}

/**
 * The message that the bytes are; unknown keys are left out.
 *
 * @param bounds the task's; without them (no metadata yet) only `task` may be present
 * @throws BitWorkerError 'BW_ERR_PEER_MESSAGE' (blame 'peer') for anything that docs/ut_bitworker.md calls a violation
 */
export function decodeMessage (bytes: Uint8Array, bounds?: Bounds): Message {
  const dict = decodeRoot(bytes)
  const message: Message = {}
  const task = dict.get('task')
  if (task !== undefined) message.task = taskDigest(task)
  const results = recordViews(dict, 'results', bounds)
  if (results !== undefined) message.results = results.map(view => readResult(view, bounds!))
  const releases = recordViews(dict, 'releases', bounds)
  if (releases !== undefined) message.releases = releases.map(view => readIndex(view, bounds!))
  const claims = recordViews(dict, 'claims', bounds)
  if (claims !== undefined) message.claims = claims.map(view => readClaim(view, bounds!))
  return message
}

/** The claim as the wire carries it: times in whole milliseconds that fit a u32 (49 days). */
export function roundClaim ({ index, elapsedMs, estimateMs }: ClaimRecord): ClaimRecord {
  return { index, elapsedMs: clampUint32(elapsedMs), estimateMs: clampUint32(estimateMs) }
}

/** True when both are the same bytes. */
export function equalBytes (a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function refuse (why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_PEER_MESSAGE', 'peer', `ut_bitworker message: ${why}; the message is ignored`)
}

//
// ENCODING
//

function packChunks (key: RecordKey, message: Message): Uint8Array[] {
  if (key === 'results') return pack(message.results ?? [], RECORD_BYTES[key], writeResult)
  if (key === 'releases') return pack(message.releases ?? [], RECORD_BYTES[key], writeIndex)
  return pack(message.claims ?? [], RECORD_BYTES[key], writeClaim)
}

function pack<T> (records: T[], recordBytes: number, write: (view: DataView, record: T) => void): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let start = 0; start < records.length; start += MAX_RECORDS) {
    const part = records.slice(start, start + MAX_RECORDS)
    const chunk = new Uint8Array(part.length * recordBytes)
    part.forEach((record, i) => write(new DataView(chunk.buffer, i * recordBytes, recordBytes), record))
    chunks.push(chunk)
  }
  return chunks
}

/** <index u32><size u64><digest 32> */
function writeResult (view: DataView, { index, size, digest }: ResultRecord): void {
  demand(Number.isSafeInteger(size) && size >= 0, 'size', size)
  demand(digest.length === DIGEST_BYTES, 'digest length', digest.length)
  writeIndex(view, index)
  view.setBigUint64(4, BigInt(size))
  new Uint8Array(view.buffer, view.byteOffset + 12, DIGEST_BYTES).set(digest)
}

/** <index u32><elapsed ms u32><estimate ms u32> */
function writeClaim (view: DataView, claim: ClaimRecord): void {
  const { index, elapsedMs, estimateMs } = roundClaim(claim)
  writeIndex(view, index)
  view.setUint32(4, elapsedMs)
  view.setUint32(8, estimateMs)
}

/** <index u32> */
function writeIndex (view: DataView, index: number): void {
  demand(Number.isInteger(index) && index >= 0 && index <= MAX_UINT32, 'index', index)
  view.setUint32(0, index)
}

function clampUint32 (ms: number): number {
  return Math.max(0, Math.min(Math.trunc(ms), MAX_UINT32))
}

function demand (ok: boolean, what: string, value: number): void {
  if (!ok) throw new BitWorkerError('BW_ERR_RECORD', 'usage', `A ut_bitworker record cannot have the ${what} ${value}; correct the caller.`)
}

//
// DECODING
//

function decodeRoot (bytes: Uint8Array): Bdict {
  if (bytes.length > MAX_MESSAGE_BYTES) throw refuse(`${bytes.length} bytes, more than ${MAX_MESSAGE_BYTES}`)
  let root: Bvalue
  try {
    root = decode(bytes, { maxDepth: MAX_DEPTH, maxTokens: MAX_TOKENS })
  } catch (error) {
    if (!(error instanceof BitWorkerError)) throw error
    throw refuse(error.message)
  }
  if (!(root instanceof Map)) throw refuse('not a dictionary')
  return root
}

function taskDigest (value: Bvalue): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== DIGEST_BYTES) throw refuse(`task is not a string of ${DIGEST_BYTES} bytes`)
  return value.slice()
}

/** One view for each record of the key; undefined when the key is absent. */
function recordViews (dict: Bdict, key: RecordKey, bounds: Bounds | undefined): DataView[] | undefined {
  const value = dict.get(key)
  if (value === undefined) return undefined
  if (bounds === undefined) throw refuse(`${key} before the task digest`)
  const recordBytes = RECORD_BYTES[key]
  if (!(value instanceof Uint8Array)) throw refuse(`${key} is not a string`)
  if (value.length % recordBytes !== 0) throw refuse(`${key} has ${value.length} bytes, which is no multiple of ${recordBytes}`)
  const count = value.length / recordBytes
  if (count > MAX_RECORDS) throw refuse(`${key} has ${count} records, more than ${MAX_RECORDS}`)
  return Array.from({ length: count }, (_, i) => new DataView(value.buffer, value.byteOffset + i * recordBytes, recordBytes))
}

function readIndex (view: DataView, { pieceCount }: Bounds): number {
  const index = view.getUint32(0)
  if (index >= pieceCount) throw refuse(`piece ${index} of a task with ${pieceCount} pieces`)
  return index
}

function readResult (view: DataView, bounds: Bounds): ResultRecord {
  const index = readIndex(view, bounds)
  const size = view.getBigUint64(4)
  if (size > bounds.pieceLength) throw refuse(`piece ${index} of ${size} bytes, more than the piece length ${bounds.pieceLength}`)
  // A copy: a digest is kept as long as the task, and must not keep the received buffer with it.
  const digest = new Uint8Array(view.buffer, view.byteOffset + 12, DIGEST_BYTES).slice()
  if (size === 0n && !equalBytes(digest, EMPTY_DIGEST)) throw refuse(`piece ${index} of 0 bytes whose digest is not that of 0 bytes`)
  return { index, size: Number(size), digest }
}

function readClaim (view: DataView, bounds: Bounds): ClaimRecord {
  return { index: readIndex(view, bounds), elapsedMs: view.getUint32(4), estimateMs: view.getUint32(8) }
}

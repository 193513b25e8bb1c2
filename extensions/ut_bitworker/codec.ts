/**
 * Encodes and decodes ut_bitworker messages (docs/ut_bitworker.md, "ut_bitworker messages"). Pure: one message in, one
 * message out. state.ts knows what a message means on a connection; records.ts knows the form of a record. Decoding is
 * strict: a message is valid as a whole, or rejected.
 */
import { decode, encode } from '../../lib/base/bencode.ts'
import type { Bdict, Bvalue } from '../../lib/base/bencode.ts'
import { BitWorkerError } from '../../lib/base/errors.ts'
import { DIGEST_BYTES, MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_RECORDS, MAX_TOKENS } from './constants.ts'
import { demand, refuse } from './record-fields.ts'
import type { Bounds } from './record-fields.ts'
import { RECORD_KEYS, packRecords, readRecords, recordBytes } from './records.ts'
import type { RecordKey, Records } from './records.ts'

/** One message. */
export interface Message extends Records {
  /** the task digest, 32 bytes */
  task?: Uint8Array
}

/**
 * Encodes the message as bencoded dictionaries. There are several if a key has more than MAX_RECORDS records, or all
 * keys together more than MAX_MESSAGE_BYTES; none if the message is empty. Received in order, they have the same
 * meaning. Times are rounded as by `roundClaim`.
 *
 * @throws BitWorkerError 'BW_ERR_RECORD' (blame 'usage') for an index, size, digest or peer id that does not fit a
 * record
 */
export function encodeMessages (message: Message): Uint8Array[] {
  const dicts: Draft[] = []
  if (message.task !== undefined) {
    demand(message.task.length === DIGEST_BYTES, 'task', message.task.length)
    append(dicts, 'task', message.task)
  }
  for (const key of RECORD_KEYS) {
    const records: readonly unknown[] = message[key] ?? []
    // batches count the results of their own message
    if (key === 'batches' && records.length > 0) makeRoom(dicts, roomOf(key, records) + roomOf('results', message.results))
    const most = Math.min(MAX_RECORDS, Math.floor((MAX_MESSAGE_BYTES - KEY_ROOM) / recordBytes(key)))
    for (let start = 0; start < records.length; start += most) {
      append(dicts, key, packRecords(key, records.slice(start, start + most) as never))
    }
  }
  return dicts.map(({ dict }) => encode(dict))
}

/** Room for a key, the digits of its length and of the value's, their colons, and the ends of the dictionary. */
const KEY_ROOM = 32

function roomOf (key: RecordKey, records: readonly unknown[] = []): number {
  return records.length * recordBytes(key) + KEY_ROOM
}

interface Draft { dict: Bdict, bytes: number }

/** Begins a new dictionary if this much does not fit the current one. */
function makeRoom (dicts: Draft[], size: number): void {
  const last = dicts.at(-1)
  if (last !== undefined && last.bytes + size > MAX_MESSAGE_BYTES) dicts.push({ dict: new Map(), bytes: 0 })
}

/** Appends a key to the current dictionary or a new one, never to an earlier one: records keep their order. */
function append (dicts: Draft[], key: string, bytes: Uint8Array): void {
  const size = bytes.length + KEY_ROOM
  const last = dicts.at(-1)
  if (last === undefined || last.dict.has(key) || last.bytes + size > MAX_MESSAGE_BYTES) {
    dicts.push({ dict: new Map([[key, bytes]]), bytes: size })
  } else {
    last.dict.set(key, bytes)
    last.bytes += size
  }
}

/**
 * Decodes one message. Unknown keys are ignored.
 *
 * @param bounds the task's limits; without them (no metadata yet), only `task` may be present
 * @throws BitWorkerError 'BW_ERR_PEER_MESSAGE' (blame 'peer') for everything that docs/ut_bitworker.md calls a
 * violation
 */
export function decodeMessage (bytes: Uint8Array, bounds?: Bounds): Message {
  const dict = decodeRoot(bytes)
  const task = dict.get('task')
  const message: Message = task === undefined ? {} : { task: taskDigest(task) }
  for (const key of RECORD_KEYS) {
    const value = dict.get(key)
    if (value !== undefined) Object.assign(message, recordsOf(key, value, bounds))
  }
  checkBatches(message)
  return message
}

function checkBatches ({ batches = [], results = [] }: Message): void {
  let end = 0
  for (const { count } of batches) {
    const start = end
    end += count
    if (end > results.length) throw refuse(`batches of ${end} results in a message with ${results.length}`)
    const pieces = new Set(results.slice(start, end).map(({ index }) => index))
    if (pieces.size < count) throw refuse('a batch with two results of one piece')
  }
}

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
  if (!(value instanceof Uint8Array) || value.length !== DIGEST_BYTES) {
    throw refuse(`task is not a string of ${DIGEST_BYTES} bytes`)
  }
  return value.slice()
}

function recordsOf (key: RecordKey, value: Bvalue, bounds: Bounds | undefined): Records {
  if (bounds === undefined) throw refuse(`${key} before the task digest`)
  if (!(value instanceof Uint8Array)) throw refuse(`${key} is not a string`)
  const count = value.length / recordBytes(key)
  if (!Number.isInteger(count)) {
    throw refuse(`${key} has ${value.length} bytes, which is not a multiple of ${recordBytes(key)}`)
  }
  if (count > MAX_RECORDS) throw refuse(`${key} has ${count} records, more than ${MAX_RECORDS}`)
  return readRecords(key, value, bounds)
}

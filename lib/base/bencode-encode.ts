/** Encodes plain values as canonical bencode (BEP 3). lib/base/bencode.ts re-exports it. */
import bencode from 'bencode'
import { compareBytes } from './digest.ts'
import { BitWorkerError } from './errors.ts'

/** The values that `encode` accepts. Strings are written as UTF-8; `undefined` entries of a dictionary are omitted. */
export type Encodable = number | string | Uint8Array | readonly Encodable[]
  | ReadonlyMap<string, Encodable | undefined> | { readonly [key: string]: Encodable | undefined }

/**
 * How deep lists and dictionaries may be nested when they are read or written, so that recursion cannot exhaust the
 * stack.
 */
export const MAX_DEPTH = 32

const D = 0x64
const E = 0x65
const L = 0x6c
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Encodes a value canonically, so that `decode` accepts the result. BEP 3. Throws BW_ERR_BENCODE for values that
 * bencode cannot represent (fractions, unsafe integers, lone surrogates, other types) and for values that are too deep
 * for `decode`.
 */
export function encode (value: Encodable): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = []
  write(value, 1, chunks)
  return concatBytes(chunks)
}

/** Joins byte arrays into a new one. */
export function concatBytes (chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  // `new Uint8Array` would fill the memory with zeros, and allocate anything above 64 bytes from the system.
  const { buffer, byteOffset, length } = Buffer.allocUnsafe(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  const joined = new Uint8Array(buffer, byteOffset, length)
  let offset = 0
  for (const chunk of chunks) {
    joined.set(chunk, offset)
    offset += chunk.length
  }
  return joined
}

/**
 * The bencode package encodes the numbers only. It would copy byte strings, the bulk of a message, once more, and it
 * sorts keys by UTF-16 code units; BEP 3 sorts them by bytes.
 */
function write (value: Encodable, depth: number, chunks: Uint8Array[]): void {
  if (value instanceof Uint8Array) return writeBytes(value, chunks)
  if (typeof value === 'string') return writeBytes(bytesOf(value), chunks)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw unencodable(`the number ${value}`)
    chunks.push(bencode.encode(value))
    return
  }
  if (!isCollection(value)) throw unencodable(`a value of type ${value === null ? 'null' : typeof value}`)
  if (depth > MAX_DEPTH) throw unencodable(`nesting more than ${MAX_DEPTH} deep`)
  if (isList(value)) {
    chunks.push(Uint8Array.of(L))
    for (const item of value) write(item, depth + 1, chunks)
  } else {
    chunks.push(Uint8Array.of(D))
    for (const [key, item] of sortedEntries(value)) {
      writeBytes(key, chunks)
      write(item, depth + 1, chunks)
    }
  }
  chunks.push(Uint8Array.of(E))
}

function writeBytes (bytes: Uint8Array, chunks: Uint8Array[]): void {
  chunks.push(Buffer.from(`${bytes.length}:`), bytes)
}

function bytesOf (text: string): Uint8Array {
  if (LONE_SURROGATE.test(text)) throw unencodable('a string with a lone surrogate')
  return Buffer.from(text)
}

/** Accepts lists, maps and plain objects. A Date or a Set would silently become an empty dictionary. */
function isCollection (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return isList(value) || value instanceof Map || prototype === Object.prototype || prototype === null
}

// Array.isArray() does not narrow a readonly array.
function isList (value: object): value is readonly Encodable[] {
  return Array.isArray(value)
}

function sortedEntries (
  dict: Exclude<Encodable, number | string | Uint8Array | readonly Encodable[]>
): Array<[Uint8Array, Encodable]> {
  const entries: Array<[string, Encodable | undefined]> = dict instanceof Map ? [...dict] : Object.entries(dict)
  return entries
    .filter((entry): entry is [string, Encodable] => entry[1] !== undefined)
    .map(([key, item]): [Uint8Array, Encodable] => [bytesOf(key), item])
    .sort(([a], [b]) => compareBytes(a, b))
}

function unencodable (what: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_BENCODE', 'usage', `Bencode cannot represent ${what}.`)
}

/**
 * The writing half of lib/bencode.ts, which re-exports it: canonical bencode (BEP 3) from plain values.
 */
import bencode from 'bencode'
import { BitWorkerError } from './errors.ts'

/** What `encode` takes: strings become UTF-8, `undefined` entries of a dictionary are left out. */
export type Encodable = number | string | Uint8Array | readonly Encodable[]
  | ReadonlyMap<string, Encodable | undefined> | { readonly [key: string]: Encodable | undefined }

/** How deep lists and dictionaries may be nested, read or written: recursion stays far from the end of the stack. */
export const MAX_DEPTH = 32

const D = 0x64
const E = 0x65
const L = 0x6c
const utf8 = new TextEncoder()
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * Encodes canonically, so that `decode` accepts the result. Throws BW_ERR_BENCODE for what bencode cannot say (fractions,
 * unsafe integers, lone surrogates, other types) and for what `decode` would find too deep. BEP 3.
 */
export function encode (value: Encodable): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array[] = []
  write(value, 1, chunks)
  return concatBytes(chunks)
}

/** Joins byte arrays into a new one. */
export function concatBytes (chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    joined.set(chunk, offset)
    offset += chunk.length
  }
  return joined
}

/** Scalars are the bencode package's work. Order is ours: that package sorts keys by UTF-16 code units, BEP 3 by bytes. */
function write (value: Encodable, depth: number, chunks: Uint8Array[]): void {
  if (typeof value === 'number' || typeof value === 'string' || value instanceof Uint8Array) {
    chunks.push(encodeScalar(value))
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
      chunks.push(key)
      write(item, depth + 1, chunks)
    }
  }
  chunks.push(Uint8Array.of(E))
}

function encodeScalar (value: number | string | Uint8Array): Uint8Array {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) throw unencodable(`the number ${value}`)
  if (typeof value === 'string' && LONE_SURROGATE.test(value)) throw unencodable('a string with a lone surrogate')
  return bencode.encode(value)
}

/** Lists, maps and plain objects; a Date or a Set would become an empty dictionary without a word. */
function isCollection (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return isList(value) || value instanceof Map || prototype === Object.prototype || prototype === null
}

// Array.isArray() does not narrow a readonly array.
function isList (value: object): value is readonly Encodable[] {
  return Array.isArray(value)
}

function sortedEntries (dict: Exclude<Encodable, number | string | Uint8Array | readonly Encodable[]>): Array<[Uint8Array, Encodable]> {
  const entries: Array<[string, Encodable | undefined]> = dict instanceof Map ? [...dict] : Object.entries(dict)
  return entries
    .filter((entry): entry is [string, Encodable] => entry[1] !== undefined)
    .map(([key, item]) => ({ raw: utf8.encode(key), key, item }))
    .sort((a, b) => Buffer.compare(a.raw, b.raw))
    .map(({ key, item }) => [encodeScalar(key), item])
}

function unencodable (what: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_BENCODE', 'usage', `Bencode cannot hold ${what}.`)
}

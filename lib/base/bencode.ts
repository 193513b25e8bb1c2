/**
 * Decodes bencode (BEP 3). This strict, bounded reader is the only one for input from outside: task files, metadata,
 * our own messages. It must not know any particular dictionary. Called by lib/task/ and
 * extensions/ut_bitworker/codec.ts.
 */
import { MAX_DEPTH } from './bencode-encode.ts'
import { compareBytes } from './digest.ts'
import { BitWorkerError } from './errors.ts'

export { concatBytes, encode } from './bencode-encode.ts'
export type { Encodable } from './bencode-encode.ts'

/** A decoded value. Byte strings are views of the decoded bytes, not copies. */
export type Bvalue = number | Uint8Array | Bvalue[] | Bdict

/** A decoded dictionary, its keys in the order received. */
export type Bdict = Map<string, Bvalue>

/** Limits of `decode`. */
export interface DecodeLimits {
  /** nesting of lists and dictionaries; default and maximum 32, so that recursion stays shallow */
  maxDepth?: number
  /** values and keys in total, so that a few bytes of input cannot take up much memory; default 200 000 */
  maxTokens?: number
  /** length of the input; default 4 MiB */
  maxBytes?: number
  /** accepts a root dictionary with unsorted keys (legacy task files), but never with duplicate keys; default false */
  unsortedRootKeys?: boolean
}

/** A decoded root dictionary, with access to the bytes that it was decoded from. */
export interface DecodedDict {
  dict: Bdict
  /** whether the root's keys were sorted, as BEP 3 requires */
  sorted: boolean
  /**
   * Returns the bytes of a root key's value as received, for hashing. Throws BW_ERR_BENCODE if there is no such key.
   */
  span: (key: string) => Uint8Array
}

const MAX_TOKENS = 200_000
const MAX_BYTES = 4 * 1024 * 1024

const COLON = 0x3a
const MINUS = 0x2d
const D = 0x64
const E = 0x65
const I = 0x69
const L = 0x6c

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Decodes one canonical bencoded value: sorted unique UTF-8 keys, no leading zeros, no trailing bytes, integers up to
 * 2^53 - 1. Throws BW_ERR_BENCODE for anything else. BEP 3.
 */
export function decode (bytes: Uint8Array, limits: DecodeLimits = {}): Bvalue {
  return new Reader(bytes, limits).root()
}

/** Decodes a dictionary like `decode`, and records where each of its values was. Throws BW_ERR_BENCODE. */
export function decodeDict (bytes: Uint8Array, limits: DecodeLimits = {}): DecodedDict {
  const reader = new Reader(bytes, limits)
  const dict = reader.root()
  if (!(dict instanceof Map)) throw malformed('it is not a dictionary')
  return { dict, sorted: reader.rootSorted, span: key => reader.span(key) }
}

/** The text of a byte string, or undefined if the value is not a byte string or not UTF-8. */
export function textOf (value: Bvalue | undefined): string | undefined {
  if (!(value instanceof Uint8Array)) return undefined
  try {
    return utf8.decode(value)
  } catch {
    return undefined
  }
}

class Reader {
  rootSorted = true
  readonly #bytes: Uint8Array
  readonly #maxDepth: number
  readonly #unsortedRootKeys: boolean
  readonly #spans = new Map<string, Uint8Array>()
  #tokensLeft: number
  #pos = 0

  constructor (bytes: Uint8Array, limits: DecodeLimits) {
    const maxBytes = limits.maxBytes ?? MAX_BYTES
    if (!(bytes instanceof Uint8Array)) throw malformed('it is not a Uint8Array')
    if (bytes.length > maxBytes) throw malformed(`it has ${bytes.length} bytes, more than the ${maxBytes} allowed`)
    // A plain view: subarray() of a subclass (Buffer) would return that subclass.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#maxDepth = Math.min(limits.maxDepth ?? MAX_DEPTH, MAX_DEPTH)
    this.#tokensLeft = limits.maxTokens ?? MAX_TOKENS
    this.#unsortedRootKeys = limits.unsortedRootKeys ?? false
  }

  root (): Bvalue {
    const value = this.#value(1)
    if (this.#pos < this.#bytes.length) this.#fail('bytes follow the end')
    return value
  }

  span (key: string): Uint8Array {
    const span = this.#spans.get(key)
    if (span === undefined) {
      throw new BitWorkerError('BW_ERR_BENCODE', 'usage', `The dictionary has no key ${JSON.stringify(key)}.`)
    }
    return span
  }

  #value (depth: number): Bvalue {
    const first = this.#bytes[this.#pos]
    if (first === I) return this.#integer()
    if (first === L) return this.#list(depth)
    if (first === D) return this.#dict(depth)
    return this.#string()
  }

  #integer (): number {
    this.#countToken()
    this.#pos++
    const negative = this.#bytes[this.#pos] === MINUS
    if (negative) this.#pos++
    const n = this.#digits(E)
    if (negative && n === 0) this.#fail('negative zero')
    return negative ? -n : n
  }

  #string (): Uint8Array {
    this.#countToken()
    const length = this.#digits(COLON)
    if (length > this.#bytes.length - this.#pos) this.#fail('it ends within a string')
    this.#pos += length
    return this.#bytes.subarray(this.#pos - length, this.#pos)
  }

  #list (depth: number): Bvalue[] {
    this.#open(depth)
    const list: Bvalue[] = []
    while (!this.#close()) list.push(this.#value(depth + 1))
    return list
  }

  #dict (depth: number): Bdict {
    this.#open(depth)
    const dict: Bdict = new Map()
    let last: Uint8Array | undefined
    while (!this.#close()) {
      const raw = this.#string()
      const key = textOf(raw) ?? this.#fail('a key is not UTF-8')
      if (dict.has(key)) this.#fail('a key comes twice')
      if (last !== undefined && compareBytes(last, raw) > 0) this.#onUnsorted(depth)
      last = raw
      const start = this.#pos
      dict.set(key, this.#value(depth + 1))
      if (depth === 1) this.#spans.set(key, this.#bytes.subarray(start, this.#pos))
    }
    return dict
  }

  #onUnsorted (depth: number): void {
    if (depth > 1 || !this.#unsortedRootKeys) this.#fail('keys are not sorted')
    this.rootSorted = false
  }

  #open (depth: number): void {
    this.#countToken()
    if (depth > this.#maxDepth) this.#fail(`it is nested more than ${this.#maxDepth} deep`)
    this.#pos++
  }

  /** If the end mark of a list or dictionary comes next, skips it and returns true. */
  #close (): boolean {
    if (this.#bytes[this.#pos] !== E) return false
    this.#pos++
    return true
  }

  /** Reads an unsigned number up to and including the byte `until`. Stops within 17 bytes, whatever they are. */
  #digits (until: number): number {
    const start = this.#pos
    let n = 0
    for (; this.#pos < this.#bytes.length && this.#bytes[this.#pos] !== until; this.#pos++) {
      const digit = this.#bytes[this.#pos]! - 0x30
      if (digit < 0 || digit > 9) this.#fail('a digit was expected')
      if (n === 0 && this.#pos > start) this.#fail('a number with a leading zero')
      n = n * 10 + digit
      if (n > Number.MAX_SAFE_INTEGER) this.#fail('a number beyond 2^53')
    }
    if (this.#pos >= this.#bytes.length) this.#fail('it ends too early')
    if (this.#pos === start) this.#fail('a number without digits')
    this.#pos++
    return n
  }

  #countToken (): void {
    if (--this.#tokensLeft < 0) this.#fail('it has too many values')
  }

  #fail (why: string): never {
    throw malformed(`${why} (at byte ${this.#pos})`)
  }
}

function malformed (why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_BENCODE', 'input', `This is not canonical bencode: ${why}.`)
}

/**
 * Fixes weaknesses of `bittorrent-protocol` for every wire, of tasks and of ordinary torrents: messages of unlimited or
 * wrong length, and extended handshakes and public keys (MSE) that would throw. docs/SECURITY.md, "Inherited", explains
 * each one. wire-limits.ts has the limits that apply only to tasks.
 *
 * Installed by package-guards.ts at start-up. If a method is missing, that is an error, not a hole.
 */
import bencode from 'bencode'
import Wire from 'bittorrent-protocol'
import { inheritedMethod } from '../base/inherited.ts'
import { assembleOnce } from './wire-buffer.ts'
import type { AssemblingWire } from './wire-buffer.ts'

/** The longest legitimate message is a bitfield of 2^20 pieces (128 KiB) or a block of 128 KiB; extensions use less. */
const MAX_MESSAGE_BYTES = 1 << 20
/** BEP 10: a dictionary of a few short entries; the largest in use have some hundred bytes. */
const MAX_HANDSHAKE_BYTES = 1 << 16
/** Extended handshakes on one connection: each can ask for the whole metadata again, and add names to a table. */
const MAX_HANDSHAKES = 20

/** Bytes of each message with a fixed length, including its id (BEP 3, BEP 5, BEP 6). */
const LENGTHS = new Map([
  [0, 1], [1, 1], [2, 1], [3, 1], [4, 5], [6, 13], [8, 13], [9, 3], [13, 5], [14, 1], [15, 1], [16, 13], [17, 5]
])
/** Minimum length of the others: piece, extended. */
const LEAST_LENGTHS = new Map([[7, 9], [20, 2]])

interface Encryptor {
  generateStepB2: (this: Encryptor) => Uint8Array
  handleStepA2: (this: Encryptor, data: Uint8Array) => void
}

/** The internals of a wire that are guarded. */
export interface InternalWire {
  _encryptor: Encryptor | null
  _handshakes?: number
  _onMessageLength: (this: InternalWire, buffer: Uint8Array) => void
  _onMessage: (this: InternalWire, buffer: Uint8Array) => void
  _onExtended: (this: InternalWire, id: number, buffer: Uint8Array) => void
  _processBuffer: (this: InternalWire) => void
  _parse (size: number, parser: (this: InternalWire, buffer: Uint8Array) => void): void
  destroy (): void
}

class MalformedError extends Error {}

/** Closes the wire, and ignores what is already buffered. */
export function stop (wire: InternalWire): void {
  wire._parse(Number.MAX_VALUE, () => {})
  wire.destroy()
}

/** The length prefix of a message; bittorrent-protocol reads it as a signed number. */
function messageLength (prefix: Uint8Array): number {
  return new DataView(prefix.buffer, prefix.byteOffset).getUint32(0)
}

function method<K extends keyof InternalWire> (prototype: InternalWire, name: K): NonNullable<InternalWire[K]> {
  return inheritedMethod(prototype, name, 'bittorrent-protocol')
}

/** A message that is too long, or of the wrong length, closes the connection instead of filling the memory. */
function guardMessages (prototype: InternalWire): void {
  const onMessageLength = method(prototype, '_onMessageLength')
  const onMessage = method(prototype, '_onMessage')
  prototype._onMessageLength = function (buffer) {
    if (messageLength(buffer) > MAX_MESSAGE_BYTES) stop(this)
    else onMessageLength.call(this, buffer)
  }
  prototype._onMessage = function (buffer) {
    const id = buffer[0]!
    const isRight =
      buffer.length === (LENGTHS.get(id) ?? buffer.length) && buffer.length >= (LEAST_LENGTHS.get(id) ?? 1)
    if (isRight) onMessage.call(this, buffer)
    else stop(this)
  }
}

/**
 * An extended handshake whose `m` is not a dictionary of numbers closes the connection instead of ending the process.
 */
function guardHandshake (prototype: InternalWire): void {
  const onExtended = method(prototype, '_onExtended')
  prototype._onExtended = function (id, buffer) {
    if (id === 0) {
      this._handshakes = (this._handshakes ?? 0) + 1
      if (this._handshakes > MAX_HANDSHAKES || buffer.length > MAX_HANDSHAKE_BYTES || !isHarmless(buffer)) {
        return stop(this)
      }
    }
    onExtended.call(this, id, buffer)
  }
}

function isHarmless (handshake: Uint8Array): boolean {
  let info: unknown
  try {
    info = bencode.decode(handshake)
  } catch {
    return true // a handshake that cannot be decoded is ignored
  }
  if (!isPlain(info)) return false
  const { m } = info
  return m === undefined || (isPlain(m) && Object.values(m).every(id => typeof id === 'number'))
}

/** True for a dictionary whose keys did not change its prototype. */
function isPlain (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** A public key (MSE) outside its group closes the connection instead of ending the process. */
function guardEncryption (prototype: InternalWire): void {
  const { _encryptor: encryptor } = new Wire('tcpIncoming', 1) as unknown as InternalWire
  const steps = Object.getPrototypeOf(encryptor) as Encryptor
  const { generateStepB2, handleStepA2 } = steps
  if (typeof generateStepB2 !== 'function' || typeof handleStepA2 !== 'function') {
    throw new Error('bittorrent-protocol has changed: its encryption cannot be guarded.')
  }
  steps.generateStepB2 = function () { return orMalformed(() => generateStepB2.call(this)) }
  steps.handleStepA2 = function (data) { orMalformed(() => { handleStepA2.call(this, data) }) }
  const processBuffer = method(prototype, '_processBuffer')
  prototype._processBuffer = function () {
    try {
      processBuffer.call(this)
    } catch (err) {
      if (!(err instanceof MalformedError)) throw err
      stop(this)
    }
  }
}

function orMalformed<T> (fn: () => T): T {
  try {
    return fn()
  } catch (err) {
    throw new MalformedError('an invalid public key', { cause: err })
  }
}

/** Installs the guards. */
export function guardWires (): void {
  const prototype = Wire.prototype as InternalWire
  assembleOnce(Wire.prototype as AssemblingWire, MAX_MESSAGE_BYTES)
  guardMessages(prototype)
  guardHandshake(prototype)
  guardEncryption(prototype)
}

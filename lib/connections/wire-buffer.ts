/**
 * Receives a long message without copying it for each part that arrives, as bittorrent-protocol does: a message of 1
 * MiB that arrives byte by byte would cost half a terabyte of copying. For every wire; installed by wire-guards.ts.
 */

import { inheritedMethod } from '../base/inherited.ts'

/** The received part of a message; the buffer may be longer. */
interface Held { readonly bytes: Uint8Array, readonly length: number }

/** The part of a wire that assembles messages. */
export interface AssemblingWire {
  readonly _bufferSize: number
  readonly _parserSize: number
  readonly _cryptoSyncPattern: unknown
  _held?: Held | null
  _write: (this: AssemblingWire, data: Uint8Array, cb: (err?: Error | null) => void) => void
}

/** @param maxBytes limit for a message; the parser of a closed wire waits for more, which is discarded */
export function assembleOnce (prototype: AssemblingWire, maxBytes: number): void {
  const write = inheritedMethod(prototype, '_write', 'bittorrent-protocol')
  prototype._write = function (data, cb) {
    const held = this._held ?? null
    const missing = this._parserSize - this._bufferSize - (held?.length ?? 0)
    const isExchangingKeys = this._cryptoSyncPattern !== null
    if (!isExchangingKeys && missing > maxBytes) {
      this._held = null
      return cb(null)
    }
    if (!isExchangingKeys && data.length < missing) {
      this._held = append(held, data, missing)
      return cb(null)
    }
    this._held = null
    write.call(this, held === null ? data : Buffer.concat([held.bytes.subarray(0, held.length), data]), cb)
  }
}

/** The buffer doubles in size, so that each byte is copied at most twice, and a mere announcement takes no memory. */
function append (held: Held | null, data: Uint8Array, missing: number): Held {
  const from = held?.length ?? 0
  const length = from + data.length
  let bytes = held?.bytes ?? Buffer.allocUnsafeSlow(Math.min(missing, Math.max(1024, 2 * length)))
  if (bytes.length < length) {
    const larger = Buffer.allocUnsafeSlow(Math.min(from + missing, 2 * length))
    larger.set(bytes.subarray(0, from))
    bytes = larger
  }
  bytes.set(data, from)
  return { bytes, length }
}

/**
 * Limits the cost of one peer of a task: size and number of its messages, unrequested blocks, and the memory used for
 * it. Called by torrent.ts for each wire that takes part in a task. wire-guards.ts has the limits for peers of any
 * torrent; neighbours.ts knows what messages mean.
 *
 * A peer that sends more than its limit is read more slowly, so that its own sending stalls: a flood costs other peers
 * nothing, and an honest peer that is merely busy is never disconnected for it. Anything that no honest peer does is a
 * violation.
 */
import BitField from 'bitfield'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import type { BitField as Bits, Wire } from '../base/wire.ts'
import { stop } from './wire-guards.ts'
import type { InternalWire } from './wire-guards.ts'

/** Messages per second, except blocks and requests for them: at about 10 µs each, a flood takes 1 % of a core. */
const MESSAGES_PER_SECOND = 1_000
/** Messages at once; and the same number again per piece, which has a claim, a release, a result and a bit. */
const MESSAGE_BURST = 4_000
const MESSAGES_PER_PIECE = 4
/** A longer message counts as several: its records take time, too. */
const BYTES_PER_UNIT = 256
/** One or two per minute are usual. */
const KEEP_ALIVES_PER_SECOND = 10
const KEEP_ALIVE_BURST = 100
/** Bytes that wait for a peer that does not read: 250 requests of 16 KiB are 4 MiB. */
const MAX_UNREAD_BYTES = 16 << 20
/** Additional bytes per piece: its result (44) and its bit (9). */
const UNREAD_BYTES_PER_PIECE = 64
/**
 * How often a peer may send its whole bitfield: at the start, and when it gets the metadata. Each time, every piece is
 * checked.
 */
const MAX_BITFIELDS = 16
/** A peer may be silent for this long: BEP 3's keep-alives come every two minutes. */
const MAX_SILENCE_MS = 240_000

const nothing = (): void => {}

interface Request { piece: number, offset: number, length: number }
type WriteCallback = (err?: Error | null) => void

interface TaskWire extends InternalWire {
  peerPieces: Bits
  readonly requests: readonly Request[]
  readonly _parser: unknown
  readonly _readableState: { readonly buffered: number }
  _onKeepAlive (): void
  _onHave (index: number): void
  _onBitField (bits: Uint8Array): void
  _onHaveAll (): void
  _onHaveNone (): void
  _onPiece (index: number, offset: number, block: Uint8Array): void
  _callback (request: Request | null, err: Error | null, block: Uint8Array | null): void
  _push (data: Uint8Array): unknown
  _write (data: Uint8Array, cb: WriteCallback): void
  reject (index: number, offset: number, length: number): void
  end (data?: unknown): unknown
  once (event: 'close', listener: () => void): void
}

/** Limits the peer of a task from now on. Violations are reported to `ext`, which counts them. */
export function limitWire (
  wire: Wire, ext: UtBitworker, pieceCount: number, now: () => number = () => performance.now()
): void {
  const limits = new WireLimits(wire as unknown as TaskWire, ext, pieceCount, now)
  limits.boundKeepAlives()
  limits.throttle()
  limits.checkBits()
  limits.dropUnrequested()
  limits.boundUnread()
  limits.noticeSilence()
}

class WireLimits {
  readonly #wire: TaskWire
  readonly #ext: UtBitworker
  readonly #pieceCount: number
  readonly #now: () => number
  readonly #messages: TokenBucket

  constructor (wire: TaskWire, ext: UtBitworker, pieceCount: number, now: () => number) {
    this.#wire = wire
    this.#ext = ext
    this.#pieceCount = pieceCount
    this.#now = now
    this.#messages = new TokenBucket(MESSAGES_PER_SECOND, MESSAGE_BURST + MESSAGES_PER_PIECE * pieceCount, now())
  }

  boundKeepAlives (): void {
    const wire = this.#wire
    const bucket = new TokenBucket(KEEP_ALIVES_PER_SECOND, KEEP_ALIVE_BURST, this.#now())
    const onKeepAlive = wire._onKeepAlive.bind(wire)
    wire._onKeepAlive = () => {
      if (bucket.take(1, this.#now()) === 0) return onKeepAlive()
      // the parser is set after this function returns, and must then continue with the next message
      this.#ext.reportViolation('sent nothing but keep-alive messages')
      queueMicrotask(() => { this.#ext.close() })
    }
  }

  /** Counts all messages except blocks, which we requested, and requests, which are limited where they are served. */
  throttle (): void {
    const wire = this.#wire
    const onMessage = wire._onMessage.bind(wire)
    const write = wire._write.bind(wire)
    const reject = wire.reject.bind(wire)
    const end = wire.end.bind(wire)
    wire._onMessage = buffer => {
      const id = buffer[0]!
      if (id !== 6 && id !== 7 && id !== 8) this.#messages.take(1 + buffer.length / BYTES_PER_UNIT, this.#now())
      onMessage(buffer)
    }
    wire.reject = (index, offset, length) => {
      this.#messages.take(1, this.#now())
      reject(index, offset, length)
    }
    let isEnded = false
    let goOn = nothing
    wire._write = (data, cb) => {
      write(data, err => {
        const waitMs = this.#messages.take(0, this.#now())
        if (waitMs === 0 || isEnded) return cb(err)
        const timer = setTimeout(() => { goOn() }, waitMs)
        timer.unref()
        goOn = () => {
          goOn = nothing
          clearTimeout(timer)
          cb(err)
        }
      })
    }
    // the end must follow what was written
    wire.end = data => {
      isEnded = true
      goOn()
      return end(data)
    }
  }

  /** Bits may be repeated at any time, for existing pieces. Earlier bits remain set. */
  checkBits (): void {
    const wire = this.#wire
    const onHave = wire._onHave.bind(wire)
    const onBitField = wire._onBitField.bind(wire)
    const onHaveAll = wire._onHaveAll.bind(wire)
    const onHaveNone = wire._onHaveNone.bind(wire)
    const byteLength = Math.ceil(this.#pieceCount / 8)
    const early = wire.peerPieces.buffer
    if (wire.peerPieces instanceof BitField && early.length !== byteLength) wire.peerPieces = fitted(early, byteLength)
    let count = 0
    const bounded = (fn: () => void): void => {
      if (++count > MAX_BITFIELDS) this.#close(`sent more than ${MAX_BITFIELDS} bitfields`)
      else fn()
    }
    wire._onHave = index => {
      if (index >= 0 && index < this.#pieceCount) onHave(index)
      else this.#ext.reportViolation(`announced piece ${index >>> 0}, which the task does not have`)
    }
    wire._onBitField = bits => {
      const spare = byteLength * 8 - this.#pieceCount
      if (bits.length !== byteLength || (bits[byteLength - 1]! & ((1 << spare) - 1)) !== 0) {
        return this.#close(`sent a bitfield that does not have ${this.#pieceCount} pieces`)
      }
      bounded(() => { onBitField(union(wire.peerPieces.buffer, bits)) })
    }
    wire._onHaveAll = () => { bounded(onHaveAll) }
    wire._onHaveNone = () => { bounded(onHaveNone) }
  }

  /** Accepts a block if it was requested. A request that ended without a block may still be answered late. */
  dropUnrequested (): void {
    const wire = this.#wire
    const onPiece = wire._onPiece.bind(wire)
    const callback = wire._callback.bind(wire)
    let late = 0
    wire._callback = (request, err, block) => {
      if (request !== null && err !== null) late++
      callback(request, err, block)
    }
    wire._onPiece = (index, offset, block) => {
      const isRequested = wire.requests.some(request =>
        request.piece === index && request.offset === offset && request.length === block.length)
      if (isRequested) onPiece(index, offset, block)
      else if (late > 0) late--
      else this.#ext.reportViolation(`sent ${block.length} bytes of piece ${index >>> 0} that were not requested`)
    }
  }

  boundUnread (): void {
    const wire = this.#wire
    const push = wire._push.bind(wire)
    const most = MAX_UNREAD_BYTES + UNREAD_BYTES_PER_PIECE * this.#pieceCount
    wire._push = data => {
      if (wire._readableState.buffered <= most) return push(data)
      this.#close('does not read what is sent to it')
      return false
    }
  }

  noticeSilence (): void {
    const wire = this.#wire
    const timer = setTimeout(() => { this.#ext.close() }, MAX_SILENCE_MS)
    timer.unref()
    const write = wire._write.bind(wire)
    wire._write = (data, cb) => {
      timer.refresh()
      write(data, cb)
    }
    wire.once('close', () => { clearTimeout(timer) })
  }

  #close (reason: string): void {
    this.#ext.reportViolation(reason)
    this.#ext.close()
    stop(this.#wire)
  }
}

/** The bits of existing pieces. */
function fitted (bits: Uint8Array, byteLength: number): Bits {
  const exact = new Uint8Array(byteLength)
  exact.set(bits.subarray(0, byteLength))
  return new BitField(exact)
}

/** The bits that are set in either of the two, which have the same length; `known` may be empty. */
function union (known: Uint8Array, bits: Uint8Array): Uint8Array {
  return bits.map((byte, at) => byte | (known[at] ?? 0))
}

/**
 * Closes weaknesses of inherited packages that a remote peer could use to stop this process, before any socket opens:
 * both copies of `bencode` (WebTorrent's and the DHT's), the wire's unbounded messages, and `ut_metadata`'s unchecked
 * piece number. docs/SECURITY.md, "Inherited", says what each one is.
 *
 * Importing this file installs them; a copy that cannot be found is an error at start-up, not a hole.
 */
import bencode from 'bencode'
import Wire from 'bittorrent-protocol'
import dhtBencode from 'k-rpc-socket/node_modules/bencode/lib/index.js'
import type { Wire as WireType } from './webtorrent-types.ts'

/** Nested deeper than any message of BEP 3, 5, 9, 10 and 11. */
const MAX_DEPTH = 64
/** The longest legitimate message is a bitfield of 2^20 pieces (128 KiB) or a block of 128 KiB; extensions use less. */
const MAX_MESSAGE_BYTES = 1 << 20

/** BEP 9. */
const METADATA_PIECE_BYTES = 1 << 14

/** The decoder of `bencode` 2 and 4: one object with the state of the decoding that is under way. */
interface Decode {
  position: number
  data: Uint8Array | null
  next: () => unknown
  buffer: () => unknown
}

interface InternalWire {
  _onMessageLength: (this: InternalWire, buffer: Uint8Array) => void
  _parse (size: number, parser: () => void): void
  destroy (): void
}

/** A string's length is digits, and reading it moves forward; nesting ends somewhere. */
function guardDecode (decode: Decode): void {
  const { buffer, next } = decode
  if (typeof buffer !== 'function' || typeof next !== 'function') throw new Error('bencode has changed: its decoder cannot be guarded')
  let depth = 0
  decode.buffer = () => {
    const { position, data } = decode
    const first = data?.[position] ?? 0
    if (first < 0x30 || first > 0x39) throw new Error(`bencode: no string at ${position}`)
    const value = buffer()
    if (decode.position <= position || decode.position > data!.length) throw new Error(`bencode: bad string length at ${position}`)
    return value
  }
  decode.next = () => {
    // `position` is 0 only at the start of a decoding: an earlier one may have ended by an exception
    if (decode.position === 0) depth = 0
    if (++depth > MAX_DEPTH) throw new Error('bencode: nested too deeply')
    const value = next()
    depth--
    return value
  }
}

/** A message longer than any legitimate one ends the connection instead of filling the memory. */
function guardMessageLength (prototype: InternalWire): void {
  const { _onMessageLength: onMessageLength } = prototype
  if (typeof onMessageLength !== 'function') throw new Error('bittorrent-protocol has changed: its messages cannot be bounded')
  prototype._onMessageLength = function (buffer) {
    const length = new DataView(buffer.buffer, buffer.byteOffset).getUint32(0)
    if (length <= MAX_MESSAGE_BYTES) return onMessageLength.call(this, buffer)
    // nothing of what is buffered already is looked at any more
    this._parse(Number.MAX_VALUE, () => {})
    this.destroy()
  }
}

interface InternalMetadata {
  onMessage?: (bytes: Uint8Array) => void
  onHandshake?: (infoHash: string, peerId: string, extensions: object) => void
  _infoHash?: string
  _metadataSize: number | null
  _onRequest (piece: unknown): void
  _reject (piece: unknown): void
}

/**
 * For each new wire: metadata is checked against the info-hash, pieces that do not exist are refused, and a malformed
 * message closes the connection it came by.
 */
export function guardMetadata (wire: WireType, infoHash: string): void {
  const extension = wire.ut_metadata as unknown as InternalMetadata
  // on an incoming connection the extension comes after the handshake, and without it compares nothing
  if (extension._infoHash === undefined) extension.onHandshake?.(infoHash, wire.peerId ?? '', wire.peerExtensions)
  const onRequest = extension._onRequest.bind(extension)
  extension._onRequest = piece => {
    const pieces = Math.ceil((extension._metadataSize ?? 0) / METADATA_PIECE_BYTES)
    if (Number.isInteger(piece) && Number(piece) >= 0 && Number(piece) < pieces) onRequest(piece)
    else extension._reject(piece)
  }
  const onMessage = extension.onMessage?.bind(extension)
  extension.onMessage = bytes => {
    try {
      onMessage?.(bytes)
    } catch {
      wire.destroy()
    }
  }
}

for (const { decode } of [bencode, dhtBencode] as unknown as Array<{ decode: Decode }>) guardDecode(decode)
guardMessageLength(Wire.prototype)

/**
 * Closes weaknesses of inherited packages that a remote peer could use to stop this process, before any socket opens:
 * both copies of `bencode` (WebTorrent's and the DHT's), and, for each wire, `ut_metadata` and `ut_pex`. The wire itself is
 * wire-guards.ts's business, what finds peers that of discovery/. docs/SECURITY.md, "Inherited", says what each one is.
 *
 * Importing this file installs them; a copy that cannot be found is an error at start-up, not a hole.
 */
import { createHash } from 'node:crypto'
import bencode from 'bencode'
import dhtBencode from 'k-rpc-socket/node_modules/bencode/lib/index.js'
import { guardWebSeeds } from './connections/web-seed-guards.ts'
import { guardDht } from './discovery/dht-guards.ts'
import { guardLan } from './discovery/lan-guards.ts'
import { guardTrackers } from './discovery/tracker-guards.ts'
import { guardWires } from './wire-guards.ts'
import type { Wire } from './webtorrent-types.ts'

/** Nested deeper than any message of BEP 3, 5, 9, 10 and 11. */
const MAX_DEPTH = 64
/** Values in one message or file: two bytes of input can become 50 of memory. A torrent of 100 000 files has fewer. */
const MAX_VALUES = 1_000_000

/** BEP 9. */
const METADATA_PIECE_BYTES = 1 << 14
/** How often a peer may have each piece of the metadata: a request of 30 bytes is answered by 16 KiB. */
const METADATA_COPIES = 4
/** And how often it may ask on top, e.g. before we have it ourselves. */
const METADATA_EARLY = 64
/** More than ten times what BEP 11 allows (50 addresses come, 50 gone): each one named costs a kilobyte here. */
const MAX_PEX_BYTES = 8 * 1024
/** So many bytes of peer exchange from one peer are remembered, to not take the same address twice. */
const PEX_MEMORY_BYTES = 256 * 1024

/** The decoder of `bencode` 2 and 4: one object with the state of the decoding that is under way. */
interface Decode {
  position: number
  data: Uint8Array | null
  next: () => unknown
  buffer: () => unknown
}

/** A string's length is digits, and reading it moves forward; nesting ends somewhere. */
function guardDecode (decode: Decode): void {
  const { buffer, next } = decode
  if (typeof buffer !== 'function' || typeof next !== 'function') throw new Error('bencode has changed: its decoder cannot be guarded')
  let depth = 0
  let values = 0
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
    if (decode.position === 0) depth = values = 0
    if (++values > MAX_VALUES) throw new Error('bencode: too many values')
    if (++depth > MAX_DEPTH) throw new Error('bencode: nested too deeply')
    const value = next()
    depth--
    return value
  }
}

interface InternalMetadata {
  onMessage?: (bytes: Uint8Array) => void
  onHandshake?: (infoHash: string, peerId: string, extensions: object) => void
  metadata?: Uint8Array
  _infoHash?: string
  _metadataSize: number | null
  _numPieces?: number
  _bitfield: { get (piece: number): boolean }
  _onRequest (piece: unknown): void
  _reject (piece: unknown): void
  _checkDone (): Promise<void>
  _failedMetadata (): void
  setMetadata (metadata: Uint8Array): Promise<boolean>
}

/**
 * For each new wire: metadata is checked against the info-hash before it is decoded, pieces that do not exist are refused,
 * and a malformed message, or asking for everything again and again, closes the connection.
 */
export function guardMetadata (wire: Wire, infoHash: string): void {
  const extension = wire.ut_metadata as unknown as InternalMetadata
  // on an incoming connection the extension comes after the handshake, and without it compares nothing
  if (extension._infoHash === undefined) extension.onHandshake?.(infoHash, wire.peerId ?? '', wire.peerExtensions)
  guardMetadataRequests(wire, extension)
  extension._checkDone = async () => {
    const { metadata, _numPieces: pieces = 0 } = extension
    for (let piece = 0; piece < pieces; piece++) if (!extension._bitfield.get(piece)) return
    if (metadata === undefined || createHash('sha1').update(metadata).digest('hex') !== infoHash) return extension._failedMetadata()
    // an author can make metadata that has the hash and is no bencode: a rejection here would be nobody's
    await extension.setMetadata(metadata).catch(() => { wire.destroy() })
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

function guardMetadataRequests (wire: Wire, extension: InternalMetadata): void {
  const onRequest = extension._onRequest.bind(extension)
  let requests = 0
  extension._onRequest = piece => {
    const pieces = Math.ceil((extension._metadataSize ?? 0) / METADATA_PIECE_BYTES)
    if (++requests > METADATA_COPIES * pieces + METADATA_EARLY) wire.destroy()
    else if (Number.isInteger(piece) && Number(piece) >= 0 && Number(piece) < pieces) onRequest(piece)
    else extension._reject(piece)
  }
}

interface InternalPex {
  onMessage: (bytes: Uint8Array) => void
  _remoteAddedPeers: object
  _remoteDroppedPeers: object
}

/** For each new wire: peer exchange cannot fill the memory. */
export function guardPex (wire: Wire): void {
  const extension = wire.ut_pex as unknown as InternalPex | undefined
  if (extension === undefined) return
  const onMessage = extension.onMessage.bind(extension)
  let remembered = 0
  extension.onMessage = bytes => {
    if (bytes.length > MAX_PEX_BYTES) return wire.destroy()
    remembered += bytes.length
    if (remembered > PEX_MEMORY_BYTES) {
      remembered = bytes.length
      extension._remoteAddedPeers = {}
      extension._remoteDroppedPeers = {}
    }
    onMessage(bytes)
  }
}

for (const { decode } of [bencode, dhtBencode] as unknown as Array<{ decode: Decode }>) guardDecode(decode)
guardDht(dhtBencode)
guardTrackers()
guardLan()
guardWebSeeds()
guardWires()

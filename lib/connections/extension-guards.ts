/**
 * What a peer may do by `ut_metadata` (BEP 9) and `ut_pex` (BEP 11), whose packages trust it. Called by torrent.ts for
 * each new wire.
 */
import { sha1Hex } from '../base/digest.ts'
import type { Wire } from '../base/wire.ts'

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
 * For each new wire: metadata is checked against the info-hash before it is decoded, pieces that do not exist are
 * refused, and a malformed message, or asking for everything again and again, closes the connection.
 */
export function guardMetadata (wire: Wire, infoHash: string): void {
  const extension = wire.ut_metadata as unknown as InternalMetadata
  // on an incoming connection the extension comes after the handshake, and without it compares nothing
  if (extension._infoHash === undefined) extension.onHandshake?.(infoHash, wire.peerId ?? '', wire.peerExtensions)
  guardMetadataRequests(wire, extension)
  extension._checkDone = async () => {
    const { metadata, _numPieces: pieces = 0 } = extension
    for (let piece = 0; piece < pieces; piece++) if (!extension._bitfield.get(piece)) return
    if (metadata === undefined || sha1Hex(metadata) !== infoHash) return extension._failedMetadata()
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

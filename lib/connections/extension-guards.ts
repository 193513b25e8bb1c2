/**
 * Limits for peers that use `ut_metadata` (BEP 9) and `ut_pex` (BEP 11), whose packages trust them. Called by
 * torrent.ts for each new wire.
 */
import { sha1Hex } from '../base/digest.ts'
import type { Wire } from '../base/wire.ts'

/** BEP 9. */
const METADATA_PIECE_BYTES = 1 << 14
/** How often a peer may fetch each piece of the metadata: a request of 30 bytes is answered by 16 KiB. */
const METADATA_COPIES = 4
/** Additional requests, e.g. before we have the metadata ourselves. */
const METADATA_EARLY = 64
/** More than ten times what BEP 11 allows (50 addresses added, 50 dropped): each address costs a kilobyte here. */
const MAX_PEX_BYTES = 8 * 1024
/** Bytes of peer exchange by one peer that are remembered, so that the same address is not processed twice. */
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
 * Checks metadata against the info-hash before it is decoded, and rejects pieces that do not exist. A malformed
 * message, or repeated requests for the whole metadata, close the connection. To be called for each new wire.
 */
export function guardMetadata (wire: Wire, infoHash: string): void {
  const extension = wire.ut_metadata as unknown as InternalMetadata
  // on an incoming connection, the extension is installed after the handshake, and would not compare the info-hash
  if (extension._infoHash === undefined) extension.onHandshake?.(infoHash, wire.peerId ?? '', wire.peerExtensions)
  guardMetadataRequests(wire, extension)
  extension._checkDone = async () => {
    const { metadata, _numPieces: pieces = 0 } = extension
    for (let piece = 0; piece < pieces; piece++) if (!extension._bitfield.get(piece)) return
    if (metadata === undefined || sha1Hex(metadata) !== infoHash) return extension._failedMetadata()
    // an author can make metadata that has the hash and is not bencode: the rejection would be unhandled
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

/** Limits the memory that peer exchange can use. To be called for each new wire. */
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

/**
 * Types for the non-public parts of webtorrent 3.0.21 that lib/webtorrent/ overrides or calls. Only lib/webtorrent/
 * uses them: what breaks with another version of WebTorrent breaks there, and is listed here.
 */
import type { EventEmitter } from 'node:events'
import type { ConnPool, InternalPeer, OutgoingConnection } from '../connections/internals.ts'
import type { ThrottleGroup } from '../connections/rate-limit.ts'
import type { DestroyOptions, TorrentOptions, WebTorrentOptions } from './inherited-options.ts'
import type { BitField, Dht, Torrent, TorrentFile, TorrentPiece, WebTorrentClient, Wire } from './types.ts'

/** The result of parse-torrent. */
export interface ParsedTorrent {
  infoHash: string
  info?: unknown
  name?: string
  announce: string[]
  urlList: string[]
  [key: string]: unknown
}

/** The part of a chunk store that a torrent uses when it ends. */
export interface ClosableStore {
  close (cb: (err?: Error | null) => void): void
  destroy (cb: (err?: Error | null) => void): void
}

/** A selection of pieces (webtorrent/lib/selections.js). */
export interface Selection { from: number, to: number, priority?: number, notify?: () => void }

/** The class of torrent-discovery. */
export interface Discovery extends EventEmitter {
  readonly tracker: object | null
  readonly dht: object | null
  readonly lsd: object | null
  complete (): void
  destroy (): void
}

export type DestroyCallback = (err?: Error | null) => void

/** The internals of webtorrent/lib/torrent.js. */
export interface InternalTorrent extends Torrent {
  client: InternalClient
  addUID: boolean
  announce: string[]
  private?: boolean
  so?: number[]
  xs?: string | string[]
  urlList: string[]
  path: string
  metadata: Uint8Array | null
  torrentFile: Uint8Array
  magnetURI: string
  name: string
  files: TorrentFile[]
  pieces: Array<TorrentPiece | null>
  bitfield: BitField
  store: ClosableStore | null
  discovery: Discovery | null
  done: boolean
  ready: boolean
  paused: boolean
  received: number
  _hashes: unknown[]
  _reservations: unknown[]
  _rechokeNumSlots: number
  _numConns: number
  _numPending: number
  /** peers to be called */
  _queue: InternalPeer[]
  _peers: Map<string, InternalPeer> | null
  _selections: Iterable<Selection> & { readonly length: number, clear (): void }
  _startAsDeselected: boolean
  _noPeersIntervalId: NodeJS.Timeout | undefined
  _xsRequestsController: AbortController | null | undefined

  _onTorrentId (torrentId: unknown): Promise<void>
  _onParsedTorrent (parsed: ParsedTorrent): void
  _processParsedTorrent (parsed: ParsedTorrent): void
  _onMetadata (metadata: unknown): Promise<void>
  _getMetadataFromServer (): void
  _onStore (): void
  _startDiscovery (): void
  _addPeer (peer: unknown, type: string, source?: string): InternalPeer | null
  _registerPeer (peer: InternalPeer): void
  _drain (): void
  _onWire (wire: Wire, addr?: string): void
  _onWireWithMetadata (wire: Wire): void
  _updateSelections (): void
  _request (wire: Wire, index: number, hotswap: boolean): boolean
  _update (): void
  /** requests a block of a torrent piece from this wire instead of a slower one */
  _hotswap (wire: Wire, index: number): boolean
  _checkDone (): boolean
  _destroy (err: Error | null, opts?: DestroyOptions | DestroyCallback | null, cb?: DestroyCallback): void
  rescanFiles (cb?: DestroyCallback): void
}

/** The internals of bittorrent-dht. */
export interface InternalDht extends Dht {
  lookup (infoHash: string, cb?: (err: Error | null) => void): void
  announce (infoHash: string, port: number, cb?: (err: Error | null) => void): void
}

/** The internals of webtorrent/index.js. */
export interface InternalClient extends WebTorrentClient {
  readonly peerIdBuffer: Uint8Array
  readonly userAgent: string
  readonly secure: number
  readonly dht: false | InternalDht | null
  readonly utp: boolean
  readonly throttleGroups: { up: ThrottleGroup, down: ThrottleGroup }
  readonly _connPool: ConnPool | null
  _remove (torrent: object, opts?: DestroyOptions | DestroyCallback | null, cb?: DestroyCallback): void
  readonly _utpServer: { connect (port: number, host: string): OutgoingConnection } | null
  torrents: Torrent[]
}

/** The constructor of a client with torrents of type `T`. */
export type InternalClientConstructor<T extends Torrent> = new (opts?: WebTorrentOptions) => WebTorrentClient<T> & {
  _destroy (err: Error | null, cb?: (err?: Error | null) => void): void
}

/** The constructor of `InternalTorrent`. */
export type InternalTorrentConstructor = new (
  torrentId: unknown, client: InternalClient, opts: TorrentOptions
) => InternalTorrent

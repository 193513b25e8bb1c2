/**
 * Types for the non-public parts of webtorrent 3.0.21 that this folder overrides or calls: connections, and what a
 * torrent and its client know of them. lib/webtorrent/internals.ts has the rest.
 */
import type { EventEmitter } from 'node:events'
import type { BitField, Wire } from '../base/wire.ts'
import type { ThrottleGroup } from './rate-limit.ts'

/** A connection that we open: a socket, or one of utp-native. */
export interface OutgoingConnection {
  setNoDelay?: (noDelay: boolean) => unknown
  once (event: 'connect' | 'close', listener: () => void): unknown
  once (event: 'error', listener: (err: Error) => void): unknown
}

/** A connection of a torrent, or an attempt to open one (webtorrent/lib/peer.js). */
export interface InternalPeer {
  /** its key in `_peers`: usually the address */
  id: string
  /** `host:port`, for peers that we call */
  readonly addr: string
  readonly source: string | null
  readonly connected: boolean
  readonly destroyed: boolean
  readonly wire: Wire | null
  conn: OutgoingConnection | null
  /** 0: plaintext, 1: encrypted, 2: either; read when it has connected */
  secure: number
  /** number of attempts since its last handshake */
  retries: number
  onConnect (): void
  startConnectTimeout (): void
  destroy (err?: Error): void
}

/** Creates peers. */
export interface InternalPeerConstructor {
  createUTPOutgoingPeer (
    addr: string, torrent: ConnectingTorrent, throttleGroups: unknown, source: string | null, secure: number
  ): InternalPeer
}

/** A connection that the peer opened. */
export interface IncomingConnection extends EventEmitter {
  readonly remoteAddress?: string
  destroy (): void
}

/** webtorrent/lib/conn-pool.js: the servers, and the connections without a handshake. */
export interface ConnPool {
  readonly tcpServer: EventEmitter
  /** utp-native's server; `connections` includes outgoing ones */
  readonly utpServer?: EventEmitter & { maxConnections: number, readonly connections: unknown[] }
  /** null once it is destroyed */
  readonly _pendingConns: Set<IncomingConnection> | null
}

/** A client, as far as its connections are concerned (webtorrent/index.js). */
export interface ConnectingClient {
  /** in hex */
  readonly peerId: string
  readonly maxConns: number
  readonly torrentPort: number
  /** the user's choice, as `InternalPeer.secure` */
  readonly secure: number
  readonly utp: boolean
  readonly throttleGroups: { up: ThrottleGroup, down: ThrottleGroup }
  /** our node; false: none; null: the client is destroyed */
  readonly dht: { readonly listening: boolean, address (): { port: number } } | false | null
  readonly _utpServer: { connect (port: number, host: string): OutgoingConnection } | null
}

/** A torrent, as far as its connections are concerned (webtorrent/lib/torrent.js). */
export interface ConnectingTorrent {
  readonly client: ConnectingClient
  readonly destroyed: boolean
  readonly paused: boolean
  readonly private?: boolean
  readonly metadata: Uint8Array | null
  readonly bitfield: BitField
  readonly wires: Wire[]
  _numConns: number
  _numPending: number
  /** peers to be called */
  _queue: InternalPeer[]
  _peers: Map<string, InternalPeer> | null
  _addPeer (peer: unknown, type: string, source?: string): InternalPeer | null
  _registerPeer (peer: InternalPeer): void
}

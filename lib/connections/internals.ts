/**
 * Types of the parts of webtorrent 3.0.21 that are not public API and that this folder overrides or calls: connections,
 * and what a torrent and its client have of them. The rest is in lib/webtorrent/internals.ts.
 */
import type { EventEmitter } from 'node:events'
import type { BitField, Wire } from '../base/wire.ts'
import type { ThrottleGroup } from './rate-limit.ts'

/** A connection that we open: a socket, or utp-native's. */
export interface OutgoingConnection {
  setNoDelay?: (noDelay: boolean) => unknown
  once (event: 'connect' | 'close', listener: () => void): unknown
  once (event: 'error', listener: (err: Error) => void): unknown
}

/** One of a torrent's connections, or an attempt at one (webtorrent/lib/peer.js). */
export interface InternalPeer {
  /** its key in `_peers`: the address, as a rule */
  id: string
  /** `host:port`; of peers that we call */
  readonly addr: string
  readonly source: string | null
  readonly connected: boolean
  readonly destroyed: boolean
  readonly wire: Wire | null
  conn: OutgoingConnection | null
  /** 0: plaintext, 1: encrypted, 2: encrypted or not at all; looked at once it is connected */
  secure: number
  /** attempts since its last handshake */
  retries: number
  onConnect (): void
  startConnectTimeout (): void
  destroy (err?: Error): void
}

/** What makes peers. */
export interface InternalPeerConstructor {
  createUTPOutgoingPeer (
    addr: string, torrent: ConnectingTorrent, throttleGroups: unknown, source: string | null, secure: number
  ): InternalPeer
}

/** A connection that somebody else opened. */
export interface IncomingConnection extends EventEmitter {
  readonly remoteAddress?: string
  destroy (): void
}

/** webtorrent/lib/conn-pool.js: what listens, and the connections without a handshake so far. */
export interface ConnPool {
  readonly tcpServer: EventEmitter
  /** utp-native's; `connections` has the outgoing ones as well */
  readonly utpServer?: EventEmitter & { maxConnections: number, readonly connections: unknown[] }
  /** null once it is destroyed */
  readonly _pendingConns: Set<IncomingConnection> | null
}

/** A client as far as its connections go (webtorrent/index.js). */
export interface ConnectingClient {
  /** in hex */
  readonly peerId: string
  readonly maxConns: number
  readonly torrentPort: number
  /** as `InternalPeer.secure`: what the user wants */
  readonly secure: number
  readonly utp: boolean
  readonly throttleGroups: { up: ThrottleGroup, down: ThrottleGroup }
  /** our node; false: there is none, null: the client is destroyed */
  readonly dht: { readonly listening: boolean, address (): { port: number } } | false | null
  readonly _utpServer: { connect (port: number, host: string): OutgoingConnection } | null
}

/** A torrent as far as its connections go (webtorrent/lib/torrent.js). */
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

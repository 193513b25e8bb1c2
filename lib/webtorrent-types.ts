/**
 * Hand-written types for the parts of webtorrent 3 and bittorrent-protocol 5 that bitworker
 * uses or hands out. They live here (not only as ambient modules) so that the emitted
 * .d.ts files are self-contained for consumers, who have no types for webtorrent 3.
 */
import type { EventEmitter } from 'node:events'
import type { FinishedFile, SessionEvents } from './task-events.ts'

export interface WireEvents {
  handshake: [infoHash: string, peerId: string, extensions: WireExtensions]
  extended: [ext: string | number, payload: unknown]
  piece: [index: number, offset: number, block: Uint8Array]
  request: [index: number, offset: number, length: number, respond: (err: Error | null, block?: Uint8Array) => void]
  have: [index: number]
  bitfield: [bitfield: BitField]
  'have-all': []
  'have-none': []
  port: [port: number]
  download: [bytes: number]
  upload: [bytes: number]
  choke: []
  unchoke: []
  interested: []
  uninterested: []
  close: []
  timeout: []
}

/** The `bitfield` package's, or bittorrent-protocol's stand-in for a peer that has everything (its buffer is empty). */
export interface BitField {
  readonly buffer: Uint8Array
  get(index: number): boolean
  set(index: number, value?: boolean): void
}

export interface WireExtensions {
  extended?: boolean
  dht?: boolean
  fast?: boolean
}

/** What `wire.use()` takes: a class with a `name` on its prototype. */
export interface WireExtensionConstructor {
  new (wire: Wire): WireExtension
}

export interface WireExtension {
  name: string
  onHandshake?: (infoHash: string, peerId: string, extensions: WireExtensions) => void
  onExtendedHandshake?: (handshake: Record<string, unknown>) => void
  onMessage?: (buf: Uint8Array) => void
}

export interface Wire {
  readonly peerId: string | null
  readonly peerIdBuffer: Uint8Array | null
  readonly type: string
  readonly amChoking: boolean
  readonly amInterested: boolean
  readonly peerChoking: boolean
  readonly peerInterested: boolean
  readonly hasFast: boolean
  readonly destroyed: boolean
  readonly uploaded: number
  readonly downloaded: number
  readonly remoteAddress?: string
  readonly remotePort?: number
  extendedHandshake: Record<string, unknown>
  peerExtendedHandshake: Record<string, unknown>
  peerExtendedMapping: Record<string, number>
  peerPieces: BitField
  readonly peerExtensions: WireExtensions
  readonly requests: ReadonlyArray<{ piece: number, offset: number, length: number }>
  /** the peer's, not answered yet */
  readonly peerRequests: readonly unknown[]
  /** set by webtorrent: a seeder is left out of its choking rounds */
  isSeeder?: boolean
  ut_pex?: WireExtension
  ut_metadata: WireExtension & EventEmitter & { setMetadata(metadata: Uint8Array): Promise<boolean> }
  lt_donthave: WireExtension & EventEmitter<{ donthave: [index: number] }> & { donthave(index: number): void }
  uploadSpeed(bytes?: number): number
  downloadSpeed(bytes?: number): number
  choke(): void
  unchoke(): void
  interested(): void
  uninterested(): void
  have(index: number): void
  haveAll(): void
  haveNone(): void
  bitfield(bitfield: BitField | Uint8Array): void
  cancel(index: number, offset: number, length: number): void
  port(port: number): void
  use(ext: WireExtensionConstructor): void
  extended(ext: string | number, obj: unknown): void
  handshake(infoHash: string | Uint8Array, peerId: string | Uint8Array, extensions?: WireExtensions): void
  request(index: number, offset: number, length: number, cb?: (err: Error | null, block?: Uint8Array) => void): void
  piece(index: number, offset: number, block: Uint8Array): void
  destroy(): void
  on<K extends keyof WireEvents>(event: K, listener: (...args: WireEvents[K]) => void): this
  once<K extends keyof WireEvents>(event: K, listener: (...args: WireEvents[K]) => void): this
}

export interface WebTorrentOptions {
  peerId?: string | Uint8Array
  nodeId?: string | Uint8Array
  maxConns?: number
  torrentPort?: number
  dhtPort?: number
  tracker?: boolean | Record<string, unknown>
  dht?: boolean | Record<string, unknown>
  lsd?: boolean
  utPex?: boolean
  natUpnp?: boolean | 'permanent'
  natPmp?: boolean
  webSeeds?: boolean
  utp?: boolean
  secure?: 0 | 1 | 2
  blocklist?: string | Array<string | { start: string, end: string }>
  downloadLimit?: number
  uploadLimit?: number
  seedOutgoingConnections?: boolean
  userAgent?: string
}

export interface TorrentOptions {
  announce?: string[]
  urlList?: string[]
  path?: string
  addUID?: boolean
  private?: boolean
  store?: unknown
  preloadedStore?: unknown
  storeCacheSlots?: number
  storeOpts?: Record<string, unknown>
  destroyStoreOnDestroy?: boolean
  strategy?: 'sequential' | 'rarest'
  skipVerify?: boolean
  bitfield?: Uint8Array
  deselect?: boolean
  paused?: boolean
  /** peers unchoked at a time; default 10, for tasks as many as there may be connections */
  uploads?: number | false
  maxWebConns?: number
  alwaysChokeSeeders?: boolean
  noPeersIntervalTime?: number
  getAnnounceOpts?: () => Record<string, unknown>
  name?: string
  pieceLength?: number
}

type TaskEventArguments = { [K in keyof SessionEvents]: [event: SessionEvents[K]] }

export interface TorrentEvents extends TaskEventArguments {
  _infoHash: [infoHash: string]
  infoHash: [infoHash: string]
  idle: []
  noPeers: [source: string]
  trackerAnnounce: []
  dhtAnnounce: []
  peer: [peer: string]
  file: [event: FinishedFile]
  metadata: []
  ready: []
  done: []
  close: []
  verified: [index: number]
  wire: [wire: Wire, addr?: string]
  warning: [err: Error]
  error: [err: Error]
  download: [bytes: number]
  upload: [bytes: number]
}

export interface TorrentFile extends EventEmitter {
  readonly name: string
  readonly path: string
  readonly length: number
  readonly size: number
  readonly type: string
  readonly offset: number
  readonly downloaded: number
  readonly progress: number
  readonly streamURL: string
  done: boolean
  select(priority?: number): void
  deselect(): void
  includes(piece: number): boolean
  arrayBuffer(opts?: { start?: number, end?: number }): Promise<ArrayBuffer>
  blob(opts?: { start?: number, end?: number }): Promise<Blob>
  createReadStream(opts?: { start?: number, end?: number }): NodeJS.ReadableStream & AsyncIterable<Uint8Array> & { destroy(): void }
  stream(opts?: { start?: number, end?: number }): ReadableStream<Uint8Array>
  [Symbol.asyncIterator](opts?: { start?: number, end?: number }): AsyncIterableIterator<Uint8Array>
}

export interface Torrent extends EventEmitter<TorrentEvents> {
  readonly client: WebTorrentClient
  readonly infoHash: string
  readonly name: string
  readonly magnetURI: string
  readonly torrentFile: Uint8Array
  readonly length: number
  readonly pieceLength: number
  readonly lastPieceLength: number
  readonly files: TorrentFile[]
  readonly wires: Wire[]
  readonly numPeers: number
  readonly downloaded: number
  readonly received: number
  readonly uploaded: number
  readonly downloadSpeed: number
  readonly uploadSpeed: number
  /** milliseconds */
  readonly timeRemaining: number
  readonly progress: number
  readonly pieces: readonly unknown[]
  readonly announce: string[]
  readonly path: string
  readonly ready: boolean
  readonly done: boolean
  readonly destroyed: boolean
  addPeer(peer: string): boolean
  select(start: number, end: number, priority?: number | false, notify?: () => void): void
  deselect(start: number, end: number): void
  critical(start: number, end: number): void
  pause(): void
  resume(): void
  destroy(opts?: { destroyStore?: boolean }, cb?: (err?: Error) => void): void
}

export interface WebTorrentEvents {
  ready: []
  listening: []
  add: [torrent: Torrent]
  torrent: [torrent: Torrent]
  remove: [torrent: Torrent]
  seed: [torrent: Torrent]
  error: [err: Error]
}

export type TorrentId = string | Uint8Array | Blob | { infoHash: string } | null

/** What `client.createServer` returns on Node. */
export interface WebTorrentServer {
  listen(port?: number, hostname?: string, onlistening?: () => void): unknown
  address(): { port: number, address: string, family: string } | null
  close(cb?: (err?: Error) => void): void
}

export interface WebTorrentClient extends EventEmitter<WebTorrentEvents> {
  readonly peerId: string
  readonly nodeId: string
  readonly torrents: Torrent[]
  readonly torrentPort: number
  readonly dhtPort: number
  readonly destroyed: boolean
  readonly listening: boolean
  readonly ready: boolean
  readonly progress: number
  readonly ratio: number
  readonly downloadSpeed: number
  readonly uploadSpeed: number
  add(id: TorrentId, opts?: TorrentOptions | ((torrent: Torrent) => void) | null, cb?: (torrent: Torrent) => void): Torrent
  seed(input: string | Uint8Array | Array<string | Uint8Array>, opts?: TorrentOptions, cb?: (torrent: Torrent) => void): Torrent
  get(id: TorrentId | Torrent): Promise<Torrent | null>
  remove(id: TorrentId | Torrent, opts?: { destroyStore?: boolean }, cb?: (err?: Error) => void): Promise<void>
  throttleDownload(rate: number): boolean | undefined
  throttleUpload(rate: number): boolean | undefined
  createServer(options?: Record<string, unknown>, force?: 'browser' | 'node'): WebTorrentServer
  address(): { port: number, address: string, family: string } | null
  destroy(cb?: (err?: Error | null) => void): void
  /** @internal */
  _destroy(err: Error | null, cb?: (err?: Error | null) => void): void
}

export interface WebTorrentConstructor {
  new (opts?: WebTorrentOptions): WebTorrentClient
  readonly VERSION: string
  readonly UTP_SUPPORT: boolean
  readonly WEBRTC_SUPPORT: boolean
}

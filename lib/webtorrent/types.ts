/**
 * Hand-written types for the parts of webtorrent 3 that BitWorker uses or exposes; inherited-options.ts has those of
 * options. They are here (not only as ambient modules) so that the emitted .d.ts files are self-contained for
 * consumers, who have no types for webtorrent 3.
 */
import type { EventEmitter } from 'node:events'
import type { Server } from 'node:http'
import type { ErrorCode } from '../base/errors.ts'
import type { Wire } from '../base/wire.ts'
import type { SessionEvents } from '../session/events.ts'
import type { FinishedFile } from '../store/types.ts'
import type {
  DestroyOptions, SeedItem, SeedOptions, ServerOptions, TorrentOptions, TrackerOptions, WebTorrentOptions
} from './inherited-options.ts'

export type {
  BitField, Wire, WireEvents, WireExtension, WireExtensionConstructor, WireExtensions
} from '../base/wire.ts'

type TaskEventArguments = { [K in keyof SessionEvents]: [event: SessionEvents[K]] }

/**
 * An error of a torrent or client: BitWorker's with one of its codes, the system's with its own, or WebTorrent's
 * without a code.
 */
export interface TorrentError extends Error {
  code?: ErrorCode | (string & {})
}

export interface TorrentEvents extends TaskEventArguments {
  infoHash: [infoHash: string]
  idle: []
  interested: []
  uninterested: []
  noPeers: [source: string]
  trackerAnnounce: []
  dhtAnnounce: []
  peer: [peer: string]
  invalidPeer: [peer: string]
  blockedPeer: [peer: string]
  file: [event: FinishedFile]
  /** a task whose output this one reads was added to the client; nothing of it is computed unless it is told to */
  stage: [torrent: Torrent]
  metadata: []
  ready: []
  done: []
  seed: []
  close: []
  verified: [index: number]
  wire: [wire: Wire, addr?: string]
  warning: [err: TorrentError]
  error: [err: TorrentError]
  download: [bytes: number]
  upload: [bytes: number]
}

/** The bytes from `start` to `end`, both included; default: all. */
export interface ByteRange { start?: number, end?: number }

/** A request to the HTTP server, or to a service worker. */
export interface FileRequest { url: string, method: string, headers: Record<string, string | string[] | undefined> }

export interface TorrentFileEvents {
  done: []
  /** the server is about to send `stream`; `pipe` replaces it by another one */
  stream: [
    event: { stream: NodeJS.ReadableStream, req: FileRequest, file: TorrentFile }, pipe: (target: unknown) => void
  ]
  iterator: [
    event: { iterator: AsyncIterable<Uint8Array>, req: FileRequest, file: TorrentFile },
    transform: (target: unknown) => void
  ]
}

export interface TorrentFile extends EventEmitter<TorrentFileEvents> {
  readonly name: string
  readonly path: string
  /** bytes */
  readonly length: number
  readonly size: number
  /** MIME type */
  readonly type: string
  readonly offset: number
  /** bytes */
  readonly downloaded: number
  /** 0 to 1 */
  readonly progress: number
  /** its URL on the server of `client.createServer()`; throws without a server */
  readonly streamURL: string
  done: boolean
  select(priority?: number): void
  deselect(): void
  includes(piece: number): boolean
  arrayBuffer(opts?: ByteRange): Promise<ArrayBuffer>
  blob(opts?: ByteRange): Promise<Blob>
  createReadStream(opts?: ByteRange): NodeJS.ReadableStream & AsyncIterable<Uint8Array> & { destroy(): void }
  stream(opts?: ByteRange): ReadableStream<Uint8Array>
  /** sets the `src` of a media element */
  streamTo<Element extends { src: string }>(elem: Element): Element
  [Symbol.asyncIterator](opts?: ByteRange): AsyncIterableIterator<Uint8Array>
}

/** A missing piece. A task's pieces have no length before there is a result. */
export interface TorrentPiece {
  readonly length?: number
  /** number of missing bytes; true in a task */
  readonly missing: number | boolean
}

export interface Torrent extends EventEmitter<TorrentEvents> {
  readonly client: WebTorrentClient
  readonly infoHash: string
  readonly name: string
  readonly magnetURI: string
  readonly torrentFile: Uint8Array
  /** the torrent file with the info dictionary; null before 'metadata' */
  readonly metadata: Uint8Array | null
  /** null before the torrent file is known */
  readonly torrentFileBlob: Blob | null
  readonly comment?: string
  readonly created?: Date
  readonly createdBy?: string
  /** no DHT, no peer exchange (BEP 27) */
  readonly private?: boolean
  readonly length: number
  readonly pieceLength: number
  readonly lastPieceLength: number
  readonly files: TorrentFile[]
  readonly wires: Wire[]
  readonly numPeers: number
  /** connections to one web seed */
  maxWebConns: number
  /** bytes */
  readonly downloaded: number
  readonly received: number
  readonly uploaded: number
  /** bytes per second */
  readonly downloadSpeed: number
  readonly uploadSpeed: number
  /** ratio of uploaded to received bytes */
  readonly ratio: number
  /** milliseconds */
  readonly timeRemaining: number
  /** 0 to 1 */
  readonly progress: number
  /** null: it is stored */
  readonly pieces: ReadonlyArray<TorrentPiece | null>
  readonly announce: string[]
  readonly urlList: string[]
  readonly path: string
  readonly ready: boolean
  readonly paused: boolean
  readonly done: boolean
  readonly destroyed: boolean
  /** `ADDRESS:PORT`; returns false if the peer is already known, blocked or malformed */
  addPeer(peer: string): boolean
  /** `ADDRESS:PORT`, or the id from an event */
  removePeer(peer: string): void
  addWebSeed(urlOrConn: string | { id: string }): void
  select(start: number, end: number, priority?: number | false, notify?: () => void): void
  deselect(start: number, end: number): void
  critical(start: number, end: number): void
  pause(): void
  resume(): void
  rescanFiles(cb?: (err?: Error | null) => void): void
  destroy(cb?: (err?: Error | null) => void): void
  destroy(opts?: DestroyOptions | null, cb?: (err?: Error | null) => void): void
}

export interface WebTorrentEvents<T extends Torrent = Torrent> {
  ready: []
  listening: []
  add: [torrent: T]
  torrent: [torrent: T]
  remove: [torrent: T]
  seed: [torrent: T]
  download: [bytes: number]
  upload: [bytes: number]
  error: [err: TorrentError]
}

export type TorrentId = string | Uint8Array | Blob | { infoHash: string } | null

/** The result of `client.createServer` on Node. */
export interface WebTorrentServer {
  readonly server: Server
  readonly pathname: string
  listen: Server['listen']
  address(): { port: number, address: string, family: string } | null
  close(cb?: (err?: Error) => void): void
  destroy(cb?: (err?: Error) => void): void
}

/** The client's node of the DHT (bittorrent-dht). */
export interface Dht extends EventEmitter {
  readonly listening: boolean
  address(): { port: number, address: string, family: string }
  addNode(node: { host: string, port: number }): void
  /** the nodes that it knows, for the next bootstrap */
  toJSON(): { nodes: Array<{ host: string, port: number }> }
}

export interface WebTorrentClient<T extends Torrent = Torrent> extends EventEmitter<WebTorrentEvents<T>> {
  readonly peerId: string
  readonly nodeId: string
  readonly torrents: T[]
  readonly torrentPort: number
  readonly dhtPort: number
  /** false: none; null: the client is destroyed */
  readonly dht: Dht | false | null
  readonly tracker: TrackerOptions | false
  maxConns: number
  readonly utp: boolean
  readonly lsd: boolean
  readonly utPex: boolean
  readonly natUpnp: boolean | 'permanent'
  readonly natPmp: boolean
  readonly seedOutgoingConnections: boolean
  readonly userAgent: string
  readonly destroyed: boolean
  readonly listening: boolean
  readonly ready: boolean
  /** 0 to 1 */
  readonly progress: number
  readonly ratio: number
  /** bytes per second */
  readonly downloadSpeed: number
  readonly uploadSpeed: number
  add(id: TorrentId, opts?: TorrentOptions | ((torrent: T) => void) | null, cb?: (torrent: T) => void): T
  seed(
    input: SeedItem | readonly SeedItem[], opts?: SeedOptions | ((torrent: T) => void) | null, cb?: (torrent: T) => void
  ): T
  get(id: TorrentId | T): Promise<T | null>
  remove(
    id: TorrentId | T, opts?: DestroyOptions | ((err?: Error | null) => void) | null, cb?: (err?: Error | null) => void
  ): Promise<void>
  /** bytes per second; -1: no limit */
  throttleDownload(rate: number): boolean | undefined
  throttleUpload(rate: number): boolean | undefined
  createServer(options?: ServerOptions, force?: 'browser' | 'node'): WebTorrentServer
  address(): { port: number, address: string, family: string } | null
  destroy(cb?: (err?: Error | null) => void): void
}

export interface WebTorrentConstructor<T extends Torrent = Torrent> {
  new (opts?: WebTorrentOptions): WebTorrentClient<T>
  readonly VERSION: string
  readonly UTP_SUPPORT: boolean
  readonly WEBRTC_SUPPORT: boolean
}

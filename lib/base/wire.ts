/** A connection to a peer: the part of bittorrent-protocol's wire that BitWorker uses or exposes. */
import type { EventEmitter } from 'node:events'

export interface WireEvents {
  handshake: [infoHash: string, peerId: string, extensions: WireExtensions]
  extended: [ext: string | number, payload: unknown]
  piece: [index: number, offset: number, block: Uint8Array]
  request: [index: number, offset: number, length: number, respond: (err: Error | null, block?: Uint8Array) => void]
  have: [index: number]
  bitfield: [bitfield: BitField]
  'have-all': []
  'have-none': []
  cancel: [index: number, offset: number, length: number]
  reject: [index: number, offset: number, length: number]
  suggest: [index: number]
  'allowed-fast': [index: number]
  'keep-alive': []
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

/**
 * The `bitfield` package's class, or bittorrent-protocol's stand-in for a peer that has everything (its buffer is
 * empty).
 */
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

/** The argument of `wire.use()`: a class with a `name` on its prototype. */
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
  /** the peer's requests that have not been answered */
  readonly peerRequests: readonly unknown[]
  /** set by webtorrent: a seeder is exempt from its choking rounds */
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
  suggest(index: number): void
  reject(index: number, offset: number, length: number): void
  allowedFast(index: number): void
  keepAlive(): void
  setKeepAlive(enable: boolean): void
  setTimeout(ms: number, unref?: boolean): void
  destroy(): void
  setMaxListeners(count: number): this
  on<K extends keyof WireEvents>(event: K, listener: (...args: WireEvents[K]) => void): this
  once<K extends keyof WireEvents>(event: K, listener: (...args: WireEvents[K]) => void): this
  off<K extends keyof WireEvents>(event: K, listener: (...args: WireEvents[K]) => void): this
}

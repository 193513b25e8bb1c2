declare module 'bittorrent-protocol' {
  type Wire = import('../lib/webtorrent/types.ts').Wire
  const Protocol: {
    new (type?: string, peEnabled?: 0 | 1 | 2): Wire & NodeJS.ReadWriteStream
    readonly nativeRC4: boolean
  }
  export default Protocol
}

declare module 'bencode' {
  const bencode: {
    encode(value: unknown): Uint8Array<ArrayBuffer>
    decode(data: Uint8Array, encoding?: string): unknown
    byteLength(value: unknown): number
    encodingLength(value: unknown): number
  }
  export default bencode
}

declare module 'bittorrent-dht' {
  import type { EventEmitter } from 'node:events'
  export class Client extends EventEmitter {
    constructor (opts?: Record<string, unknown>)
    listen (port?: number, cb?: () => void): void
    listen (port: number, address: string, cb?: () => void): void
    address (): { address: string, family: string, port: number }
    lookup (infoHash: string | Uint8Array, cb?: (err: Error | null, n: number) => void): () => void
    announce (infoHash: string | Uint8Array, port?: number, cb?: (err: Error | null) => void): void
    addNode (node: { host: string, port: number, id?: Uint8Array }): void
    toJSON (): { nodes: Array<{ host: string, port: number }>, values: Record<string, unknown> }
    destroy (cb?: () => void): void
  }
  export default Client
}

declare module 'bittorrent-tracker/server' {
  import type { EventEmitter } from 'node:events'
  import type { Server as HttpServer } from 'node:http'
  import type { Socket } from 'node:dgram'
  export default class Server extends EventEmitter {
    constructor (opts?: {
      http?: boolean | object
      udp?: boolean | object
      ws?: boolean | object
      stats?: boolean
      trustProxy?: boolean
      interval?: number
      filter?: (infoHash: string, params: Record<string, unknown>, cb: (err?: Error | null) => void) => void
    })
    http: HttpServer | null
    udp4: Socket | null
    ws: { address (): unknown } | null
    listen (port?: number, hostname?: string | (() => void), onlistening?: () => void): void
    listen (port: number, hostnames: { http?: string, udp?: string, udp6?: string }, onlistening?: () => void): void
    close (cb?: (err?: Error) => void): void
  }
}

// Of these only the classes are needed, whose methods are guarded; their insides are typed where that is done.
declare module 'bittorrent-tracker' {
  export const Client: new (opts: { infoHash: string, peerId: string, port: number, announce: string[] }) => object
}

declare module 'bittorrent-tracker/websocket-tracker' {
  const WebSocketTracker: { prototype: object }
  export default WebSocketTracker
}

declare module '@thaunknown/simple-websocket' {
  const Socket: {
    new (opts: {
      url: string
      agent?: unknown
      maxPayload?: number
      handshakeTimeout?: number
      perMessageDeflate?: boolean
    }): object
    prototype: object
  }
  export default Socket
}

declare module 'bittorrent-lsd' {
  const LSD: { prototype: object }
  export default LSD
}

declare module '@silentbot1/nat-api/lib/pmp/index.js' {
  const Client: { prototype: object }
  export default Client
}

declare module '@silentbot1/nat-api/lib/upnp/ssdp.js' {
  const Ssdp: { prototype: object }
  export default Ssdp
}

declare module '@silentbot1/nat-api/lib/upnp/device.js' {
  const Device: { prototype: object }
  export default Device
}

declare module 'memory-chunk-store' {
  export default class MemoryChunkStore {
    constructor (chunkLength: number, opts?: { length?: number })
    readonly chunkLength: number
    put (index: number, data: Uint8Array, cb?: (err: Error | null) => void): void
    get (
      index: number,
      opts: { offset?: number, length?: number } | null,
      cb: (err: Error | null, data?: Uint8Array) => void
    ): void
    close (cb?: (err: Error | null) => void): void
    destroy (cb?: (err: Error | null) => void): void
  }
}

declare module 'webtorrent-fixtures' {
  interface ParsedTorrent {
    infoHash: string
    infoHashBuffer: Uint8Array
    info: Record<string, unknown>
    name: string
    length: number
    pieceLength: number
    lastPieceLength: number
    pieces: string[]
    announce: string[]
    urlList: string[]
  }
  interface Fixture { torrentPath: string, torrent: Buffer, parsedTorrent: ParsedTorrent, magnetURI: string }
  interface FolderFixture extends Fixture { contentPath: string }
  interface FileFixture extends FolderFixture { content: Buffer }
  const fixtures: {
    leaves: FileFixture
    alice: FileFixture
    leavesMetadata: FileFixture
    folder: FolderFixture
    numbers: FolderFixture
    lotsOfNumbers: FolderFixture
    bunny: Fixture
    sintel: Fixture
    corrupt: { torrentPath: string, torrent: Buffer }
    blocklist: { path: string, gzipPath: string }
  }
  export default fixtures
}

// the copy that the DHT's RPC socket uses
declare module 'k-rpc-socket/node_modules/bencode/lib/index.js' {
  const bencode: { decode(data: Uint8Array): unknown, encode(value: unknown): Uint8Array }
  export default bencode
}

declare module 'ut_metadata' {
  export default function utMetadata (
    metadata?: Uint8Array
  ): import('../lib/webtorrent/types.ts').WireExtensionConstructor
}

declare module 'ut_pex' {
  const create: () => import('../lib/webtorrent/types.ts').WireExtensionConstructor
  export default create
}

declare module 'lt_donthave' {
  const create: () => import('../lib/webtorrent/types.ts').WireExtensionConstructor
  export default create
}

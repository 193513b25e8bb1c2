/** Hand-written types for the options of webtorrent 3 that BitWorker accepts or passes on. */

/** Options of a client. */
export interface WebTorrentOptions {
  /** 20 bytes, or in hex; default: random, as in WebTorrent */
  peerId?: string | Uint8Array
  nodeId?: string | Uint8Array
  /** connections per torrent; default 55 */
  maxConns?: number
  /** default 0: any free port */
  torrentPort?: number
  dhtPort?: number
  /** false: no trackers */
  tracker?: boolean | TrackerOptions
  /** false: no DHT; otherwise options of bittorrent-dht, such as `bootstrap: ['192.0.2.7:20000']` */
  dht?: boolean | Record<string, unknown>
  lsd?: boolean
  utPex?: boolean
  natUpnp?: boolean | 'permanent'
  natPmp?: boolean
  webSeeds?: boolean
  utp?: boolean
  /** encryption: 0 never, 1 (default) if the peer wants it, 2 always */
  secure?: boolean | 0 | 1 | 2
  blocklist?: string | Array<string | { start: string, end: string }>
  /** bytes per second; default -1: no limit */
  downloadLimit?: number
  uploadLimit?: number
  seedOutgoingConnections?: boolean
  userAgent?: string
}

/** Options for asking trackers. */
export interface TrackerOptions {
  announce?: string[]
  getAnnounceOpts?: () => Record<string, unknown>
  rtcConfig?: Record<string, unknown>
  userAgent?: string
  wrtc?: unknown
  [option: string]: unknown
}

/** Options of a torrent. */
export interface TorrentOptions {
  /** trackers in addition to the torrent's own */
  announce?: string[]
  /** web seeds in addition to the torrent's own */
  urlList?: string[]
  /** the folder of its files */
  path?: string
  /** adds a folder of its own to `path` */
  addUID?: boolean
  /** browsers: a FileSystemDirectoryHandle */
  rootDir?: unknown
  /** no DHT, no peer exchange (BEP 27); default: as in the torrent */
  private?: boolean
  /** an abstract-chunk-store */
  store?: unknown
  preloadedStore?: unknown
  storeCacheSlots?: number
  storeOpts?: Record<string, unknown>
  destroyStoreOnDestroy?: boolean
  strategy?: 'sequential' | 'rarest'
  skipVerify?: boolean
  bitfield?: Uint8Array | ArrayLike<number>
  deselect?: boolean
  paused?: boolean
  /** peers unchoked at a time; default 10, for tasks the number of connections */
  uploads?: number | false
  /** connections to one web seed; default 4 */
  maxWebConns?: number
  alwaysChokeSeeders?: boolean
  /** seconds between two checks whether there are no peers; default 30 */
  noPeersIntervalTime?: number
  getAnnounceOpts?: () => Record<string, unknown>
  fileModtimes?: number[]
}

/** Options of `client.seed`: those of a torrent, and of create-torrent. */
export interface SeedOptions extends TorrentOptions {
  name?: string
  comment?: string
  createdBy?: string
  creationDate?: Date | number
  /** bytes */
  pieceLength?: number
  maxPieceLength?: number
  announceList?: string[][]
  filterJunkFiles?: boolean
  /** additional keys for the info dictionary */
  info?: Record<string, unknown>
  onProgress?: (hashedBytes: number, totalBytes: number) => void
}

/** Something to seed: a path, bytes, a Blob, a File or a stream. Those without a `name` need `opts.name`. */
export type SeedItem = string | Uint8Array | Blob | (NodeJS.ReadableStream & { name?: string })

/** Options for removing a torrent. */
export interface DestroyOptions { destroyStore?: boolean }

/** Options of `client.createServer`. */
export interface ServerOptions {
  /** the origin that CORS allows; '*': any; default false: none (WebTorrent's default is '*') */
  origin?: string | false
  /** requests with another `Host` are refused; default: those that name neither an IP address nor this machine */
  hostname?: string
  /** default '/webtorrent' */
  pathname?: string
  /** browsers: a ServiceWorkerRegistration */
  controller?: unknown
}

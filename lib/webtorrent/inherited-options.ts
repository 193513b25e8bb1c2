/** Hand-written types for the options of webtorrent 3, as far as bitworker takes or hands them on. */

/** Options of a client. */
export interface WebTorrentOptions {
  /** 20 bytes, or their hex; default: random, as WebTorrent's */
  peerId?: string | Uint8Array
  nodeId?: string | Uint8Array
  /** connections a torrent may have; default 55 */
  maxConns?: number
  /** 0, the default: any free port */
  torrentPort?: number
  dhtPort?: number
  /** false: no trackers */
  tracker?: boolean | TrackerOptions
  /** false: no DHT; else options of bittorrent-dht, such as `bootstrap: ['192.0.2.7:20000']` */
  dht?: boolean | Record<string, unknown>
  lsd?: boolean
  utPex?: boolean
  natUpnp?: boolean | 'permanent'
  natPmp?: boolean
  webSeeds?: boolean
  utp?: boolean
  /** encryption: 0 never, 1 (default) where the peer wants it, 2 always */
  secure?: boolean | 0 | 1 | 2
  blocklist?: string | Array<string | { start: string, end: string }>
  /** bytes a second; -1, the default: no limit */
  downloadLimit?: number
  uploadLimit?: number
  seedOutgoingConnections?: boolean
  userAgent?: string
}

/** How trackers are asked. */
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
  /** trackers besides the torrent's own */
  announce?: string[]
  /** web seeds besides the torrent's own */
  urlList?: string[]
  /** the folder of its files */
  path?: string
  /** in a folder of its own inside `path` */
  addUID?: boolean
  /** browsers: a FileSystemDirectoryHandle */
  rootDir?: unknown
  /** no DHT, no peer exchange (BEP 27); default: as the torrent says */
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
  /** peers unchoked at a time; default 10, for tasks as many as there may be connections */
  uploads?: number | false
  /** connections to one web seed; default 4 */
  maxWebConns?: number
  alwaysChokeSeeders?: boolean
  /** seconds between two looks whether there are no peers; default 30 */
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
  /** more keys for the info dictionary */
  info?: Record<string, unknown>
  onProgress?: (hashedBytes: number, totalBytes: number) => void
}

/** Something to seed: a path, bytes, a Blob, a File or a stream. Those without a `name` need `opts.name`. */
export type SeedItem = string | Uint8Array | Blob | (NodeJS.ReadableStream & { name?: string })

/** How a torrent is removed. */
export interface DestroyOptions { destroyStore?: boolean }

/** Options of `client.createServer`. */
export interface ServerOptions {
  /** whom CORS allows, '*': everybody; default false: nobody (WebTorrent's default is '*') */
  origin?: string | false
  /** requests with another `Host` are refused; default: those that name neither an address nor this machine */
  hostname?: string
  /** default '/webtorrent' */
  pathname?: string
  /** browsers: a ServiceWorkerRegistration */
  controller?: unknown
}

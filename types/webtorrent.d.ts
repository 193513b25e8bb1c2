// Ambient modules for the untyped packages. Their shapes are in lib/webtorrent/types.ts, so what
// bitworker's emitted .d.ts files say never depends on this folder, which is not published.
// (Relative `import` statements are an error inside `declare module`; import() types are not.)
declare module 'webtorrent' {
  const WebTorrent: import('../lib/webtorrent/types.ts').WebTorrentConstructor
  export default WebTorrent
}

declare module 'webtorrent/lib/torrent.js' {
  type Torrent = import('../lib/webtorrent/types.ts').Torrent
  const TorrentClass: { new (id: unknown, client: unknown, opts: unknown): Torrent, prototype: Torrent }
  export default TorrentClass
}

declare module 'webtorrent/lib/server.js' {
  export const NodeServer: new (client: object, opts: object) => import('../lib/webtorrent/types.ts').WebTorrentServer
}

declare module 'webtorrent/lib/webconn.js' {
  const WebConn: { prototype: object }
  export default WebConn
}

declare module 'webtorrent/lib/peer.js' {
  const Peer: import('../lib/connections/internals.ts').InternalPeerConstructor
  export default Peer
}

declare module 'webtorrent/lib/file.js' {
  type TorrentFile = import('../lib/webtorrent/types.ts').TorrentFile
  const FileClass: { new (torrent: object, file: object): TorrentFile, prototype: TorrentFile }
  export default FileClass
}

declare module 'parse-torrent' {
  export default function parseTorrent (torrentId: unknown): Promise<Record<string, unknown>>
}

declare module 'bitfield' {
  type BitField = import('../lib/webtorrent/types.ts').BitField
  const BitFieldClass: { new (size: number | Uint8Array): BitField }
  export default BitFieldClass
}

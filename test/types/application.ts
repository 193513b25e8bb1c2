/**
 * An application that uses every documented member of WebTorrent's API, and what tasks add. It is compiled, not run:
 * here against the sources, and by scripts/consumer.sh against the packed package, with the oldest and newest
 * TypeScript.
 */
import BitWorker, { createTask, encodeTask, parseTask } from '../../lib/index.ts'
import type {
  BitField,
  BitWorkerError,
  ComputeOptions,
  ErrorCode,
  FailedEvent,
  PieceState,
  PolicyOption,
  SeedOptions,
  Task,
  TaskFileView,
  TaskTorrentOptions,
  Torrent,
  TorrentError,
  TorrentFile,
  TorrentOptions,
  VerificationReport,
  VerifyOptions,
  WebTorrentOptions,
  Wire
} from '../../lib/index.ts'

/** Exactly this type. */
type Same<A, B> = [A, B] extends [B, A] ? true : false
function is<A, B> (isSame: Same<A, B>): void { void isSame }

const options: WebTorrentOptions = {
  maxConns: 55,
  nodeId: new Uint8Array(20),
  peerId: '2d5757303330302d3030303030303030303030',
  tracker: {
    announce: ['udp://127.0.0.1:1'],
    getAnnounceOpts: () => ({ numwant: 4 }),
    rtcConfig: {},
    userAgent: 'an application'
  },
  dht: { bootstrap: ['127.0.0.1:20000'], maxTables: 100 },
  lsd: true,
  utPex: true,
  natUpnp: 'permanent',
  natPmp: false,
  webSeeds: true,
  utp: true,
  seedOutgoingConnections: true,
  blocklist: [{ start: '192.0.2.0', end: '192.0.2.255' }],
  downloadLimit: -1,
  uploadLimit: 1_000_000,
  torrentPort: 6881,
  dhtPort: 6882,
  secure: true,
  userAgent: 'an application'
}

const added: TorrentOptions = {
  announce: ['udp://127.0.0.1:1'],
  urlList: ['http://127.0.0.1:1/'],
  addUID: true,
  getAnnounceOpts: () => ({}),
  maxWebConns: 4,
  path: 'out',
  private: false,
  store: null,
  preloadedStore: null,
  destroyStoreOnDestroy: true,
  storeCacheSlots: 20,
  storeOpts: {},
  alwaysChokeSeeders: true,
  skipVerify: false,
  bitfield: [0xff],
  strategy: 'rarest',
  noPeersIntervalTime: 30,
  paused: false,
  deselect: false,
  uploads: 10,
  fileModtimes: [0]
}

const seeded: SeedOptions = {
  ...added,
  name: 'hello.txt',
  comment: 'a greeting',
  createdBy: 'an application',
  creationDate: new Date(0),
  private: true,
  pieceLength: 16384,
  maxPieceLength: 1 << 20,
  announceList: [['udp://127.0.0.1:1']],
  filterJunkFiles: false,
  info: { source: 'here' },
  onProgress: (hashed, total) => { is<number, typeof hashed>(true); is<number, typeof total>(true) }
}

/** A class of its own, as applications make them. */
class Application extends BitWorker {
  names (): string[] { return this.torrents.map(({ name }) => name) }
}

export async function useClient (): Promise<void> {
  const client: BitWorker = new BitWorker(options)
  is<string[], ReturnType<Application['names']>>(true)
  is<boolean, typeof BitWorker.WEBRTC_SUPPORT>(true)
  is<boolean, typeof BitWorker.UTP_SUPPORT>(true)
  is<string, typeof BitWorker.VERSION>(true)
  const onTorrent = (torrent: Torrent): void => { is<Task | null, typeof torrent.task>(true) }
  client.on('torrent', onTorrent).once('add', onTorrent).on('remove', onTorrent).on('seed', onTorrent)
  client.on('torrent', torrent => { is<Torrent, typeof torrent>(true) })
  client
    .on('ready', () => {})
    .on('listening', () => {})
    .on('download', bytes => bytes.toFixed())
    .on('upload', bytes => bytes.toFixed())
  client.on('error', onError).off('error', onError)

  is<Torrent, ReturnType<typeof client.seed>>(true)
  client.add('magnet:?xt=urn:btih:0')
  client.add('a.torrent', onTorrent)
  client.add(new Uint8Array(), added, onTorrent)
  client.add(new Blob([]), null, onTorrent)
  client.add({ infoHash: '0'.repeat(40) }, {})
  client.seed('hello.txt', onTorrent)
  client.seed('hello.txt', seeded, onTorrent)
  client.seed(new Blob(['hello']), seeded)
  client.seed([new Uint8Array(1), new Blob(['hello']), 'hello.txt'], seeded, torrent => {
    is<Torrent, typeof torrent>(true)
  })
  client.seed(process.stdin, { name: 'standard input' })

  const found = await client.get('0'.repeat(40))
  is<Torrent | null, typeof found>(true)
  await client.remove('0'.repeat(40))
  await client.remove(client.torrents[0]!, () => {})
  await client.remove(new Uint8Array(20), { destroyStore: true }, err => err?.message)
  is<Torrent[], typeof client.torrents>(true)
  client.torrents.map(({ task, progress }) => [task?.command, progress])
  const speeds: number[] = [client.downloadSpeed, client.uploadSpeed, client.progress, client.ratio]
  client.throttleDownload(speeds[0]!)
  client.throttleUpload(-1)
  client.maxConns = 10
  is<string, typeof client.peerId>(true)
  is<string, typeof client.nodeId>(true)
  is<boolean, typeof client.utp>(true)
  const flags: boolean[] = [
    client.destroyed, client.listening, client.ready, client.lsd, client.utPex, client.seedOutgoingConnections
  ]
  const ports: number[] = [client.torrentPort, client.dhtPort, client.address()?.port ?? 0, flags.length]
  if (client.tracker) client.tracker.announce?.push(`udp://127.0.0.1:${ports[0]}`)
  if (client.dht) {
    client.dht.addNode({ host: '127.0.0.1', port: client.dht.address().port })
    client.dht.toJSON().nodes.map(({ host, port }) => `${host}:${port}`)
  }

  const server = client.createServer({ origin: false, hostname: 'localhost', pathname: '/files' })
  server.listen(0, () => {
    is<number | undefined, undefined | NonNullable<ReturnType<typeof server.address>>['port']>(true)
  })
  server.listen(0)
  server.listen(0, '127.0.0.1', () => {})
  server.listen({ port: 0 })
  server.close(() => {})
  server.destroy()
  client.destroy(err => err?.message)
}

export function useTorrent (torrent: Torrent): void {
  const texts: string[] = [
    torrent.name, torrent.infoHash, torrent.magnetURI, torrent.path, torrent.comment ?? '', torrent.createdBy ?? ''
  ]
  const bytes: Uint8Array[] = [torrent.torrentFile, torrent.metadata ?? new Uint8Array()]
  const blob: Blob | null = torrent.torrentFileBlob
  const numbers: number[] = [
    torrent.timeRemaining,
    torrent.received,
    torrent.downloaded,
    torrent.uploaded,
    torrent.downloadSpeed,
    torrent.uploadSpeed,
    torrent.progress,
    torrent.ratio,
    torrent.numPeers,
    torrent.length,
    torrent.pieceLength,
    torrent.lastPieceLength,
    texts.length,
    bytes.length,
    blob?.size ?? 0,
    torrent.created?.getTime() ?? 0
  ]
  torrent.maxWebConns = numbers.length
  const states: boolean[] = [torrent.ready, torrent.paused, torrent.done, torrent.destroyed, torrent.private === true]
  is<string[], typeof torrent.announce>(true)
  is<string[], typeof torrent.urlList>(true)
  is<TorrentFile[], typeof torrent.files>(true)
  is<Wire[], typeof torrent.wires>(true)
  torrent.pieces.filter(piece => piece !== null && piece.missing !== 0 && states.length > 0)

  torrent.addPeer('127.0.0.1:6881')
  torrent.addWebSeed('http://127.0.0.1:1/')
  torrent.removePeer('127.0.0.1:6881')
  torrent.select(0, 1, 2, () => {})
  torrent.select(0, 1, false)
  torrent.deselect(0, 1)
  torrent.critical(0, 1)
  torrent.pause()
  torrent.resume()
  torrent.rescanFiles(err => err?.message)
  torrent
    .on('infoHash', infoHash => infoHash.length)
    .on('metadata', () => {})
    .on('ready', () => {})
    .on('done', () => {})
    .on('close', () => {})
  torrent.on('warning', onError).on('error', onError)
  torrent
    .on('download', count => count.toFixed())
    .on('upload', count => count.toFixed())
    .on('verified', index => index.toFixed())
  torrent.on('wire', (wire, address) => { useWire(wire); address?.trim() })
  torrent
    .on('noPeers', source => source.trim())
    .on('trackerAnnounce', () => {})
    .on('dhtAnnounce', () => {})
    .on('seed', () => {})
  torrent.on('peer', peer => peer.trim()).on('invalidPeer', peer => peer.trim()).on('blockedPeer', peer => peer.trim())
  torrent.on('idle', () => {}).on('interested', () => {}).on('uninterested', () => {})
  torrent.destroy()
  torrent.destroy(err => err?.message)
  torrent.destroy({ destroyStore: true }, () => {})
}

export async function useFile (file: TorrentFile): Promise<void> {
  const texts: string[] = [file.name, file.path, file.type, file.streamURL]
  const numbers: number[] = [file.length, file.size, file.offset, file.downloaded, file.progress, texts.length]
  file.select(numbers[0])
  file.deselect()
  const states: boolean[] = [file.done, file.includes(0)]
  is<ArrayBuffer, Awaited<ReturnType<typeof file.arrayBuffer>>>(true)
  is<Blob, Awaited<ReturnType<typeof file.blob>>>(true)
  await file.blob({ start: 0, end: states.length })
  file.createReadStream({ start: 1 }).pipe(process.stdout)
  await file.stream().cancel()
  const video = { src: '', play: () => true }
  file.streamTo(video).play()
  for await (const chunk of file) is<Uint8Array, typeof chunk>(true)
  for await (const chunk of file[Symbol.asyncIterator]({ start: 0, end: 1 })) is<Uint8Array, typeof chunk>(true)
  file
    .on('done', () => {})
    .on('stream', ({ stream, file: { name }, req }, pipe) => {
      pipe(stream)
      ;[name, req.url].join()
    })
  file.on('iterator', ({ iterator }, transform) => { transform(iterator) })
}

function useWire (wire: Wire): void {
  const texts: Array<string | null | undefined> = [wire.peerId, wire.type, wire.remoteAddress]
  const numbers: number[] = [
    wire.uploaded, wire.downloaded, wire.uploadSpeed(), wire.downloadSpeed(), wire.remotePort ?? texts.length
  ]
  const states: boolean[] = [
    wire.amChoking, wire.amInterested, wire.peerChoking, wire.peerInterested, wire.hasFast, numbers.length > 0
  ]
  is<BitField, typeof wire.peerPieces>(true)
  if (states.every(Boolean) && wire.peerPieces.get(0)) wire.request(0, 0, 16384, (err, block) => err ?? block?.length)
  wire.on('have', index => index.toFixed()).once('close', () => {}).off('unchoke', () => {})
  wire.setKeepAlive(true)
  wire.destroy()
}

export function useTasks (client: BitWorker): void {
  const task: Task = createTask({ name: 'squares.txt', parts: 5, command: 'echo $PIECE_IDX' })
  const compute: ComputeOptions = { slots: 2 }
  const opts: TaskTorrentOptions = { path: 'out', compute, force: false }
  const torrent = client.add(task, opts, ready => { is<Torrent, typeof ready>(true) })
  client.add(encodeTask(parseTask(encodeTask(client.createTask({ name: 'a', parts: 1, command: 'true' })))), {
    compute: true
  })
  const policies: PolicyOption[] = ['audit', { audit: 0.01 }, { quorum: 2 }, { trust: ['ab'.repeat(32)] }]
  const verified: VerifyOptions[] = policies.map(verify => ({ verify, member: 'lab.key', membersOnly: true }))
  for (const verifyOptions of verified) client.add(task, verifyOptions)
  is<VerificationReport | null, typeof torrent.verification>(true)
  is<PieceState | null, ReturnType<typeof torrent.standing>>(true)
  torrent.on('refused', ({ peer, reason }) => { [peer.trim(), reason.trim()].join() })
  is<'off' | 'on' | 'paused', typeof torrent.computing>(true)
  torrent.startComputing(compute)
  torrent.pauseComputing()
  torrent.pauseComputing({ running: 'finish' })
  torrent.resumeComputing()
  torrent.stopComputing().then(() => torrent.stats().missing, () => {})
  torrent.on('computed', ({ piece, sha256, ms }) => { [sha256.trim(), piece.toFixed(), ms.toFixed()].join() })
  torrent
    .on('computing', ({ piece }) => piece.toFixed())
    .on('downloaded', ({ size }) => size.toFixed())
    .on('file', ({ path }) => path.trim())
  torrent.on('failed', ({ code, stderr, final }: FailedEvent) => {
    is<ErrorCode, typeof code>(true)
    ;[stderr, final].join()
  })
  torrent.on('aborted', ({ reason }) => reason.trim()).on('stuck', ({ pieces }) => pieces.length)
  torrent.on('strike', ({ peer }) => peer.trim()).on('ban', ({ reason }) => reason.trim())
  const [file] = torrent.files as TaskFileView[]
  if (file?.isFinished === true) file.index.toFixed()
  // @ts-expect-error slots is a number
  torrent.startComputing({ slots: 'two' })
  // @ts-expect-error there is no such event
  torrent.on('finished', () => {})
  // @ts-expect-error nor such an option
  client.add(task, { slots: 2 })
  // what is private cannot be seen
  is<never, Extract<keyof BitWorker | keyof Torrent | keyof TorrentFile | keyof TaskFileView, `_${string}`>>(true)
}

/** Errors have a code, and BitWorker's one of those that there are. */
function onError (err: TorrentError): void {
  if (err.code === 'BW_ERR_FILE_EXISTS' || err.code === 'ENOSPC') throw err
}

export function useErrors (err: BitWorkerError): boolean {
  is<ErrorCode, typeof err.code>(true)
  // @ts-expect-error no such code
  return err.code === 'BW_ERR_NO_SUCH_CODE'
}

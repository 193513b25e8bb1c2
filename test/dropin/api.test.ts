/** What the types promise is there: every member of a client, a torrent and a file that WebTorrent documents. */
import MemoryChunkStore from 'memory-chunk-store'
import test from 'tape'
import BitWorker from '../../lib/index.ts'
import type { Torrent, TorrentFile } from '../../lib/index.ts'
import { cleanUp } from '../helpers/disk.ts'

const OFFLINE = { dht: false, lsd: false, tracker: false, natUpnp: false, natPmp: false }

const CLIENT = [
  'add',
  'seed',
  'get',
  'remove',
  'destroy',
  'torrents',
  'downloadSpeed',
  'uploadSpeed',
  'progress',
  'ratio',
  'throttleDownload',
  'throttleUpload',
  'createServer',
  'address',
  'peerId',
  'nodeId',
  'torrentPort',
  'dhtPort',
  'dht',
  'tracker',
  'maxConns',
  'utp',
  'lsd',
  'utPex',
  'natUpnp',
  'natPmp',
  'seedOutgoingConnections',
  'userAgent',
  'destroyed',
  'listening',
  'ready',
  'createTask',
  'on',
  'once',
  'off'
] as const satisfies ReadonlyArray<keyof BitWorker>

const TORRENT = [
  'name',
  'infoHash',
  'magnetURI',
  'torrentFile',
  'torrentFileBlob',
  'announce',
  'urlList',
  'files',
  'pieces',
  'wires',
  'timeRemaining',
  'received',
  'downloaded',
  'uploaded',
  'downloadSpeed',
  'uploadSpeed',
  'progress',
  'ratio',
  'numPeers',
  'maxWebConns',
  'path',
  'ready',
  'paused',
  'done',
  'destroyed',
  'length',
  'pieceLength',
  'lastPieceLength',
  'metadata',
  'private',
  'created',
  'createdBy',
  'comment',
  'destroy',
  'addPeer',
  'addWebSeed',
  'removePeer',
  'select',
  'deselect',
  'critical',
  'pause',
  'resume',
  'rescanFiles',
  'client',
  'task',
  'computing',
  'stats',
  'startComputing',
  'pauseComputing',
  'resumeComputing',
  'stopComputing',
  'on',
  'once',
  'off'
] as const satisfies ReadonlyArray<keyof Torrent>

const FILE = [
  'name',
  'path',
  'length',
  'size',
  'type',
  'offset',
  'downloaded',
  'progress',
  'select',
  'deselect',
  'stream',
  'createReadStream',
  'arrayBuffer',
  'blob',
  'streamTo',
  'streamURL',
  'includes',
  'done',
  'on',
  'once',
  'off',
  Symbol.asyncIterator
] as const satisfies ReadonlyArray<keyof TorrentFile>

test('every documented member is there', async t => {
  const client = new BitWorker(OFFLINE)
  cleanUp(t, () => new Promise<void>(resolve => { client.destroy(() => { resolve() }) }))
  const options = {
    name: 'hello.txt',
    comment: 'a greeting',
    private: true,
    creationDate: new Date(1e12),
    store: MemoryChunkStore,
    announceList: []
  }
  const torrent = await new Promise<Torrent>(resolve => { client.seed(new Blob(['hello']), options, resolve) })
  for (const member of CLIENT) t.ok(member in client, `client.${member}`)
  for (const member of TORRENT) t.ok(member in torrent, `torrent.${member}`)
  for (const member of FILE) t.ok(member in torrent.files[0]!, `file.${String(member)}`)
  t.equal(torrent.task, null, 'it is an ordinary torrent')
  t.deepEqual(
    [torrent.comment, torrent.private, torrent.created],
    ['a greeting', true, new Date(1e12)],
    'made with the options of create-torrent'
  )
  t.equal(await torrent.files[0]!.blob().then(blob => blob.text()), 'hello', 'of a Blob')
  t.equal(await client.get(torrent.infoHash), torrent, 'and found')

  const server = client.createServer()
  await new Promise<void>(resolve => { server.listen(0, resolve) })
  cleanUp(t, () => { server.destroy() })
  t.equal(torrent.files[0]!.streamTo({ src: '' }).src, torrent.files[0]!.streamURL, 'a media element can play it')
  const answer = await fetch(`http://127.0.0.1:${server.address()!.port}${torrent.files[0]!.streamURL}`)
  t.equal(await answer.text(), 'hello', 'from the server')
})

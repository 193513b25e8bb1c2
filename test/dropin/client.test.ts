/**
 * BitWorker in WebTorrent's place, with ordinary torrents: adding, finding, removing, and what is public about a
 * client.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import MemoryChunkStore from 'memory-chunk-store'
import test from 'tape'
import type { Test } from 'tape'
import WebTorrent from 'webtorrent'
import WebTorrentTorrent from 'webtorrent/lib/torrent.js'
import fixtures from 'webtorrent-fixtures'
import BitWorker from '../../lib/index.ts'
import type { TorrentId } from '../../lib/webtorrent/types.ts'
import { cleanUp, createFolder, within } from '../helpers/disk.ts'
import { CLIENT_EVENTS, describe, errorOf, same, TORRENT_EVENTS } from '../helpers/same.ts'
import { createClient, destroyClient, eventOf } from '../helpers/swarm.ts'

const { leaves, alice, corrupt } = fixtures
const { infoHash, infoHashBuffer } = leaves.parsedTorrent
const store = { store: MemoryChunkStore }
/** Ids are made anew for each run: parse-torrent changes the objects it is given. */
type MakeId = (t: Test) => unknown

/** URL of a server that answers everything with this. */
async function serve (t: Test, body: Uint8Array | string, status = 200): Promise<string> {
  const server = createServer((_req, res) => { res.writeHead(status).end(body) }).listen(0, '127.0.0.1')
  cleanUp(t, () => { server.close().closeAllConnections() })
  await eventOf(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.torrent`
}

const withMetadata: Record<string, MakeId> = {
  Buffer: () => leaves.torrent,
  Uint8Array: () => new Uint8Array(leaves.torrent),
  'view into a larger buffer': () =>
    Buffer.concat([Buffer.from('xx'), leaves.torrent, Buffer.from('xx')]).subarray(2, -2),
  path: () => leaves.torrentPath,
  URL: t => serve(t, leaves.torrent),
  'URL with status 500': t => serve(t, leaves.torrent, 500),
  Blob: () => new Blob([leaves.torrent]),
  'parsed object': () => ({ ...leaves.parsedTorrent }),
  'parsed object, announce a string': () => ({ ...leaves.parsedTorrent, announce: 'http://127.0.0.1:1/announce' })
}

const withoutMetadata: Record<string, MakeId> = {
  'magnet link': () => leaves.magnetURI,
  'magnet link with trackers and web seeds': () =>
    `${leaves.magnetURI}&tr=http%3A%2F%2F127.0.0.1%3A1%2Fa&ws=http%3A%2F%2F127.0.0.1%3A1%2F`,
  'magnet link, only some files': () => `magnet:?xt=urn:btih:${infoHash}&so=0-2,5`,
  'stream-magnet link': () => `stream-${leaves.magnetURI}`,
  'info-hash': () => infoHash,
  'info-hash in capitals': () => infoHash.toUpperCase(),
  'info-hash, base 32': () => '2JDU5BWJLMM3RPH5XEV4CLE5IRTHZ6RW',
  'info-hash, 20 bytes': () => Buffer.from(infoHashBuffer),
  'object with an info-hash': () => ({ infoHash: infoHash.toUpperCase() })
}

for (const [form, makeId] of Object.entries({ ...withMetadata, ...withoutMetadata })) {
  same(`add: ${form}`, async ({ t, log, watch, start }) => {
    const id = await makeId(t) as TorrentId
    const client = await start()
    watch(client, 'client', CLIENT_EVENTS)
    const torrent = client.add(id, store, ready => { log('callback', ready === torrent) })
    watch(torrent, 'torrent', TORRENT_EVENTS)
    log(client.torrents.length, torrent.infoHash, torrent.ready, torrent.progress)
    await eventOf(torrent, form in withMetadata ? 'ready' : 'infoHash')
    log(describe(torrent))
    await client.remove(torrent.infoHash, {}, err => { log('removed', err) })
    log(client.torrents.length, torrent.destroyed)
    await destroyClient(client)
  })
}

const invalid: Record<string, MakeId> = {
  'empty string': () => '',
  'any string': () => 'nonsense',
  'missing file': () => '/no/such/file.torrent',
  folder: t => createFolder(t),
  'few bytes': () => Buffer.from('abc'),
  'no bytes': () => new Uint8Array(0),
  'corrupt bytes': () => corrupt.torrent,
  'corrupt file': () => corrupt.torrentPath,
  'corrupt Blob': () => new Blob([corrupt.torrent]),
  'empty Blob': () => new Blob([]),
  'corrupt URL': t => serve(t, corrupt.torrent),
  'URL of something else': t => serve(t, '<html></html>'),
  'URL where nobody listens': () => 'http://127.0.0.1:1/',
  'URL that is none': () => 'http://',
  'magnet link without an info-hash': () => 'magnet:?dn=x',
  'magnet link of another kind': () => 'magnet:?xt=urn:sha1:PDAQRAOQQRYS76MRZJ33LK4MMVZBDSCL',
  'info-hash too short': () => infoHash.slice(1),
  undefined: () => undefined,
  number: () => 7,
  'empty object': () => ({})
}

for (const [form, makeId] of Object.entries(invalid)) {
  for (const listener of ['client', 'torrent'] as const) {
    same(`add: invalid: ${form}; the ${listener} has a listener for 'error'`, async ({ t, log, watch, start }) => {
      const id = await makeId(t) as TorrentId
      const client = await start()
      watch(client, 'client', ['add', 'torrent', 'remove'])
      const torrent = client.add(id, store, () => { log('callback') })
      const failed = eventOf(listener === 'client' ? client : torrent, 'error')
      watch(torrent, 'torrent', ['infoHash', 'metadata', 'ready', 'close'])
      if (listener === 'client') client.on('error', err => { log('client error', err) })
      const [err] = await failed
      log(err, (err as Error).name, torrent.destroyed, client.destroyed, client.torrents.length)
    })
  }
}

for (const [form, makeId] of Object.entries({ ...withMetadata, ...withoutMetadata })) {
  same(`add: duplicate: ${form}`, async ({ t, log, watch, start }) => {
    const id = await makeId(t) as TorrentId
    const client = await start()
    const first = client.add(leaves.torrent, store)
    await eventOf(first, 'ready')
    watch(client, 'client', CLIENT_EVENTS)
    const second = client.add(id, store, torrent => { log('callback', torrent === first) })
    watch(second, 'second', TORRENT_EVENTS)
    // the callback comes after 'error' and 'close'
    await within(new Promise<void>(resolve => { second.once('close', () => { setImmediate(resolve) }) }), 'close')
    log(client.torrents.length, second.destroyed, first.destroyed)
  })
}

same('get', async ({ t, log, start }) => {
  const client = await start()
  const torrent = client.add(leaves.torrent, store)
  await eventOf(torrent, 'ready')
  for (const [form, makeId] of Object.entries({ ...withMetadata, ...withoutMetadata, ...invalid })) {
    const found = await client.get(await makeId(t) as TorrentId)
    log(form, found === torrent, found)
  }
  log(await client.get(torrent), await client.get(alice.torrent), await client.get(alice.magnetURI))
})

same('get answers as fast as WebTorrent does', async ({ log, start }) => {
  const client = await start()
  const torrent = client.add(leaves.torrent, store)
  await eventOf(torrent, 'ready')
  for (const id of [torrent, infoHash, leaves.magnetURI]) {
    let ticks = 0
    const answer = client.get(id).then(found => [ticks, found === torrent])
    // incoming connections wait for it: see webtorrent/lib/conn-pool.js
    while (ticks < 20) await Promise.resolve(ticks++)
    log(await answer)
  }
})

same('remove and destroy', async ({ log, watch, start }) => {
  const client = await start()
  watch(client, 'client', CLIENT_EVENTS)
  const torrent = client.add(leaves.torrent, store)
  const other = client.add(alice.torrent, store)
  await Promise.all([eventOf(torrent, 'ready'), eventOf(other, 'ready')])
  const [file] = torrent.files
  watch(torrent, 'torrent', TORRENT_EVENTS)
  for (const id of ['nonsense', alice.parsedTorrent.infoHash.replace(/./g, '0')]) {
    log(await errorOf(() => client.remove(id)))
  }
  log(await client.remove(torrent, {}, err => { log('removed', err) }), client.torrents.length)
  log(await errorOf(() => client.remove(torrent)))
  log(
    await errorOf(() => torrent.addPeer('127.0.0.1:1')),
    await errorOf(() => {
      torrent.select(0, 1)
    }),
    await errorOf(() => {
      torrent.critical(0, 1)
    })
  )
  log(
    await errorOf(() => file!.createReadStream()),
    await errorOf(() => file!.arrayBuffer()),
    torrent.files,
    torrent.client
  )
  torrent.destroy()
  torrent.pause()
  torrent.resume()
  await destroyClient(client)
  log(client.torrents, other.destroyed, client.destroyed, client.listening, client.ready)
  log(await errorOf(() => client.add(leaves.torrent)), await errorOf(() => client.seed(leaves.content)))
  log(await errorOf(() => { client.destroy() }), await errorOf(() => client.createServer()))
})

same('a client destroyed at once stays silent', async ({ t, Client, log, watch }) => {
  const client = createClient(t, {}, Client)
  watch(client, 'client', ['ready', 'torrent', 'seed', 'error'])
  client.add(leaves.torrent, store, () => { log('callback') })
  client.seed(leaves.content, { name: 'x', ...store }, () => { log('callback') })
  await destroyClient(client)
  await new Promise(resolve => { setImmediate(resolve) })
  log(client.destroyed, client.torrents)
})

same('statics and client properties', async ({ Client, log, start }) => {
  log(Client.VERSION, Client.WEBRTC_SUPPORT, Client.UTP_SUPPORT)
  const client = await start()
  log(
    Object.keys(client),
    Buffer.from(client.peerId, 'hex').toString('latin1').slice(0, 8),
    client.peerId.length,
    client.nodeId.length
  )
  log(client.progress, client.ratio, client.downloadSpeed, client.uploadSpeed, client.torrents)
  log(client.address()?.port === client.torrentPort)
  const peerId = Buffer.from('-XX0001-abcdefghijkl')
  const other = await start({
    peerId,
    nodeId: peerId,
    maxConns: 7,
    utp: false,
    userAgent: 'me',
    downloadLimit: 5000,
    tracker: true,
    webSeeds: false,
    secure: 0
  })
  const view = other as unknown as Record<string, unknown>
  log(
    [
      'peerId',
      'nodeId',
      'maxConns',
      'utp',
      'userAgent',
      'tracker',
      'dht',
      'lsd',
      'enableWebSeeds',
      'secure',
      '_downloadLimit',
      'ready'
    ].map(key => [key, view[key]])
  )
  log(
    other.throttleDownload(-1), other.throttleDownload(Number.NaN), other.throttleUpload(-2), other.throttleUpload(1000)
  )
})

test('BitWorker is a WebTorrent, and its torrents are WebTorrent\'s', t => {
  const client = createClient(t)
  t.ok(client instanceof WebTorrent)
  t.ok(client.add(infoHash) instanceof WebTorrentTorrent)
  t.ok(Object.getPrototypeOf(BitWorker) === WebTorrent)
  t.end()
})

/**
 * BitWorker in WebTorrent's place, with ordinary torrents: finding peers, extensions of the wire, web seeds, the HTTP
 * server.
 */
import { EventEmitter } from 'node:events'
import { createServer, request } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import MemoryChunkStore from 'memory-chunk-store'
import fixtures from 'webtorrent-fixtures'
import type { WebTorrentClient, Wire } from '../../lib/webtorrent/types.ts'
import { cleanUp } from '../helpers/disk.ts'
import { errorOf, internal, same, seedLeaves } from '../helpers/same.ts'
import { addressOf, createDht, createTracker, eventOf } from '../helpers/swarm.ts'

const { leaves, alice, numbers } = fixtures
const store = { store: MemoryChunkStore }

same('addPeer and pause', async ({ log, watch, start }) => {
  const client = await start({ blocklist: ['127.0.0.9'] })
  if (!client.ready) await eventOf(client, 'ready')
  const early = client.add(alice.magnetURI, store)
  log(await errorOf(() => early.addPeer('127.0.0.1:1')))
  await eventOf(early, 'infoHash')
  watch(early, 'torrent', ['peer', 'blockedPeer', 'invalidPeer'])
  for (const peer of ['127.0.0.1:1', '127.0.0.1:1', '127.0.0.9:1', 'nonsense', '127.0.0.1:99999', '[::1]:1']) {
    log(early.addPeer(peer))
  }
  early.pause()
  log(early.addPeer('127.0.0.1:2'), internal(early, 'paused'))
  early.resume()
  log(early.addPeer('127.0.0.1:2'), early.numPeers)
})

same('a blocklist at a URL', async ({ log, watch, start }) => {
  const lines = ['# a comment', 'somebody: 127.0.0.9-127.0.0.10', '127.0.1.0/24', 'x:y 127.0.2.1', 'nonsense', '']
  const server = createServer((_req, res) => { res.end(lines.join('\n')) }).listen(0, '127.0.0.1')
  await eventOf(server, 'listening')
  const client = await start({ blocklist: `http://127.0.0.1:${(server.address() as AddressInfo).port}/list` })
  if (!client.ready) await eventOf(client, 'ready')
  server.close()
  const torrent = client.add(alice.magnetURI, store)
  await eventOf(torrent, 'infoHash')
  watch(torrent, 'torrent', ['peer', 'blockedPeer', 'invalidPeer'])
  for (const host of ['127.0.0.8', '127.0.0.9', '127.0.0.10', '127.0.0.11', '127.0.1.77', '127.0.2.1']) {
    log(host, torrent.addPeer(`${host}:1`))
  }
})

same('an extension of the user\'s', async ({ log, start }) => {
  const [a, b] = [await start(), await start()]
  const heard: string[] = []
  const ears = new EventEmitter()
  const hear = (text: string): void => { if (heard.push(text) === 4) ears.emit('all') }
  const extension = (name: string): new (wire: Wire) => { readonly name: string } => class {
    readonly #wire: Wire
    constructor (wire: Wire) {
      this.#wire = wire
      wire.extendedHandshake['greeting'] = `from ${name}`
    }

    get name (): string { return 'wt_test' }
    onExtendedHandshake (handshake: { greeting: Uint8Array }): void {
      hear(`${name} got ${Buffer.from(handshake.greeting).toString()}`)
      this.#wire.extended('wt_test', { hello: name })
    }

    onMessage (bytes: Uint8Array): void { hear(`${name} got ${Buffer.from(bytes).toString()}`) }
  }
  const torrents = await Promise.all([a, b].map(async (client, index) => {
    const torrent = client.add(leaves.torrent, store)
    torrent.on('wire', wire => {
      log('extensions', Object.keys((wire as unknown as Record<string, object>)['_ext']!))
      wire.use(extension(index === 0 ? 'a' : 'b'))
    })
    await eventOf(torrent, 'ready')
    return torrent
  }))
  const all = eventOf(ears, 'all')
  torrents[1]!.addPeer(await addressOf(a))
  await all
  log(heard.sort())
})

same('peers found by trackers and DHT', async ({ t, log, start }) => {
  const { node, options } = await createDht(t)
  for (const kind of ['http', 'udp', 'dht'] as const) {
    const tracker = kind === 'dht' ? undefined : await createTracker(t, kind)
    tracker?.server.on('start', (_addr: string, { left, event, numwant }: Record<string, unknown>) => {
      log('start', left, event, numwant)
    })
    const announce = tracker === undefined ? [] : [tracker.url]
    const opts = kind === 'dht' ? { dht: options } : { tracker: true }
    const seeder = await start(opts)
    // WebTorrent waits for the DHT itself before it calls back
    const [source] = await Promise.all([seedLeaves(seeder, { announce }), tracker && eventOf(tracker.server, 'start')])
    const torrent = (await start(opts)).add(source.magnetURI, store)
    await eventOf(torrent, 'done')
    log(kind, torrent.progress, torrent.announce.length)
  }
  log(node.toJSON().nodes.length > 0)
})

same('web seeds', async ({ t, log, start }) => {
  const httpServer = createServer((req, res) => {
    const [from = 0, to = leaves.content.length - 1] =
      /(\d+)-(\d+)/
        .exec(req.headers.range ?? '')
        ?.slice(1)
        .map(Number) ?? []
    res.writeHead(206).end(leaves.content.subarray(from, to + 1))
  }).listen(0, '127.0.0.1')
  cleanUp(t, () => { httpServer.close().closeAllConnections() })
  await eventOf(httpServer, 'listening')
  const url = `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}/a`
  const torrent = (await start()).add(`${leaves.magnetURI}&ws=${encodeURIComponent(url)}`, store)
  await eventOf(torrent, 'infoHash')
  const other = await start()
  other.add(leaves.torrent, store)
  torrent.addPeer(await addressOf(other))
  await eventOf(torrent, 'done')
  log(torrent.progress, await torrent.files[0]!.arrayBuffer())
})

const SHOWN_HEADERS = [
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'content-disposition',
  'access-control-allow-origin'
]

/** One answer of the server, with what identifies it. */
function ask (port: number, path: string, method = 'GET', headers: Record<string, string> = {}): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, method, headers, agent: false }, res => {
      const head = [method, res.statusCode, ...SHOWN_HEADERS.map(name => res.headers[name])]
      res.toArray().then(chunks => { resolve([...head, Buffer.concat(chunks as Buffer[])]) }, reject)
    }).on('error', reject).end()
  })
}

/** WebTorrent's HTTP server, listening. */
async function serve (client: WebTorrentClient): Promise<{ pathname: string, port: number }> {
  const { pathname, server } = client.createServer({ origin: '*' }) as unknown as { pathname: string, server: Server }
  server.listen(0, '127.0.0.1')
  await eventOf(server, 'listening')
  return { pathname, port: (server.address() as AddressInfo).port }
}

same('the HTTP server', async ({ log, start }) => {
  const client = await start()
  const torrent = await seedLeaves(client)
  await new Promise(resolve => { client.add(numbers.torrent, store, resolve) })
  const { pathname, port } = await serve(client)
  log(await errorOf(() => client.createServer()), pathname)
  const file = torrent.files[0]!.streamURL
  log(file)
  for (const path of [
    '/webtorrent',
    `/webtorrent/${torrent.infoHash}`,
    file,
    '/webtorrent/favicon.ico',
    '/webtorrent/nonsense',
    `${file}.no`
  ])
    log(path, await ask(port, path))
  for (const range of ['bytes=10-19', 'bytes=-5', 'bytes=5-', 'bytes=9999999-']) {
    log(range, await ask(port, file, 'GET', { range }))
  }
  for (const method of ['HEAD', 'OPTIONS', 'POST']) {
    log(await ask(port, file, method, { 'access-control-request-headers': 'range', origin: 'http://x' }))
  }
})

same('the HTTP server fetches nothing for those who ask it', async ({ t, log, start }) => {
  const asked: string[] = []
  const bait = createServer((req, res) => { asked.push(req.url ?? ''); res.end(leaves.torrent) }).listen(0, '127.0.0.1')
  cleanUp(t, () => { bait.close().closeAllConnections() })
  await eventOf(bait, 'listening')
  const { port } = await serve(await start())
  log(await ask(port, `/webtorrent/http:127.0.0.1:${(bait.address() as AddressInfo).port}`), asked)
})

/**
 * Swarms on the loopback interface, for tests: clients that never talk to anything public, trackers and DHT nodes. All
 * of it is gone when the test ends, last made first, so that a folder outlives its client.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { createServer } from 'node:net'
import { Client as Dht } from 'bittorrent-dht'
import Tracker from 'bittorrent-tracker/server'
import type { Test } from 'tape'
import BitWorker from '../../lib/index.ts'
import type { WebTorrentOptions } from '../../lib/webtorrent/inherited-options.ts'
import type { Torrent, WebTorrentClient, WebTorrentConstructor } from '../../lib/webtorrent/types.ts'
import { cleanUp, within } from './disk.ts'

const HOST = '127.0.0.1'

/**
 * Client options with everything off that would leave this machine; and no uTP, whose connections keep the process
 * alive for half a minute when the other end is gone, also after the client is destroyed.
 */
const OFFLINE = {
  dht: false, tracker: false, lsd: false, natUpnp: false, natPmp: false, utp: false
} as const satisfies WebTorrentOptions

/**
 * A client that is off every public network (see OFFLINE) unless `opts` say otherwise, and is destroyed when the test
 * ends. An 'error' of the client or 'warning' of a torrent fails the test, unless the test listens for it itself.
 */
export function createClient (t: Test, opts?: WebTorrentOptions): BitWorker
export function createClient (t: Test, opts: WebTorrentOptions, Client: WebTorrentConstructor): WebTorrentClient
export function createClient (
  t: Test, opts: WebTorrentOptions = {}, Client: WebTorrentConstructor = BitWorker
): WebTorrentClient {
  const client = new Client({ ...OFFLINE, ...opts })
  failOn(t, client, 'error')
  client.on('add', torrent => {
    failOn(t, torrent, 'warning')
  })
  cleanUp(t, () => destroyClient(client))
  return client
}

function failOn (t: Test, emitter: EventEmitter, name: 'error' | 'warning'): void {
  emitter.on(name, (err: Error) => {
    if (emitter.listenerCount(name) === 1) t.fail(`unexpected ${name}: ${err.stack ?? err.message}`)
  })
}

/**
 * Resolves when the client is destroyed, by this call or an earlier one. What it says of the end does not matter: a
 * test may have closed some of it itself.
 */
export async function destroyClient (client: WebTorrentClient): Promise<void> {
  if (client.destroyed) return
  await new Promise<void>(resolve => { client.destroy(() => { resolve() }) })
}

/**
 * A port that is free for TCP and UDP, for clients with uTP: WebTorrent takes any free port for TCP and then wants the
 * same for UDP, where another test's may be.
 */
export async function freePort (): Promise<number> {
  for (;;) {
    const udp = createSocket('udp4').bind(0)
    await eventOf(udp, 'listening')
    const { port } = udp.address()
    const tcp = createServer().listen(port)
    const isFree = await eventOf(tcp, 'listening').then(() => true, () => false)
    udp.close()
    tcp.close()
    await Promise.all([once(udp, 'close'), isFree && once(tcp, 'close')])
    if (isFree) return port
  }
}

/** Where other clients reach this one, as `torrent.addPeer` wants it. */
export async function addressOf (client: WebTorrentClient): Promise<string> {
  if (!client.listening) await within(once(client, 'listening'), 'listening')
  return `${HOST}:${client.torrentPort}`
}

/** Resolves with what the event carries; rejects if it does not come in time. */
export async function eventOf (emitter: EventEmitter | Torrent, name: string): Promise<unknown[]> {
  return within(once(emitter as EventEmitter, name), name)
}

/** A tracker and its announce URL, for the option `announce` of a torrent. The client needs `tracker: true`. */
export interface TestTracker { server: Tracker, url: string }

/** A tracker on 127.0.0.1 that speaks one protocol. */
export async function createTracker (t: Test, protocol: 'http' | 'udp' | 'ws' = 'http'): Promise<TestTracker> {
  const server = new Tracker({ http: protocol === 'http', udp: protocol === 'udp', ws: protocol === 'ws' })
  for (const name of ['error', 'warning']) {
    server.on(name, (err: Error) => { t.fail(`tracker ${name}: ${err.message}`) })
  }
  cleanUp(t, () => new Promise<void>(resolve => { server.close(() => { resolve() }) }))
  server.listen(0, { http: HOST, udp: HOST, udp6: '::1' })
  await eventOf(server, 'listening')
  const { port } = (server.udp4 ?? server.http ?? server.ws)!.address() as { port: number }
  return { server, url: `${protocol}://${HOST}:${port}${protocol === 'http' ? '/announce' : ''}` }
}

/** A DHT node and the client option `dht` that makes a client know it and no other. */
export interface TestDht { node: Dht, options: { bootstrap: string, host: string } }

/** The first node of a DHT of its own, on 127.0.0.1. */
export async function createDht (t: Test): Promise<TestDht> {
  const node = new Dht({ bootstrap: false })
  node.on('error', (err: Error) => { t.fail(`dht error: ${err.message}`) })
  cleanUp(t, () => new Promise<void>(resolve => { node.destroy(() => { resolve() }) }))
  node.listen(0, HOST)
  await eventOf(node, 'listening')
  return { node, options: { bootstrap: `${HOST}:${node.address().port}`, host: HOST } }
}

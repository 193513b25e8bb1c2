/**
 * Every door that bytes come in by from trackers, the local network, the DHT and HTTP clients, as targets of the
 * fuzzer.
 */
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import NatPmp from '@silentbot1/nat-api/lib/pmp/index.js'
import Ssdp from '@silentbot1/nat-api/lib/upnp/ssdp.js'
import bencode from 'bencode'
import { Client as Dht } from 'bittorrent-dht'
import LSD from 'bittorrent-lsd'
import { Client } from 'bittorrent-tracker'
import WebSocketTracker from 'bittorrent-tracker/websocket-tracker'
import { NodeServer } from 'webtorrent/lib/server.js'
import { serviceIn } from '../../lib/discovery/lan-guards.ts'
import type { InternalLsd, InternalPmp, InternalSsdp } from '../../lib/discovery/lan-guards.ts'
import { readHttpAnswer, readUdpAnswer } from '../../lib/discovery/tracker-answer.ts'
import { TrackerServer } from '../../lib/discovery/tracker-server.ts'
import { patchServer } from '../../lib/webtorrent/http-server.ts'
import { readOrdinary } from '../../lib/webtorrent/ordinary.ts'
import type { WebTorrentClient } from '../../lib/webtorrent/types.ts'
import type { FuzzTarget } from './fuzzer.ts'

await import('../../lib/webtorrent/package-guards.ts')

const BENCODE_TOKENS = [
  'd', 'l', 'i', 'e', '0:', ':', 'i-1e', 'i0e', 'i9007199254740993e', 'de', 'le', '9:__proto__', '8:toStringi1e'
]
const JSON_TOKENS = [
  '{', '}', '[', ']', ',', ':', '""', 'null', '-1', '1e999', '"__proto__":', '"toString":', 'true', '"\\ud800"'
]
const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value, 'latin1'))
const json = (value: unknown): Uint8Array => text(JSON.stringify(value))
const latin1 = (input: Uint8Array): string => Buffer.from(input).toString('latin1')
const turn = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve) }) }

function demand (isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what)
}

function orNull<T> (fn: () => T): T | null {
  try {
    return fn()
  } catch {
    return null
  }
}

/** A client of bittorrent-tracker that asks nobody, and what its trackers have to say is checked. */
const HASH = 'ab'.repeat(20)
const client = new Client({
  infoHash: HASH,
  peerId: 'cd'.repeat(20),
  port: 1,
  announce: ['http://127.0.0.1:1/announce']
}) as unknown as EventEmitter & {
  _infoHashBinary: string
  _trackers: [
    { interval: { _repeat: number } | null, _onAnnounceResponse(answer: object): void, setInterval(ms: number): void }
  ]
}
client.on('warning', err => {
  demand(err instanceof Error && typeof err.message === 'string', 'a warning that is no Error')
})
client.on('peer', (peer: unknown) => {
  demand(typeof peer !== 'string' || /^[\d.]+:\d+$|^\[[\da-f:]+\]:\d+$/.test(peer), `a peer ${String(peer)}`)
})
const [tracker] = client._trackers

function takeAnswer (answer: object | null): void {
  if (answer === null) return
  tracker._onAnnounceResponse(answer)
  const ms = tracker.interval?._repeat ?? 60_000
  demand(ms >= 60_000 && ms <= 86_400_000, `asked again after ${ms} ms`)
  tracker.setInterval(0)
}

/** A WebSocket tracker without a socket; its WebRTC peers do nothing. */
const socketTracker = Object.assign(Object.create(WebSocketTracker.prototype) as {
  _onSocketData (data: Uint8Array): void
  interval: NodeJS.Timeout | null
}, {
  client,
  announceUrl: 'ws://127.0.0.1:1',
  destroyed: false,
  interval: null,
  peers: {},
  socket: null,
  _messages: { take: () => 0 },
  _onSocketError: () => {},
  _createPeer: () => Object.assign(new EventEmitter(), {
    signal: ({ type, sdp }: { type: unknown, sdp: unknown }) => { demand(typeof type === 'string' && typeof sdp === 'string', 'a signal of the wrong type') }
  })
})

const lsd = Object.assign(Object.create(LSD.prototype) as InternalLsd, { infoHash: HASH })
lsd.emit = () => { throw new Error('LSD warns') }
const pmp = Object.assign(Object.create(NatPmp.prototype) as InternalPmp, {
  gateway: '192.0.2.1', _queue: [] as InternalPmp['_queue'], _reqActive: true, socket: null
})
const ssdp: InternalSsdp = Object.create(Ssdp.prototype)
ssdp.emit = () => true

/** A DHT node on a socket that is none. */
const dhtSocket = Object.assign(new EventEmitter(), {
  send: (_bytes: unknown, _from: number, _to: number, _port: number, _host: string, cb: () => void) => { cb() },
  bind: () => {},
  close: () => {},
  address: () => ({ port: 1, address: '127.0.0.1', family: 'IPv4' })
})
interface DhtSocket {
  _timer: NodeJS.Timeout
  query(peer: object, query: object, cb: () => void): number
  cancel(tid: number): void
}
const dht = new Dht({ bootstrap: false, socket: dhtSocket }) as unknown as EventEmitter & {
  _interval: NodeJS.Timeout
  _rpc: { id: Uint8Array, socket: DhtSocket }
  lookup (hash: string, cb: () => void): void
}
dht._interval.unref()
dht._rpc.socket._timer.unref()
dht.on('error', (err: Error) => { throw err })
const ID = 'a'.repeat(20)

/** Answers a query that is pending, if the message is one that has room for its number. */
function takeDatagram (input: Uint8Array): void {
  const bytes = Buffer.from(input)
  const tid = dht._rpc.socket.query({ host: '127.0.0.1', port: 6881 }, { q: 'ping', a: { id: dht._rpc.id } }, () => {})
  const at = bytes.indexOf('1:t2:')
  if (at !== -1 && at + 7 <= bytes.length && (input[0]! & 1) === 0) bytes.writeUInt16BE(tid, at + 5)
  dhtSocket.emit('message', bytes, { address: '127.0.0.1', port: 6881, family: 'IPv4', size: bytes.length })
  dht._rpc.socket.cancel(tid)
}

/** A client's HTTP server with one file, without sockets. */
const file = Object.assign(new EventEmitter(), {
  path: 'a b/c',
  name: 'c',
  length: 100,
  type: 'text/plain',
  streamURL: '/webtorrent/x',
  async * [Symbol.asyncIterator] () { yield Buffer.alloc(100) }
})
const torrent = { infoHash: HASH, name: 'x', length: 100, files: [file] }
const httpClient = { ready: true, torrents: [torrent], get: async (id: string) => id === HASH ? torrent : null }
const httpServer = patchServer(
  new NodeServer(httpClient, {}), httpClient as unknown as WebTorrentClient
) as unknown as {
  wrapRequest(req: object, res: object): void
}

function takeHttpRequest (input: Uint8Array): void {
  const [method = '', url = '', host = '', range = '', origin = ''] = latin1(input).split('\n')
  const res = Object.assign(new EventEmitter(), {
    writeHead: () => res, write: () => true, end: () => {}, destroy: () => {}
  })
  httpServer.wrapRequest({ method, url, headers: { host, range, origin }, destroy: () => {} }, res)
}

const trackerServer = new TrackerServer()
let connectionId: Uint8Array = Buffer.alloc(8)
for (const socket of [trackerServer.udp4, trackerServer.udp6]) {
  socket.send = ((bytes: Buffer) => {
    if (bytes.readUInt32BE(0) === 0) connectionId = bytes.subarray(8, 16)
  }) as typeof socket.send
}
const sender = { address: '192.0.2.1', port: 6881, family: 'IPv4' }
trackerServer.onUdpRequest(Buffer.from('00000417271019800000000000000001', 'hex'), sender)

function takeUdpRequest (input: Uint8Array): void {
  const bytes = Buffer.from(input)
  if (bytes.length >= 8 && bytes[0] === 0) bytes.set(connectionId)
  trackerServer.onUdpRequest(bytes, sender)
}

function takeTrackerRequest (input: Uint8Array): void {
  const res = {
    writeHead: () => res,
    end: (body: unknown) => {
      demand(body === undefined || body instanceof Uint8Array, 'an answer that is no bytes')
    }
  }
  const req = { url: latin1(input), method: 'GET', headers: {}, connection: { remoteAddress: '192.0.2.1' } }
  trackerServer.onHttpRequest(req as never, res as never)
}

const sockets: EventEmitter[] = []

function takeSocketMessage (input: Uint8Array): void {
  const upgradeReq = { headers: {}, connection: { remoteAddress: '192.0.2.1', remotePort: 1 } }
  const socket = Object.assign(new EventEmitter(), {
    upgradeReq, bufferedAmount: 0, send: () => {}, terminate: () => {}, ping: () => {}
  })
  trackerServer.onWebSocketConnection(socket as never)
  socket.emit('message', Buffer.from(input))
  sockets.push(socket)
}

async function closeSockets (): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await turn()
  for (const socket of sockets.splice(0)) socket.emit('close')
}

async function checkTorrent (input: Uint8Array): Promise<void> {
  const parsed = await readOrdinary(input).catch(() => null)
  // twenty bytes are an info-hash
  if (parsed?.['pieces'] === undefined) return
  const { pieces, length, pieceLength } = parsed as unknown as { pieces: string[], length: number, pieceLength: number }
  demand(pieces.length === Math.ceil(length / pieceLength), 'a length that does not fit')
}

const discovery =
  /\/lib\/(discovery|webtorrent|base)\/|\/bittorrent-(tracker|lsd|dht)\/|\/k-rpc|\/nat-api\/|\/parse-torrent\/|\/webtorrent\/lib\/server/
const announcement = {
  action: 'announce',
  info_hash: client._infoHashBinary,
  peer_id: 'b'.repeat(20),
  offer_id: 'c'.repeat(20),
  interval: 120,
  complete: 1,
  incomplete: 2
}
const description = (type: string): object => ({ type, sdp: 'v=0' })
const query = (q: string, a: object): Uint8Array => bencode.encode({ t: 'aa', y: 'q', q, a: { id: ID, ...a } })
const reply = (r: object): Uint8Array => bencode.encode({ t: 'aa', y: 'r', r: { id: ID, ...r } })
const u32 = (...values: number[]): Uint8Array =>
  Buffer.concat(values.map(value => Buffer.of(value >>> 24, value >> 16, value >> 8, value)))
const percent = '%ab'.repeat(20)
const fixture = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/${path}`, import.meta.url)))
const [file60, file40] = [{ length: 60, path: ['a'] }, { length: 40, path: ['b', 'c'] }]
const info = { name: 'x', 'piece length': 16_384, pieces: new Uint8Array(20), length: 100 }

const targets: FuzzTarget[] = [
  {
    name: 'tracker-http',
    files: discovery,
    seeds: [
      bencode.encode({ interval: 1800, 'min interval': 60, complete: 1, incomplete: 2, 'tracker id': 'x', 'warning message': 'w', peers: Uint8Array.of(1, 2, 3, 4, 5, 6) }),
      bencode.encode({ 'failure reason': 'no', 'retry in': 5 }), bencode.encode({ peers: [{ ip: '1.2.3.4', port: 5 }], peers6: new Uint8Array(18) })
    ],
    tokens: [...BENCODE_TOKENS, '8:interval', '5:peers', '6:peers6', '14:failure reason', '2:ip', '4:port', '8:retry in', '5:never', '12:min interval'],
    run: input => { takeAnswer(orNull(() => readHttpAnswer(input))) }
  },
  {
    name: 'tracker-udp',
    files: discovery,
    seeds: [Buffer.concat([u32(1800, 1, 2), Uint8Array.of(1, 2, 3, 4, 5, 6)]), u32(0, 0, 0), new Uint8Array()],
    tokens: ['\0\0\0\0', '\xff\xff\xff\xff', '\0\0\0\x01', '\x7f\0\0\x01\x1a\xe1'],
    run: input => { takeAnswer(orNull(() => readUdpAnswer(input))) }
  },
  {
    name: 'tracker-ws',
    files: discovery,
    seeds: [json({ ...announcement, offer: description('offer') }), json({ ...announcement, answer: description('answer') }), json({ action: 'scrape', files: {} }), json({ 'failure reason': 'no' })],
    tokens: [...JSON_TOKENS, '"action":"announce"', '"offer":', '"answer":', '"sdp":', '"peer_id":', '"interval":', '"info_hash":'],
    run: input => {
      socketTracker._onSocketData(input)
      clearInterval(socketTracker.interval ?? undefined)
    }
  },
  {
    name: 'lsd',
    files: discovery,
    seeds: [text(`BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: ${HASH}\r\ncookie: x\r\n\r\n\r\n`), text('BT-SEARCH')],
    tokens: ['\r\n', 'Host: ', 'Port: ', 'Infohash: ', 'cookie: ', HASH, '0', ' '.repeat(99)],
    run: input => {
      const found = lsd._parseAnnounce(latin1(input))
      demand(
        found === null || (found.infoHash[0] === HASH && Number(found.port) > 0 && Number(found.port) < 65_536),
        'a peer that is none'
      )
    }
  },
  {
    name: 'nat-pmp',
    files: discovery,
    seeds: [0, 1, 2].map(op => Buffer.concat([Uint8Array.of(0, 128 + op, 0, 0), u32(1, 0x1ae11ae1, 7200)])),
    tokens: ['\0\x80', '\0\x81', '\0\x82', '\0\0\0\0'],
    run: input => {
      for (const op of [0, 1, 2]) {
        pmp._queue = [{ op, resolve: () => {}, reject: () => {} }]
        pmp.onMessage(Buffer.from(input), { address: '192.0.2.1', port: 5351 })
      }
    }
  },
  {
    name: 'upnp',
    files: discovery,
    seeds: [
      text('HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://192.0.2.1:5000/x\r\n\r\n'),
      text('<root><URLBase>http://192.0.2.1</URLBase><service><serviceType>x</serviceType><SCPDURL>/s</SCPDURL><controlURL>/c</controlURL></service></root>')
    ],
    tokens: ['<service>', '</service>', '<controlURL>', '<serviceType>x</serviceType>', '<URLBase>', '<!ENTITY', '&', '\r\n', 'LOCATION:', 'ST:', ' '.repeat(99)],
    run: input => {
      ssdp._parseResponse(latin1(input), '192.0.2.9', { address: '192.0.2.1', port: 1900 })
      const service = orNull(() => serviceIn(latin1(input), 'http://192.0.2.1:5000/x', ['x']))
      demand(service === null || new URL(service.url).hostname === '192.0.2.1', 'a service that is elsewhere')
    }
  },
  {
    name: 'dht',
    files: discovery,
    seeds: [
      query('ping', {}), query('find_node', { target: ID }), query('get_peers', { info_hash: ID }), query('announce_peer', { info_hash: ID, port: 1, token: ID }),
      query('get', { target: ID }), query('put', { v: 'x', token: ID, k: new Uint8Array(32), sig: new Uint8Array(64), seq: 1 }),
      reply({}), reply({ nodes: new Uint8Array(26), values: [new Uint8Array(6)], token: 'x' }), bencode.encode({ t: 'aa', y: 'e', e: [201, 'x'] })
    ],
    tokens: [...BENCODE_TOKENS, '1:q', '1:a', '1:r', '1:e', '1:t2:aa', '2:id20:', '9:info_hash', '6:target', '5:nodes', '6:values', '5:token'],
    run: takeDatagram,
    settle: turn
  },
  {
    name: 'http-server',
    files: discovery,
    seeds: [
      `GET\n/webtorrent/${HASH}/a%20b/c\nlocalhost\nbytes=0-9\n`, 'GET\n/webtorrent\n127.0.0.1:80\n\nhttp://x', `HEAD\n/webtorrent/${HASH}\n[::1]\n\n`, 'OPTIONS\n/webtorrent/x/%zz\n\n\n'
    ].map(text),
    tokens: ['\n', '%', '%00', '%ff', '/', '//', '..', '?', '#', 'bytes=', '-', '0-0,', 'localhost', ':', '[', HASH, '@'],
    run: takeHttpRequest,
    settle: turn
  },
  {
    name: 'tracker-server-http',
    files: discovery,
    seeds: [
      `/announce?info_hash=${percent}&peer_id=${percent}&port=6881&compact=1&event=started&left=1&numwant=50`, `/scrape?info_hash=${percent}&info_hash=${percent}`, '/announce'
    ].map(text),
    tokens: ['&', '=', '%', percent, '&port=', '1.5', '65536', '-1', '&event=', 'stopped', '__proto__', '&compact=0', '?', '/scrape'],
    run: takeTrackerRequest,
    settle: closeSockets
  },
  {
    name: 'tracker-server-udp',
    files: discovery,
    seeds: [
      Buffer.concat([new Uint8Array(8), u32(1, 7), new Uint8Array(64).fill(1), u32(2, 0, 0, 50), Uint8Array.of(1, 2)]),
      Buffer.concat([new Uint8Array(8), u32(2, 7), new Uint8Array(40)]),
      Buffer.from('00000417271019800000000000000001', 'hex')
    ],
    tokens: ['\0\0\0\0', '\0\0\0\x01', '\0\0\0\x02', '\xff\xff\xff\xff', '\0'.repeat(20)],
    run: takeUdpRequest,
    settle: closeSockets
  },
  {
    name: 'tracker-server-ws',
    files: discovery,
    seeds: [
      json({ ...announcement, event: 'started', numwant: 5, offers: [{ offer: description('offer'), offer_id: 'c'.repeat(20) }] }),
      json({ ...announcement, to_peer_id: 'b'.repeat(20), answer: description('answer') }), json({ action: 'scrape', info_hash: 'a'.repeat(20) })
    ],
    tokens: [...JSON_TOKENS, '"action":"scrape"', '"offers":', '"answer":', '"to_peer_id":', '"event":', '"stopped"', '"numwant":'],
    run: takeSocketMessage,
    settle: closeSockets
  },
  {
    name: 'torrent-file',
    files: /\/lib\/webtorrent\/ordinary|\/parse-torrent\//,
    seeds: [bencode.encode({ info }), bencode.encode({ info: { ...info, length: undefined, files: [file60, file40] } }), fixture('squares.bitworker')],
    tokens: [...BENCODE_TOKENS, '6:length', '5:files', '4:path', '6:pieces', '12:piece length', '9:file tree', '13:announce-list', '8:url-list', '4:name', '\0'],
    run: input => { void checkTorrent(input) },
    settle: turn
  }
]

/**
 * All of them. Each input goes through the package itself, with all that it has loaded, so coverage is looked at
 * rarely.
 */
export const doors: FuzzTarget[] = targets.map(target => Object.assign(target, { looks: 80 }))

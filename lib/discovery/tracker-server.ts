/**
 * A tracker that strangers may use: bittorrent-tracker's server with limits on number, size and time.
 * tracker-request.ts reads each request first, over any transport.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { Socket as DatagramSocket } from 'node:dgram'
import http from 'node:http'
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import PackageServer from 'bittorrent-tracker/server'
import type { WebSocket, WebSocketServer } from 'ws'
import { TokenBucket } from '../base/token-bucket.ts'
import { hostOf, isLocal } from '../peers/identity.ts'
import { tidyRequest } from './tracker-request.ts'
import type { TrackerRequest } from './tracker-request.ts'

/** Number of swarms, and of peers in all swarms together. The swarm whose last request is oldest is forgotten. */
const MAX_SWARMS = 10_000
const MAX_PEERS = 100_000
/** Number of swarms that one address may have created. */
const MAX_SWARMS_PER_ADDRESS = 1_000
/** Connections (HTTP and WebSocket): in total, and from one address other than this machine. */
const MAX_CONNECTIONS = 2_000
const MAX_CONNECTIONS_PER_ADDRESS = 128
/** Time limit for a request, from its first byte to its last. */
const REQUEST_MS = 10_000
const MAX_HEADER_BYTES = 8_192
/** Room for ten offers. */
const MAX_MESSAGE_BYTES = 1 << 17
/** Limits per WebSocket connection: announced peers, messages, and bytes that it has not read yet. */
const MAX_PEERS_PER_CONNECTION = 128
const MESSAGES_PER_SECOND = 20
const MESSAGE_BURST = 500
const MAX_UNREAD_BYTES = 1 << 20
/** A WebSocket that is silent for this long, and does not answer a ping either, is closed. */
const SILENCE_MS = 120_000
/** How long an address may use its connection id (BEP 15): at least this, at most twice this. */
const CONNECTION_MS = 60_000
/** The id in a connect request, and within the package. */
const PROTOCOL_ID = Buffer.from('0000041727101980', 'hex')

type Answered = (err: Error | null, response?: Record<string, unknown>) => void
interface Sender { address: string, port: number, family: string }
interface Peers { readonly length: number, clear (): void }
interface Swarm { readonly peers: Peers, announce (params: TrackerRequest, cb?: Answered): void }
interface SocketPeer extends WebSocket {
  /**
   * the peers it has announced, by swarm and peer id: clients of one process share a connection, but the package knows
   * only one peer id per connection
   */
  announced: Map<string, { infoHash: string, peerId: string }>
  destroyed?: boolean
}

/** The internals of the package's server. */
interface InternalServer {
  torrents: Record<string, Swarm>
  readonly udp4: DatagramSocket
  readonly udp6: DatagramSocket
  readonly ws: WebSocketServer
  on (event: string, listener: (err: Error) => void): void
  close (cb: () => void): void
  createSwarm (infoHash: string, cb: (err: null, swarm: Swarm) => void): void
  onHttpRequest (req: IncomingMessage, res: ServerResponse): void
  onUdpRequest (message: Buffer, from: Sender): void
  onWebSocketConnection (socket: SocketPeer): void
  _onRequest (params: TrackerRequest, cb: Answered): void
  _onWebSocketClose (socket: SocketPeer): void
}

const Base = PackageServer as unknown as {
  new (opts: object): InternalServer
  readonly Swarm: new (infoHash: string, server: InternalServer) => Swarm
}

/** The package handles UDP and WebSocket. HTTP, which also carries WebSocket, is handled here. */
export class TrackerServer extends Base {
  readonly http: HttpServer
  /** by info-hash; the most recently requested one is last */
  readonly #swarms = new Map<string, { swarm: Swarm, owner: string }>()
  readonly #owners = new Map<string, number>()
  readonly #secret = randomBytes(32)
  #peers = 0

  constructor () {
    super({ http: false, stats: false, ws: { noServer: true, clientTracking: true, maxPayload: MAX_MESSAGE_BYTES } })
    // bad requests are the client's problem
    this.on('warning', () => {})
    // each socket emits it, too, and there it is known which one it was
    this.on('error', () => {})
    this.http = this.#createHttp()
  }

  /** The numbers of swarms and peers. */
  get stats (): { torrents: number, peers: number } { return { torrents: this.#swarms.size, peers: this.#peers } }

  override close (cb: () => void): void {
    for (const socket of this.ws.clients) socket.terminate()
    super.close(() => {
      this.http.close(cb)
      this.http.closeAllConnections()
    })
  }

  override _onRequest (params: TrackerRequest, cb: Answered): void {
    const problem = tidyRequest(params) ?? this.#refuses(params)
    if (problem === null) super._onRequest(params, cb)
    else cb(new Error(problem))
  }

  #refuses ({ type, action, event, socket, info_hash: infoHash, peer_id: peerId, ip }: TrackerRequest): string | null {
    if (action !== 1) return null
    if (type === 'ws') {
      const { announced } = socket as SocketPeer
      const key = `${infoHash as string} ${peerId as string}`
      if (event === 'stopped') announced.delete(key)
      else if (announced.size < MAX_PEERS_PER_CONNECTION)
        announced.set(key, { infoHash: infoHash as string, peerId: peerId as string })
      else if (!announced.has(key)) return 'too many peers'
    }
    const known = this.#swarms.get(infoHash as string)
    if (known === undefined) {
      const owner = hostOf(ip as string)
      if ((this.#owners.get(owner) ?? 0) >= MAX_SWARMS_PER_ADDRESS) return 'too many torrents'
      this.#add(infoHash as string, owner)
    } else {
      this.#swarms.delete(infoHash as string)
      this.#swarms.set(infoHash as string, known)
    }
    return null
  }

  #add (infoHash: string, owner: string): void {
    if (this.#swarms.size >= MAX_SWARMS) this.#forgetOldest()
    const swarm = new Base.Swarm(infoHash, this)
    const announce = swarm.announce.bind(swarm)
    swarm.announce = (params, cb) => {
      const before = swarm.peers.length
      announce(params, cb)
      if (this.torrents[infoHash] !== swarm) return swarm.peers.clear()
      this.#peers += swarm.peers.length - before
      while (this.#peers > MAX_PEERS) this.#forgetOldest()
    }
    this.torrents[infoHash] = swarm
    this.#swarms.set(infoHash, { swarm, owner })
    this.#owners.set(owner, (this.#owners.get(owner) ?? 0) + 1)
  }

  #forgetOldest (): void {
    for (const [infoHash, { swarm, owner }] of this.#swarms) {
      this.#swarms.delete(infoHash)
      delete this.torrents[infoHash]
      this.#peers -= swarm.peers.length
      swarm.peers.clear()
      const left = this.#owners.get(owner)! - 1
      if (left === 0) this.#owners.delete(owner)
      else this.#owners.set(owner, left)
      return
    }
  }

  /**
   * BEP 15: only a sender that receives our answer at its address may announce, which the package does not check. The
   * request's own `ip` is ignored.
   */
  override onUdpRequest (message: Buffer, from: Sender): void {
    if (message.length < 16) return
    const action = message.readUInt32BE(8)
    const socket = from.family === 'IPv4' ? this.udp4 : this.udp6
    if (action === 0 && message.subarray(0, 8).equals(PROTOCOL_ID)) {
      const answer = Buffer.concat([Buffer.alloc(4), message.subarray(12, 16), this.#connectionId(from, 0)])
      socket.send(answer, from.port, from.address, () => {})
    } else if ([0, 1].some(age => message.subarray(0, 8).equals(this.#connectionId(from, age)))) {
      PROTOCOL_ID.copy(message)
      if (action === 1 && message.length >= 88) message.fill(0, 84, 88)
      super.onUdpRequest(message, from)
    }
  }

  #connectionId ({ address, port }: Sender, age: number): Buffer {
    const period = Math.floor(performance.now() / CONNECTION_MS) - age
    return createHmac('sha256', this.#secret).update(`${address} ${port} ${period}`).digest().subarray(0, 8)
  }

  #createHttp (): HttpServer {
    const server = http.createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: REQUEST_MS,
        requestTimeout: REQUEST_MS,
        connectionsCheckingInterval: REQUEST_MS / 4
      },
      (req, res) => {
        this.#onHttp(req, res)
      }
    )
    server.maxConnections = MAX_CONNECTIONS
    const connections = new Map<string, number>()
    server.on('connection', socket => { limitAddress(socket, connections) })
    server.on('upgrade', (req, socket, head) => {
      socket.on('error', () => {})
      this.ws.handleUpgrade(req, socket, head, ws => { this.ws.emit('connection', ws, req) })
    })
    return server
  }

  #onHttp (req: IncomingMessage, res: ServerResponse): void {
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      // without waiting for a body
      res.writeHead(405, { connection: 'close' }).end()
    } else if (req.url === '/stats.json' || req.url === '/stats') {
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(this.stats))
    } else {
      this.onHttpRequest(req, res)
    }
  }

  override onWebSocketConnection (socket: SocketPeer): void {
    socket.announced = new Map()
    super.onWebSocketConnection(socket)
    limitSocket(socket)
  }

  /** Only once: the package calls this for each message that it failed to send. */
  override _onWebSocketClose (socket: SocketPeer): void {
    if (socket.destroyed === true) return
    for (const { infoHash, peerId } of socket.announced.values()) {
      this.torrents[infoHash]?.announce({ type: 'ws', event: 'stopped', numwant: 0, peer_id: peerId })
    }
    super._onWebSocketClose(socket)
  }

  /** Creates a swarm again that was forgotten between the request and its turn. */
  override createSwarm (infoHash: string, cb: (err: null, swarm: Swarm) => void): void {
    if (this.torrents[infoHash] === undefined) this.#add(infoHash, '')
    const swarm = this.torrents[infoHash]!
    process.nextTick(() => { cb(null, swarm) })
  }
}

function limitAddress (socket: Socket, connections: Map<string, number>): void {
  const host = hostOf(socket.remoteAddress)
  if (isLocal(host)) return
  const count = (connections.get(host) ?? 0) + 1
  connections.set(host, count)
  socket.once('close', () => {
    const left = connections.get(host)! - 1
    if (left === 0) connections.delete(host)
    else connections.set(host, left)
  })
  if (count > MAX_CONNECTIONS_PER_ADDRESS) socket.destroy()
}

/** Closes a connection that floods, does not read, or is gone. */
function limitSocket (socket: SocketPeer): void {
  const messages = new TokenBucket(MESSAGES_PER_SECOND, MESSAGE_BURST, performance.now())
  let isSilent = false
  const timer = setInterval(() => {
    if (isSilent) return socket.terminate()
    isSilent = true
    socket.ping()
  }, SILENCE_MS)
  socket.on('pong', () => { isSilent = false })
  socket.on('message', () => {
    isSilent = false
    if (messages.take(1, performance.now()) > 0) socket.terminate()
  })
  // the package forgets a failed connection, and leaves it open
  socket.once('error', () => { socket.terminate() })
  socket.once('close', () => { clearInterval(timer) })
  const send = socket.send.bind(socket) as (data: string, cb?: (err?: Error) => void) => void
  socket.send = (data: string, cb?: unknown) => {
    if (socket.bufferedAmount > MAX_UNREAD_BYTES) socket.terminate()
    else send(data, cb as (err?: Error) => void)
  }
}

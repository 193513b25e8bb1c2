/**
 * Guards bittorrent-tracker's client: requests over HTTP and UDP are made here, bounded in size and time, messages over
 * WebSocket are read here, and of all of them the package only sees what tracker-answer.ts has read. A tracker that
 * fails makes a warning that says which one and why. Installed by package-guards.ts.
 */
import type { EventEmitter } from 'node:events'
import { Client } from 'bittorrent-tracker'
import Socket from '@thaunknown/simple-websocket'
import WebSocketTracker from 'bittorrent-tracker/websocket-tracker'
import { inheritedMethod } from '../base/inherited.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { fetchBounded, networkReason } from '../system/fetch.ts'
import {
  clampInterval,
  MAX_TRACKER_ANSWER_BYTES,
  MAX_TRACKER_MESSAGE_BYTES,
  readHttpAnswer,
  readSocketMessage,
  readUdpAnswer,
  TrackerFailure
} from './tracker-answer.ts'
import type { HttpAnswer, SocketMessage } from './tracker-answer.ts'
import { announceByUdp } from './udp-exchange.ts'

const PACKAGE = 'bittorrent-tracker'
/** For one request, until the last byte of its answer. As the package has it. */
const REQUEST_MS = 15_000
/** Peers that a WebSocket tracker offers, while they connect: each one costs a WebRTC connection here. */
const MAX_OFFERED = 16
/**
 * Messages of a WebSocket tracker, of all torrents: each peer that comes makes one, and five for each announcement of
 * ours.
 */
const MESSAGES_PER_SECOND = 100
const MESSAGE_BURST = 1_000
/** From one warning of a tracker to the next; what it says in between is dropped. */
const REMARK_MS = 60_000
/** BEP 15's numbers. */
const EVENTS: Record<string, number> = { completed: 1, started: 2, stopped: 3, paused: 4 }

/** Strings are binary: each character is one byte. Lists repeat the key. */
type Query = Record<string, QueryValue | QueryValue[]>
type QueryValue = string | number | null | undefined
type Announcement = Record<string, unknown> & { _scrape?: boolean }
type Answered = (err: Error | null, answer?: unknown) => void

/** The package's class for one tracker, inside. */
export interface InternalTracker {
  readonly client: {
    emit (event: string, value: unknown): void
    readonly destroyed: boolean
    readonly _port: number
    readonly _infoHashBinary: string
    readonly _userAgent?: string
    readonly _infoHashBuffer: Uint8Array
    readonly _peerIdBuffer: Uint8Array
    readonly _proxyOpts?: { httpsAgent?: unknown, httpAgent?: unknown, socksProxy?: unknown }
  }
  readonly announceUrl: string
  readonly destroyed: boolean
  cleanupFns: Array<() => void>
  maybeDestroyCleanup: (() => void) | null
  _remarkedAt?: number
  setInterval (this: InternalTracker, ms?: number): void
}

interface HttpTracker extends InternalTracker {
  _request (this: HttpTracker, url: string, params: Query, cb: Answered): unknown
  _onAnnounceResponse (this: HttpTracker, answer: object): void
}

interface UdpTracker extends InternalTracker {
  _request (this: UdpTracker, opts: Announcement): void
}

interface SocketTracker extends InternalTracker {
  socket: InternalSocket | null
  _onSocketConnectBound: () => void
  _offered?: number
  _messages?: TokenBucket
  _openSocket (this: SocketTracker): void
  _onSocketData (this: SocketTracker, data: Uint8Array): void
  _onSocketError (this: SocketTracker, err: Error): void
  _onAnnounceResponse (this: SocketTracker, message: SocketMessage): void
  _send (this: SocketTracker, params: object): void
  _createPeer (this: SocketTracker, opts?: { initiator?: boolean }): OfferedPeer
  _startReconnectTimer (this: SocketTracker): void
  destroy (this: SocketTracker): void
}

interface OfferedPeer extends EventEmitter { destroy (): void }

interface InternalSocket {
  consumers?: number
  readonly connected: boolean
  once (event: 'connect', listener: () => void): void
  _handleError (this: InternalSocket, event: unknown): void
  destroy (err?: Error): void
}

/** Installs the guards. */
export function guardTrackers (): void {
  // opens nothing: they ask when they are told to
  const {
    _trackers: [http, udp]
  } = new Client({
    infoHash: '00'.repeat(20),
    peerId: '00'.repeat(20),
    port: 1,
    announce: ['http://127.0.0.1/announce', 'udp://127.0.0.1:1']
  }) as unknown as { _trackers: [HttpTracker, UdpTracker] }
  const prototypes = [Object.getPrototypeOf(http), Object.getPrototypeOf(udp)] as [HttpTracker, UdpTracker]
  guardInterval(Object.getPrototypeOf(prototypes[0]) as InternalTracker)
  guardHttp(prototypes[0])
  guardUdp(prototypes[1], prototypes[0])
  guardSockets(WebSocketTracker.prototype as unknown as SocketTracker)
}

/**
 * Whatever a tracker asks for, over whatever transport: never more often than once a minute, never less than once a
 * day.
 */
function guardInterval (prototype: InternalTracker): void {
  const setInterval = inheritedMethod(prototype, 'setInterval', PACKAGE)
  prototype.setInterval = function (ms) {
    // 0 is the application's way to turn it off, none asks for the package's default
    setInterval.call(this, typeof ms === 'number' && ms !== 0 ? clampInterval(ms || 0) : ms)
  }
}

function warn (tracker: InternalTracker, reason: string): void {
  const now = performance.now()
  if (now - (tracker._remarkedAt ?? -Infinity) < REMARK_MS) return
  tracker._remarkedAt = now
  tracker.client.emit('warning', new Error(`${tracker.announceUrl}: ${reason}`))
}

/** Makes a request that `destroy` waits for a moment, and then ends. */
async function request<T> (tracker: InternalTracker, make: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const cleanUp = (): void => { controller.abort(new Error('the tracker client is destroyed')) }
  tracker.cleanupFns.push(cleanUp)
  try {
    return await make(controller.signal)
  } finally {
    tracker.cleanupFns = tracker.cleanupFns.filter(each => each !== cleanUp)
    tracker.maybeDestroyCleanup?.()
  }
}

function guardHttp (prototype: HttpTracker): void {
  inheritedMethod(prototype, '_onAnnounceResponse', PACKAGE)
  inheritedMethod(prototype, '_request', PACKAGE)
  prototype._request = function (url, params, cb) {
    request(this, signal => askByHttp(this, url, params, signal)).then(answer => {
      if (this.destroyed) return
      if (answer.warning !== undefined) warn(this, answer.warning)
      cb(null, answer)
    }, (err: unknown) => {
      if (this.destroyed) return
      if (err instanceof TrackerFailure && err.retryMs !== undefined) this.setInterval(err.retryMs)
      warn(this, networkReason(err))
    })
  }
}

async function askByHttp (tracker: HttpTracker, url: string, params: Query, signal: AbortSignal): Promise<HttpAnswer> {
  const { _proxyOpts: proxy, _userAgent: userAgent = '' } = tracker.client
  const agent = (url.startsWith('https:') ? proxy?.httpsAgent : proxy?.httpAgent) ?? proxy?.socksProxy
  const { status, bytes } = await fetchBounded(`${url}${url.includes('?') ? '&' : '?'}${query(params)}`, {
    maxBytes: MAX_TRACKER_ANSWER_BYTES,
    timeoutMs: REQUEST_MS,
    signal,
    headers: { 'user-agent': userAgent },
    ...(agent !== undefined && { dispatcher: agent })
  })
  if (status !== 200) throw new Error(`HTTP ${status}`)
  return readHttpAnswer(bytes)
}

function query (params: Query): string {
  return Object.entries(params).flatMap(([key, value]) => {
    return [value]
      .flat()
      .filter(each => each !== undefined && each !== null)
      .map(each => `${encodeURIComponent(key)}=${escapeBytes(String(each))}`)
  }).join('&')
}

function escapeBytes (value: string): string {
  return [...Buffer.from(value, 'latin1')].map(byte => {
    const char = String.fromCharCode(byte)
    return /[\w.~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
}

/** UDP's answers go through HTTP's handler: they say the same. */
function guardUdp (prototype: UdpTracker, http: HttpTracker): void {
  const onAnswer = inheritedMethod(http, '_onAnnounceResponse', PACKAGE)
  const ask = inheritedMethod(prototype, '_request', PACKAGE)
  prototype._request = function (opts) {
    // neither is anything that WebTorrent asks for by itself
    if (opts._scrape === true || this.client._proxyOpts?.socksProxy !== undefined) return ask.call(this, opts)
    request(this, signal => askByUdp(this, opts, signal)).then(answer => {
      if (!this.destroyed) onAnswer.call(this as unknown as HttpTracker, answer)
    }, (err: unknown) => {
      // whether a farewell arrives does not matter
      if (!this.destroyed && opts['event'] !== 'stopped') warn(this, networkReason(err))
    })
  }
}

async function askByUdp (
  { announceUrl, client }: UdpTracker, opts: Announcement, signal: AbortSignal
): Promise<HttpAnswer> {
  const { hostname, port } = new URL(announceUrl)
  const number = (name: string): number => Number(opts[name] ?? 0)
  return readUdpAnswer(await announceByUdp({
    host: hostname,
    port: Number(port || 80),
    infoHash: client._infoHashBuffer,
    peerId: client._peerIdBuffer,
    downloaded: number('downloaded'),
    left: opts['left'] === undefined ? undefined : number('left'),
    uploaded: number('uploaded'),
    event: EVENTS[String(opts['event'])] ?? 0,
    numwant: number('numwant'),
    listening: client._port
  }, REQUEST_MS, signal))
}

function guardSockets (prototype: SocketTracker): void {
  const { _socketPool: pool } = WebSocketTracker as unknown as { _socketPool: Record<string, InternalSocket> }
  if (pool === undefined) throw new Error(`${PACKAGE} has changed: it has no _socketPool, so that it cannot be guarded`)
  guardSocketErrors(Socket.prototype as unknown as InternalSocket)
  const openSocket = inheritedMethod(prototype, '_openSocket', PACKAGE)
  prototype._openSocket = function () {
    // the package forgets to stop its timer when it is destroyed while it waits for it
    if (this.client.destroyed) return
    if (pool[this.announceUrl] === undefined) {
      // the package's own has no bounds
      const { _proxyOpts: proxy } = this.client
      const agent = (this.announceUrl.startsWith('wss:') ? proxy?.httpsAgent : proxy?.httpAgent) ?? proxy?.socksProxy
      const socket = new Socket({
        url: this.announceUrl,
        agent,
        maxPayload: MAX_TRACKER_MESSAGE_BYTES,
        handshakeTimeout: REQUEST_MS,
        perMessageDeflate: false
      }) as unknown as InternalSocket
      pool[this.announceUrl] = socket
      socket.consumers = 0
    }
    openSocket.call(this)
    // the package does so only for a socket that it made itself
    if (!this.socket!.connected) this.socket!.once('connect', this._onSocketConnectBound)
  }
  guardSocketMessages(prototype)
}

function guardSocketMessages (prototype: SocketTracker): void {
  const onAnswer = inheritedMethod(prototype, '_onAnnounceResponse', PACKAGE)
  inheritedMethod(prototype, '_onSocketError', PACKAGE)
  inheritedMethod(prototype, '_startReconnectTimer', PACKAGE)
  const createPeer = inheritedMethod(prototype, '_createPeer', PACKAGE)
  const send = inheritedMethod(prototype, '_send', PACKAGE)
  inheritedMethod(prototype, '_onSocketData', PACKAGE)
  prototype._onSocketData = function (data) {
    if (this.destroyed) return
    ;(this as unknown as { expectingResponse: boolean }).expectingResponse = false
    const now = performance.now()
    this._messages ??= new TokenBucket(MESSAGES_PER_SECOND, MESSAGE_BURST, now)
    let message: SocketMessage
    try {
      if (this._messages.take(1, now) > 0) throw new Error('it sends too many messages')
      message = readSocketMessage(data)
    } catch (err) {
      // the connection is closed, and made again some minutes later
      return this._onSocketError(err as Error)
    }
    // one connection serves all torrents; scrapes are never sent
    if (message.action !== 'announce' || message.info_hash !== this.client._infoHashBinary) return
    const { 'failure reason': failure, 'warning message': warning, ...rest } = message
    const remark = failure ?? warning
    if (remark !== undefined) warn(this, remark)
    if (failure !== undefined) return
    if (message.offer !== undefined && (this._offered ?? 0) >= MAX_OFFERED) delete rest.offer
    onAnswer.call(this, rest)
  }
  prototype._createPeer = function (opts) {
    const peer = createPeer.call(this, opts)
    limitWarnings(this, peer)
    if (opts?.initiator === true) return peer
    this._offered = (this._offered ?? 0) + 1
    peer.once('close', () => { this._offered!-- })
    return peer
  }
  // a peer's answer can be ready when the connection to the tracker is gone, or being made again
  prototype._send = function (params) { if (this.socket?.connected === true) send.call(this, params) }
  prototype._onSocketError = function (err) {
    if (this.destroyed) return
    this.destroy()
    warn(this, err.message)
    this._startReconnectTimer()
  }
}

/** The package warns of each peer that fails before it is connected, and a tracker can offer any number of them. */
function limitWarnings (tracker: SocketTracker, peer: OfferedPeer): void {
  const onError = (err: Error): void => {
    warn(tracker, `a peer that it offered: ${err.message}`)
    peer.destroy()
  }
  peer.removeAllListeners('error').once('error', onError)
  // from then on they are the torrent's
  peer.once('connect', () => { peer.off('error', onError) })
}

/** Says why, which the package drops. */
function guardSocketErrors (prototype: InternalSocket): void {
  inheritedMethod(prototype, '_handleError', '@thaunknown/simple-websocket')
  prototype._handleError = function (event) {
    this.destroy(new Error(networkReason((event as { error?: unknown } | undefined)?.error ?? 'the connection failed')))
  }
}

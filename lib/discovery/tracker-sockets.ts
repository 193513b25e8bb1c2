/**
 * Guards bittorrent-tracker's WebSocket trackers: limits the size and number of messages, and of the peers that they
 * offer. Installed by tracker-guards.ts.
 */
import type { EventEmitter } from 'node:events'
import Socket from '@thaunknown/simple-websocket'
import WebSocketTracker from 'bittorrent-tracker/websocket-tracker'
import { inheritedMethod } from '../base/inherited.ts'
import { TokenBucket } from '../base/token-bucket.ts'
import { networkReason } from '../system/fetch.ts'
import { MAX_TRACKER_MESSAGE_BYTES, readSocketMessage } from './tracker-answer.ts'
import type { SocketMessage } from './tracker-answer.ts'
import { PACKAGE, REQUEST_MS, warn } from './tracker-internals.ts'
import type { InternalTracker } from './tracker-internals.ts'

/** Peers offered by a WebSocket tracker that are connecting at a time: each costs a WebRTC connection here. */
const MAX_OFFERED = 16
/** Messages of a WebSocket tracker for all torrents: each new peer causes one, and each of our announcements five. */
const MESSAGES_PER_SECOND = 100
const MESSAGE_BURST = 1_000

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

interface OfferedPeer extends EventEmitter {
  _onChannelMessage (this: OfferedPeer, event: SocketEvent): void
  destroy (): void
}

/** The data of a message: text, or an ArrayBuffer. */
interface SocketEvent { readonly data: string | ArrayBuffer }

interface InternalSocket {
  consumers?: number
  readonly connected: boolean
  once (event: 'connect', listener: () => void): void
  _handleError (this: InternalSocket, event: unknown): void
  _handleMessage (this: InternalSocket, event: SocketEvent): void
  destroy (err?: Error): void
}

/** Installs the guards of WebSocket trackers. */
export function guardSocketTrackers (): void {
  const prototype = WebSocketTracker.prototype as unknown as SocketTracker
  const { _socketPool: pool } = WebSocketTracker as unknown as { _socketPool: Record<string, InternalSocket> }
  if (pool === undefined) throw new Error(`${PACKAGE} has changed: it has no _socketPool, so it cannot be guarded.`)
  const sockets = Socket.prototype as unknown as InternalSocket
  guardSocketErrors(sockets)
  refuseEmptyMessages(sockets)
  const openSocket = inheritedMethod(prototype, '_openSocket', PACKAGE)
  prototype._openSocket = function () {
    // the package does not stop its timer if it is destroyed while waiting
    if (this.client.destroyed) return
    if (pool[this.announceUrl] === undefined) {
      // the package's own agent has no limits
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
    // the package does this only for a socket that it created itself
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
      // closes the connection; it is opened again some minutes later
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
    dropEmptyMessages(peer)
    if (opts?.initiator === true) return peer
    this._offered = (this._offered ?? 0) + 1
    peer.once('close', () => { this._offered!-- })
    return peer
  }
  // a peer's answer can be ready when the connection to the tracker is closed, or being reopened
  prototype._send = function (params) { if (this.socket?.connected === true) send.call(this, params) }
  prototype._onSocketError = function (err) {
    if (this.destroyed) return
    this.destroy()
    warn(this, err.message)
    this._startReconnectTimer()
  }
}

/** The package warns about each peer that fails before it is connected, and a tracker can offer any number of them. */
function limitWarnings (tracker: SocketTracker, peer: OfferedPeer): void {
  const onError = (err: Error): void => {
    warn(tracker, `a peer from this tracker: ${err.message}`)
    peer.destroy()
  }
  peer.removeAllListeners('error').once('error', onError)
  // afterwards they belong to the torrent
  peer.once('connect', () => { peer.off('error', onError) })
}

/** Adds the reason, which the package drops. */
function guardSocketErrors (prototype: InternalSocket): void {
  inheritedMethod(prototype, '_handleError', '@thaunknown/simple-websocket')
  prototype._handleError = function (event) {
    this.destroy(new Error(networkReason((event as { error?: unknown } | undefined)?.error ?? 'the connection failed')))
  }
}

const isEmpty = ({ data }: SocketEvent): boolean => (typeof data === 'string' ? data.length : data.byteLength) === 0

/**
 * streamx keeps an empty message in its queue until another message follows, so any number of them would pile up there,
 * past all limits.
 */
function refuseEmptyMessages (prototype: InternalSocket): void {
  const handleMessage = inheritedMethod(prototype, '_handleMessage', '@thaunknown/simple-websocket')
  prototype._handleMessage = function (event) {
    if (isEmpty(event)) this.destroy(new Error('it sent an empty message'))
    else handleMessage.call(this, event)
  }
}

/** Those of a WebRTC peer pile up likewise. BitTorrent has no use for them, but they do no harm. */
function dropEmptyMessages (peer: OfferedPeer): void {
  const onMessage = inheritedMethod(peer, '_onChannelMessage', '@thaunknown/simple-peer')
  peer._onChannelMessage = function (event) { if (!isEmpty(event)) onMessage.call(this, event) }
}

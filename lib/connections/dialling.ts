/**
 * Calls peers, of tasks and of ordinary torrents: by TCP, and a moment later by uTP as well, for as long as TCP has not
 * been answered (as RFC 8305 does it with two addresses). The first connection with a BitTorrent handshake stays, the
 * other one is closed. WebTorrent alone tries uTP four times in 40 s before it tries TCP, and stays with uTP where both
 * work, which costs several times the time and the processor of TCP.
 *
 * Takes the place of WebTorrent's `_drain`; how long to wait before an address is called again is as there, but that
 * who says hello and hangs up is called less and less often, too. Called by torrent.ts.
 */
import { connect, isIPv4 } from 'node:net'
import Peer from 'webtorrent/lib/peer.js'
import type { ConnectingTorrent, InternalPeer, OutgoingConnection } from './internals.ts'

/** TCP has this long to connect before uTP is tried beside it. */
const UTP_AFTER_MS = 250
/**
 * And, once it is connected, until here for the handshake: another program may listen there, or nobody at all behind a
 * proxy.
 */
const SILENT_AFTER_MS = 1_000
/** As WebTorrent: the waits before an address is called again; then it is given up until somebody names it again. */
const REDIAL_MS = [1_000, 5_000, 15_000]
/** Where there was a peer it may just be busy, or start again: */
const LATER_REDIAL_MS = [60_000, 300_000, 900_000]
/** A connection that lasted so long was a good one: the waits begin anew. */
const LASTING_MS = 15_000
/** Addresses of one torrent that wait to be called again. */
export const MAX_REDIALS = 1_000

/** An address that is being called. */
interface Call { tcp: InternalPeer | null, utp: InternalPeer | null }

/** The calls of one torrent. */
export class Dialler {
  readonly #torrent: ConnectingTorrent
  readonly #calls = new Map<string, Call>()
  /** peers whose handshake came: when, and how often they were called again before it */
  readonly #answered = new WeakMap<InternalPeer, { atMs: number, retries: number }>()
  /** by address: one each */
  readonly #redials = new Map<string, NodeJS.Timeout>()

  constructor (torrent: ConnectingTorrent) {
    this.#torrent = torrent
  }

  /** Calls queued peers while there is room for connections. */
  drain (): void {
    while (this.#hasRoom) {
      const peer = this.#torrent._queue.shift()
      if (peer === undefined) return
      if (!peer.destroyed) this.#call(peer)
    }
  }

  /** Addresses that wait to be called again. */
  get redials (): number { return this.#redials.size }

  get #hasRoom (): boolean {
    const { destroyed, paused, client, _numConns, _numPending } = this.#torrent
    return !destroyed && !paused && _numConns + _numPending < client.maxConns
  }

  #call (tcp: InternalPeer): void {
    const { addr } = tcp
    const call = this.#calls.get(addr) ?? { tcp: null, utp: null }
    this.#calls.set(addr, call)
    call.tcp = tcp
    this.#connect(tcp, connect(hostAndPort(addr)))
    const look = (): void => {
      if (call.tcp === tcp && this.#calls.get(addr) === call) this.#alsoByUtp(call, tcp)
    }
    setTimeout(() => {
      if (!tcp.connected) look()
      else setTimeout(look, SILENT_AFTER_MS - UTP_AFTER_MS).unref()
    }, UTP_AFTER_MS).unref()
  }

  #alsoByUtp (call: Call, { addr, source, secure, retries }: InternalPeer): void {
    if (call.utp !== null || !this.#hasRoom) return
    const { client } = this.#torrent
    const { host, port } = hostAndPort(addr)
    const server = client.utp ? client._utpServer : null
    // uTP here is IPv4 alone
    if (server === null || !isIPv4(host)) return
    const peer = Peer.createUTPOutgoingPeer(addr, this.#torrent, client.throttleGroups, source, secure)
    // the address itself is TCP's until one of both has won
    peer.id = `${addr} by uTP`
    // or each call of who hangs up would be a first one
    peer.retries = retries
    call.utp = peer
    this.#calls.set(addr, call)
    this.#torrent._registerPeer(peer)
    this.#connect(peer, server.connect(port, host))
  }

  #connect (peer: InternalPeer, conn: OutgoingConnection): void {
    const torrent = this.#torrent
    peer.conn = conn
    torrent._numPending++
    let isPending = true
    const settle = (): void => {
      if (isPending) torrent._numPending--
      isPending = false
    }
    conn.once('connect', () => {
      settle()
      if (torrent.destroyed) return
      const { retries } = peer
      peer.onConnect()
      // after the peer's own listener, which may find it wrong, and forgets the retries
      peer.wire?.once('handshake', () => { if (!peer.destroyed) this.#onAnswer(peer, retries) })
    })
    conn.once('error', err => {
      settle()
      peer.destroy(err)
    })
    conn.once('close', () => {
      settle()
      if (!torrent.destroyed) this.#onEnd(peer)
    })
    peer.startConnectTimeout()
  }

  #onAnswer (peer: InternalPeer, retries: number): void {
    const { addr } = peer
    const call = this.#calls.get(addr)
    this.#calls.delete(addr)
    this.#answered.set(peer, { atMs: performance.now(), retries })
    for (const other of [call?.tcp, call?.utp, this.#torrent._peers?.get(addr)]) if (other !== peer) other?.destroy()
    if (peer.id === addr || this.#torrent._peers === null) return
    this.#torrent._peers.delete(peer.id)
    peer.id = addr
    this.#torrent._peers.set(addr, peer)
  }

  #onEnd (peer: InternalPeer): void {
    const { addr } = peer
    if (this.#answered.has(peer)) return this.#redial(peer)
    const call = this.#calls.get(addr)
    if (call === undefined) return
    if (call.utp === peer) call.utp = null
    if (call.tcp === peer) {
      call.tcp = null
      this.#redial(peer)
      this.#alsoByUtp(call, peer)
    }
    if (call.tcp === null && call.utp === null) this.#calls.delete(addr)
  }

  #redial (peer: InternalPeer): void {
    const { addr, source } = peer
    const answer = this.#answered.get(peer)
    const hasLasted = answer !== undefined && performance.now() - answer.atMs >= LASTING_MS
    const retries = hasLasted ? 0 : answer?.retries ?? peer.retries
    const waitMs = [...REDIAL_MS, ...(answer === undefined ? [] : LATER_REDIAL_MS)][retries]
    if (waitMs === undefined) return
    if (!this.#redials.has(addr) && this.#redials.size >= MAX_REDIALS) {
      // addresses that somebody made up do not take the place of peers
      if (answer === undefined) return
      this.#forget(this.#redials.keys().next().value!)
    }
    this.#forget(addr)
    this.#redials.set(addr, setTimeout(() => {
      this.#redials.delete(addr)
      if (this.#torrent.destroyed) return
      const next = this.#torrent._addPeer(addr, 'tcp', source ?? undefined)
      if (next !== null) next.retries = retries + 1
    }, waitMs).unref())
  }

  #forget (addr: string): void {
    clearTimeout(this.#redials.get(addr))
    this.#redials.delete(addr)
  }
}

function hostAndPort (addr: string): { host: string, port: number } {
  const at = addr.lastIndexOf(':')
  return { host: addr.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(addr.slice(at + 1)) }
}

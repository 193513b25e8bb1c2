/**
 * Opens connections to peers, of tasks and of ordinary torrents: by TCP, and shortly afterwards also by uTP if TCP has
 * not been answered (similar to RFC 8305 for two addresses). The first connection with a BitTorrent handshake is kept,
 * the other one is closed. WebTorrent alone tries uTP four times in 40 s before it tries TCP. Where both work, it uses
 * uTP, which takes several times the time and processor time of TCP.
 *
 * Replaces WebTorrent's `_drain`. The delays before an address is called again are the same, except that a peer that
 * completes the handshake and then disconnects is called less and less often, too. Called by torrent.ts.
 */
import { connect, isIPv4 } from 'node:net'
import Peer from 'webtorrent/lib/peer.js'
import { FailedCalls } from './failed-calls.ts'
import type { ConnectingTorrent, InternalPeer, OutgoingConnection } from './internals.ts'

/** Time for TCP to connect before uTP is tried in parallel. */
const UTP_AFTER_MS = 250
/**
 * If TCP has connected, time for the handshake before uTP is tried: another program may listen there, or nobody behind
 * a proxy.
 */
const SILENT_AFTER_MS = 1_000
/** As in WebTorrent: delays before an address is called again. Then it is given up until it is named again. */
const REDIAL_MS = [1_000, 5_000, 15_000]
/** Delays for an address where there was a peer: it may be busy, or restart. */
const LATER_REDIAL_MS = [60_000, 300_000, 900_000]
/** After a connection that lasted this long, the delays start anew. */
const LASTING_MS = 15_000
/** Addresses of one torrent that wait to be called again. */
export const MAX_REDIALS = 1_000

/** An address that is being called. */
interface Call { tcp: InternalPeer | null, utp: InternalPeer | null }

/** The outgoing connections of one torrent. */
export class Dialler {
  readonly failed = new FailedCalls()
  readonly #torrent: ConnectingTorrent
  readonly #calls = new Map<string, Call>()
  /** peers that completed the handshake: its time, and the number of attempts before it */
  readonly #answered = new WeakMap<InternalPeer, { atMs: number, retries: number }>()
  /** by address: one each */
  readonly #redials = new Map<string, NodeJS.Timeout>()
  /** addresses of `postpone` that wait to be called again */
  readonly #postponed = new Set<string>()

  constructor (torrent: ConnectingTorrent) {
    this.#torrent = torrent
  }

  /** Calls queued peers while connections are free. */
  drain (): void {
    while (this.#hasRoom) {
      const peer = this.#torrent._queue.shift()
      if (peer === undefined) return
      if (!peer.destroyed) this.#call(peer)
    }
  }

  /** We are about to disconnect from the peer at this address: it is called again as late as one that disconnects. */
  postpone (addr: string): void { if (this.#postponed.size < MAX_REDIALS) this.#postponed.add(addr) }

  /** The address is not to be called now, whoever names it. */
  isPostponed (addr: string): boolean { return this.#postponed.has(addr) }

  /** The number of addresses that wait to be called again. */
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
    // uTP supports only IPv4 here
    if (server === null || !isIPv4(host)) return
    const peer = Peer.createUTPOutgoingPeer(addr, this.#torrent, client.throttleGroups, source, secure)
    // the address itself is the key of the TCP attempt until one of the two has won
    peer.id = `${addr} by uTP`
    // otherwise each call to a peer that disconnects would count as the first one
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
    let isOpen = false
    let error: Error | undefined
    const settle = (): void => {
      if (isPending) torrent._numPending--
      isPending = false
    }
    conn.once('connect', () => {
      settle()
      isOpen = true
      if (torrent.destroyed) return
      const { retries } = peer
      peer.onConnect()
      // after the peer's own listener, which may reject the handshake, and resets the retries
      peer.wire?.once('handshake', () => { if (!peer.destroyed) this.#onAnswer(peer, retries) })
    })
    conn.once('error', err => {
      settle()
      error = err
      peer.destroy(err)
    })
    conn.once('close', () => {
      settle()
      if (torrent.destroyed) return
      const isInVain = peer.id === peer.addr && !this.#answered.has(peer) && this.#calls.has(peer.addr)
      if (isInVain) this.failed.add(peer.addr, peer.source, isOpen, error)
      this.#onEnd(peer)
    })
    peer.startConnectTimeout()
  }

  #onAnswer (peer: InternalPeer, retries: number): void {
    const { addr } = peer
    const call = this.#calls.get(addr)
    this.#calls.delete(addr)
    this.failed.answered(addr)
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
    const soonest = this.#postponed.has(addr) ? REDIAL_MS.length : 0
    const retries = Math.max(soonest, hasLasted ? 0 : answer?.retries ?? peer.retries)
    const waitMs = [...REDIAL_MS, ...(answer === undefined ? [] : LATER_REDIAL_MS)][retries]
    if (waitMs === undefined) return void this.#postponed.delete(addr)
    if (!this.#redials.has(addr) && this.#redials.size >= MAX_REDIALS) {
      // invented addresses must not displace peers
      if (answer === undefined) return
      this.#forget(this.#redials.keys().next().value!)
    }
    clearTimeout(this.#redials.get(addr))
    this.#redials.delete(addr)
    this.#redials.set(addr, setTimeout(() => {
      this.#forget(addr)
      if (this.#torrent.destroyed) return
      const next = this.#torrent._addPeer(addr, 'tcp', source ?? undefined)
      if (next !== null) next.retries = retries + 1
    }, waitMs).unref())
  }

  #forget (addr: string): void {
    clearTimeout(this.#redials.get(addr))
    this.#redials.delete(addr)
    this.#postponed.delete(addr)
  }
}

function hostAndPort (addr: string): { host: string, port: number } {
  const at = addr.lastIndexOf(':')
  return { host: addr.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(addr.slice(at + 1)) }
}

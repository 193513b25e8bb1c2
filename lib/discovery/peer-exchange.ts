/**
 * Tells the peers of a task about each other (BEP 11); WebTorrent's own torrents only listen. A volunteer who knows one
 * address soon knows the swarm. A peer's address is known from our own connection, or from the port `p` of its extended
 * handshake (BEP 10). Called by torrent.ts.
 */
import { isIPv4 } from 'node:net'
import type { Wire } from '../base/wire.ts'

/**
 * Delay of the first message, so that it contains more than one peer. ut_pex sends the next ones at the interval that
 * BEP 11 allows.
 */
const FIRST_MESSAGE_MS = 500

/** The sending part of ut_pex. */
interface UtPex {
  addPeer (address: string): void
  dropPeer (address: string): void
  start (): void
  _sendMessage (): void
}

/** `HOST:PORT` where the peer accepts connections (IPv4 only); undefined if it did not say. */
function listenAddress (wire: Wire): string | undefined {
  const host = wire.remoteAddress?.replace(/^::ffff:/, '')
  const { p } = wire.peerExtendedHandshake
  const port = wire.type.endsWith('Outgoing') ? wire.remotePort : p
  const isPort = Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536
  return host !== undefined && isIPv4(host) && isPort ? `${host}:${Number(port)}` : undefined
}

/** The peer exchange of one torrent. */
export class PeerExchange {
  readonly #addresses = new Map<Wire, string>()

  /** True if a peer that accepts connections there is already connected. */
  isConnected (address: string): boolean {
    for (const known of this.#addresses.values()) if (known === address) return true
    return false
  }

  /** The wire's extended handshake has arrived. */
  add (wire: Wire): void {
    const address = listenAddress(wire)
    if (wire.destroyed || this.#addresses.has(wire)) return
    for (const known of this.#addresses.values()) pexOf(wire)?.addPeer(known)
    if (address !== undefined) {
      for (const other of this.#addresses.keys()) pexOf(other)?.addPeer(address)
      this.#addresses.set(wire, address)
    }
    const timer = setTimeout(() => { this.#begin(wire) }, FIRST_MESSAGE_MS)
    timer.unref()
    wire.once('close', () => {
      clearTimeout(timer)
      this.#addresses.delete(wire)
      if (address !== undefined) for (const other of this.#addresses.keys()) pexOf(other)?.dropPeer(address)
    })
  }

  #begin (wire: Wire): void {
    const pex = pexOf(wire)
    if (wire.destroyed || pex === undefined || !wire.peerExtendedMapping['ut_pex']) return
    pex._sendMessage()
    pex.start()
  }
}

/** Undefined for a private torrent (BEP 27). */
function pexOf (wire: Wire): UtPex | undefined {
  return wire.ut_pex as unknown as UtPex | undefined
}

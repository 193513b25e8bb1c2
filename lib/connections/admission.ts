/**
 * Decides which peers may connect to a task: no banned ones, not ourselves, and not too many from one address. Called
 * by torrent.ts.
 *
 * No peer can prove who it is: it chooses its peer id, and everybody sees it. A ban therefore applies to a peer id
 * together with its address: an attacker who uses an honest peer's id elsewhere cannot get that peer banned. A peer
 * that uses a new id each time is recognised by its address after many misdeeds. Honest peers may share that address,
 * so this ban is temporary.
 */
import type { Wire } from '../base/wire.ts'
import { hostOf, identityOf, isLocal, openedByUs } from '../peers/identity.ts'
import { mostCrowded } from './crowding.ts'

/** Incoming connections from one address at a time: enough for a household or laboratory behind one address. */
const MAX_PER_ADDRESS = 8
/** The share of all connections that others may open. The rest is reserved for peers that we choose to call. */
const MAX_INCOMING_SHARE = 0.75
/**
 * If all incoming connections are taken, one that has exchanged no block for this long makes room for a newcomer; after
 * that, no other one for this long, because the closed peer comes back.
 */
const IDLE_MS = 60_000
const EVICTION_MS = 10_000
/**
 * Misdeeds from one address, with any peer ids, until it is banned temporarily. A single peer is banned before that.
 */
const MAX_MISDEEDS = 10
/** How long misdeeds are remembered, and how long an address is banned. */
const MEMORY_MS = 3_600_000
/** How long a refused peer may not come back. */
const REFUSED_MS = 60_000
/** Number of peers and addresses that are remembered, the latest ones: with IPv6, they cost nothing to invent. */
const MAX_REMEMBERED = 10_000
/** Number of known addresses that have not been tried: peer exchange, trackers and DHT can name any number. */
export const MAX_KNOWN_PEERS = 2_000

interface Misdeeds { count: number, since: number }

/** The client and its connections. */
export interface Surroundings {
  /** `peerId` in hex */
  client: { peerId: string, maxConns: number }
  wires: Iterable<Wire>
}

/** The admission to one torrent. */
export class Admission {
  readonly #now: () => number
  readonly #banned = new Map<string, true>()
  /** their addresses, as far as it is known where they listen */
  readonly #bannedAddresses = new Map<string, true>()
  readonly #misdeeds = new Map<string, Misdeeds>()
  /** until when the peer may not come back */
  readonly #refused = new Map<string, number>()
  /** time of admission */
  readonly #since = new WeakMap<Wire, number>()
  /** connections that are being closed */
  readonly #leaving = new WeakSet<Wire>()
  #evictedAt = -Infinity

  /** @param now milliseconds on any steady clock */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** The peer may not come back. */
  ban (wire: Wire): void {
    remember(this.#banned, identityOf(wire), true)
    const port = openedByUs(wire) === true ? wire.remotePort : wire.peerExtendedHandshake['p']
    if (wire.remoteAddress !== undefined && typeof port === 'number') {
      remember(this.#bannedAddresses, addressKey(wire.remoteAddress, port), true)
    }
    this.struck(wire)
  }

  /** The peer may come back later. */
  refuse (wire: Wire): void { remember(this.#refused, identityOf(wire), this.#now() + REFUSED_MS) }

  /** Whether a banned peer listens at `HOST:PORT`: it need not be called. */
  isBannedAddress (address: string): boolean {
    const at = address.lastIndexOf(':')
    return this.#bannedAddresses.has(addressKey(address.slice(0, at), Number(address.slice(at + 1))))
  }

  /** Whether the wire's peer, at `HOST:PORT` if that is known, is banned. */
  isBanned (wire: Wire, address: string | undefined): boolean {
    return this.#banned.has(identityOf(wire, hostOf(address?.replace(/:\d+$/, ''))))
  }

  /** The peer broke a rule. */
  struck ({ remoteAddress }: Wire): void {
    const host = hostOf(remoteAddress)
    if (host === '' || isLocal(host)) return
    const known = this.#recent(host)
    remember(this.#misdeeds, host, { count: (known?.count ?? 0) + 1, since: known?.since ?? this.#now() })
  }

  /**
   * Whether to close a new wire at once. `address` is its `host:port`, if known. If there are two connections to one
   * peer, closes the other one instead where appropriate.
   */
  refuses (wire: Wire, address: string | undefined, { client: { peerId, maxConns }, wires }: Surroundings): boolean {
    const host = hostOf(address?.replace(/:\d+$/, ''))
    if (wire.peerId === peerId || this.isBanned(wire, address)) return true
    if ((this.#refused.get(identityOf(wire, host)) ?? -Infinity) > this.#now()) return true
    if ((this.#recent(host)?.count ?? 0) >= MAX_MISDEEDS) return true
    const others = [...wires].filter(other => other !== wire && !other.destroyed && !this.#leaving.has(other))
    if (isDuplicate(wire, host, others, peerId)) return true
    if (openedByUs(wire) !== false) return false
    const incoming = others.filter(other => openedByUs(other) === false)
    if (!isLocal(host) && incoming.filter(other => hostOf(other.remoteAddress) === host).length >= MAX_PER_ADDRESS) {
      return true
    }
    if (incoming.length >= Math.ceil(maxConns * MAX_INCOMING_SHARE) && !this.#makeRoom(incoming, host)) return true
    this.#since.set(wire, this.#now())
    return false
  }

  /**
   * Peers that have delivered stay. Otherwise one from the most crowded network makes room, or one that has long been
   * idle.
   */
  #makeRoom (incoming: Wire[], host: string): boolean {
    const now = this.#now()
    const isIdle = (other: Wire): boolean =>
      other.uploaded + other.downloaded === 0 && now - (this.#since.get(other) ?? now) > IDLE_MS
    let evicted = mostCrowded(
      incoming, host, other => hostOf(other.remoteAddress), ({ downloaded }) => downloaded === 0
    )
    if (evicted === undefined && now - this.#evictedAt > EVICTION_MS) {
      evicted = incoming.find(isIdle)
      if (evicted !== undefined) this.#evictedAt = now
    }
    if (evicted === undefined) return false
    this.#leaving.add(evicted)
    evicted.destroy()
    return true
  }

  #recent (host: string): Misdeeds | undefined {
    const known = this.#misdeeds.get(host)
    return known !== undefined && this.#now() - known.since < MEMORY_MS ? known : undefined
  }
}

/** Remembers the entry, and forgets the oldest one if there are too many. */
function remember<T> (map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MAX_REMEMBERED) for (const oldest of map.keys()) return void map.delete(oldest)
}

/**
 * Whether to close this connection because there is another one between the same two peers. Both peers decide alike:
 * the connection that the peer with the higher id opened is closed. (If one side opened both, neither is closed: the
 * older may be dead.) Peers at different addresses are different peers, whatever their ids; otherwise one peer could
 * end another's connection.
 */
export function isDuplicate (wire: Wire, host: string, others: Wire[], ownPeerId: string): boolean {
  const isOurs = openedByUs(wire)
  for (const other of others) {
    if (other.peerId !== wire.peerId || hostOf(other.remoteAddress) !== host) continue
    if (isOurs === undefined || openedByUs(other) !== !isOurs) continue
    if (isOurs === (ownPeerId > wire.peerId!)) return true
    other.destroy()
  }
  return false
}

function addressKey (host: string, port: number): string {
  return `${host.replace(/^\[|\]$/g, '').replace(/^::ffff:(?=\d+\.)/, '')} ${port}`
}

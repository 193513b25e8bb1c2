/**
 * Which peers may connect to a task: not the banned, not ourselves, not too many from one address. Called by
 * torrent.ts.
 *
 * Nobody can prove who they are: a peer id is chosen, and seen by everybody. So a ban is of a peer id together with its
 * address: whoever takes an honest peer's id elsewhere cannot get that peer banned. And whoever takes a new id each
 * time is known by the address, once it has misbehaved often; that may be the address of honest peers as well, so it
 * passes.
 */
import type { Wire } from '../base/wire.ts'
import { hostOf, identityOf, isLocal, openedByUs } from '../peers/identity.ts'
import { mostCrowded } from './crowding.ts'

/**
 * Incoming connections from one address at a time: a household or a laboratory behind one address, not a crowd of one.
 */
const MAX_PER_ADDRESS = 8
/** Of all connections, how many others may open: the rest is left for peers that we choose to call. */
const MAX_INCOMING_SHARE = 0.75
/**
 * Without room for incoming connections, one with which no block was exchanged for so long makes room for a newcomer;
 * and another one not before so long after that, since who was closed comes back.
 */
const IDLE_MS = 60_000
const EVICTION_MS = 10_000
/** Misdeeds from one address, whatever the peer ids, until it has to pause; a lone peer is closed before that. */
const MAX_MISDEEDS = 10
/** For how long misdeeds are remembered, and an address has to pause. */
const MEMORY_MS = 3_600_000
/** Peers and addresses that are remembered, the latest: with IPv6 they cost nothing to make up. */
const MAX_REMEMBERED = 10_000
/** Addresses of peers known and not tried yet: peer exchange, trackers and DHT can name any number. */
export const MAX_KNOWN_PEERS = 2_000

interface Misdeeds { count: number, since: number }

/** What the owner says about itself and its connections. */
export interface Surroundings {
  /** `peerId` in hex */
  client: { peerId: string, maxConns: number }
  wires: Iterable<Wire>
}

/** The door of one torrent. */
export class Admission {
  readonly #now: () => number
  readonly #banned = new Map<string, true>()
  readonly #misdeeds = new Map<string, Misdeeds>()
  /** when they were let in */
  readonly #since = new WeakMap<Wire, number>()
  /** they are being closed */
  readonly #leaving = new WeakSet<Wire>()
  #evictedAt = -Infinity

  /** @param now milliseconds on any steady clock */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** The peer may not come back. */
  ban (wire: Wire): void {
    remember(this.#banned, identityOf(wire), true)
    this.struck(wire)
  }

  /** The peer broke a rule. */
  struck ({ remoteAddress }: Wire): void {
    const host = hostOf(remoteAddress)
    if (host === '' || isLocal(host)) return
    const known = this.#recent(host)
    remember(this.#misdeeds, host, { count: (known?.count ?? 0) + 1, since: known?.since ?? this.#now() })
  }

  /**
   * Whether a new wire is to be closed at once; `address` is its `host:port`, if known. Of two connections with one
   * peer it may close the other one instead.
   */
  refuses (wire: Wire, address: string | undefined, { client: { peerId, maxConns }, wires }: Surroundings): boolean {
    const host = hostOf(address?.replace(/:\d+$/, ''))
    if (wire.peerId === peerId || this.#banned.has(identityOf(wire, host))) return true
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

  /** Who has delivered stays; else one makes room from where the crowd is, or one that has been idle for long. */
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

/** The oldest entry makes room. */
function remember<T> (map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > MAX_REMEMBERED) for (const oldest of map.keys()) return void map.delete(oldest)
}

/**
 * Whether this connection is to be closed because there is another one between the same two peers: the one that the
 * peer with the higher id opened goes, by the decision of both. (Of two that one side opened, neither: the older may be
 * dead.) Peers at different addresses are different ones, whatever their ids: or one could end another's connection.
 */
function isDuplicate (wire: Wire, host: string, others: Wire[], ownPeerId: string): boolean {
  const isOurs = openedByUs(wire)
  for (const other of others) {
    if (other.peerId !== wire.peerId || hostOf(other.remoteAddress) !== host) continue
    if (isOurs === undefined || openedByUs(other) !== !isOurs) continue
    if (isOurs === (ownPeerId > wire.peerId!)) return true
    other.destroy()
  }
  return false
}

/**
 * The connections of a torrent that is a task, or may turn out to be one: which peers it calls and admits, and how a
 * wire is set up before its peer joins the session. Called by torrent.ts; for ordinary torrents, only the general
 * checks apply.
 */
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { UtBitworker, WireIdentity } from '../../extensions/ut_bitworker/index.ts'
import type { Wire } from '../base/wire.ts'
import { PeerExchange } from '../discovery/peer-exchange.ts'
import type { Task } from '../task/task.ts'
import { openedByUs } from '../peers/identity.ts'
import { Admission, MAX_KNOWN_PEERS } from './admission.ts'
import { MAX_PENDING_REQUESTS } from './block-queues.ts'
import { Dialler } from './dialling.ts'
import { EncryptionChoice } from './encryption.ts'
import type { ConnectingTorrent, InternalPeer } from './internals.ts'
import { extensionOf, localTask, onceSpeaking, setUpWire } from './task-wire.ts'
import { WireBatches } from './wire-batches.ts'

/** The part of ComputeTorrent that is needed here. */
export interface WiredTorrent extends ConnectingTorrent {
  readonly task: Task | null
  /** what a new connection is told about our key; null: nothing, as results are not verified, or not yet */
  newIdentity (): WireIdentity | null
}

/**
 * Parts of a client that listen to the end of one wire are more than the ten of which Node warns; this many would be a
 * leak.
 */
const MAX_WIRE_LISTENERS = 30

/** The owner of the wires' peers. */
export interface PeerSink {
  has (wire: Wire): boolean
  addPeer (wire: Wire, ext: UtBitworker): void
}

/** A wire whose extended handshake (BEP 10) may have to be repeated. */
interface HandshakingWire { readonly _extendedHandshakeSent?: boolean, _sendExtendedHandshake (): void }

/** The connections of one torrent. */
export class TaskWires {
  readonly dialler: Dialler
  readonly #torrent: WiredTorrent
  readonly #encryption = new EncryptionChoice()
  readonly #exchange = new PeerExchange()
  readonly #admission = new Admission()
  readonly #batches = new WireBatches()
  /** whom wires join; null: the task is not known, or not how its results are verified */
  #sink: PeerSink | null = null

  constructor (torrent: WiredTorrent) {
    this.#torrent = torrent
    this.dialler = new Dialler(torrent)
  }

  /** A torrent of a magnet link may still turn out to be a task. */
  get #isOrdinary (): boolean { return this.#torrent.task === null && this.#torrent.metadata !== null }

  /** Whether to accept a peer that `source` named. */
  takes (peer: unknown, source: string | undefined): boolean {
    const isNamed = typeof peer === 'string'
    if (isNamed && (this.#exchange.isConnected(peer) || this.#admission.isBannedAddress(peer))) return false
    if (isNamed && this.dialler.isPostponed(peer)) return false
    return source === 'manual' || (this.#torrent._peers?.size ?? 0) < MAX_KNOWN_PEERS
  }

  /**
   * Chooses plaintext or encryption for an accepted peer. 0 (never encrypted) and 2 (always) are the user's decision.
   */
  prepareCall (peer: InternalPeer): void {
    const { task, client } = this.#torrent
    if (!this.#isOrdinary && client.secure === 1) peer.secure = this.#encryption.next(peer.addr, task !== null)
  }

  /** Whether to close a wire at once. Otherwise sets it up for a task before the handshake is answered. */
  refuses (wire: Wire, address: string | undefined): boolean {
    if (this.#isOrdinary) {
      // of inputs, see webtorrent/block-blame.ts
      if (this.#admission.isBanned(wire, address)) return true
    } else {
      const { task, client } = this.#torrent
      if (this.#admission.refuses(wire, address, this.#torrent)) return true
      wire.setMaxListeners(MAX_WIRE_LISTENERS)
      wire.extendedHandshake['p'] = client.torrentPort
      wire.extendedHandshake['reqq'] = MAX_PENDING_REQUESTS
      const identity = this.#torrent.newIdentity()
      // before that nobody would hear what the peer announces once it knows that the task is the same
      const isHeard = task !== null && this.#sink !== null
      wire.use(utBitworker({ ...(isHeard && { task: localTask(task) }), ...(identity !== null && { identity }) }))
    }
    if (address !== undefined) this.#encryption.succeeded(address)
    return false
  }

  /** The wires take part in the task from now on, and those that follow. */
  open (session: PeerSink, wires: Iterable<Wire>): void {
    this.#sink = session
    for (const wire of wires) this.join(wire)
  }

  /** The wire takes part in the task, if that is open. */
  join (wire: Wire): void {
    const [ext, session] = [extensionOf(wire), this.#sink]
    if (ext === undefined || session === null || session.has(wire)) return
    const { task, _peers: peers, metadata, client: { throttleGroups } } = this.#torrent
    setUpWire(wire, ext, {
      pieceCount: task!.pieceCount, peers: peers?.values() ?? [], batches: this.#batches, throttleGroups
    })
    ext.on('violation', () => { this.#admission.struck(wire) })
    session.addPeer(wire, ext)
    const identity = ext.state.signing.own === null ? this.#torrent.newIdentity() : null
    if (identity !== null) ext.identify(identity)
    ext.setTask(localTask(task!))
    void offerMetadata(wire, metadata!, identity !== null)
    // for a link, this was not known earlier
    if (this.#torrent.private === true) delete wire.peerExtendedMapping['ut_pex']
    onceSpeaking(wire, () => { this.#exchange.add(wire) })
  }

  /** Results are signed from now on: tells the peer our key. */
  introduce (wire: Wire): void {
    const [ext, identity] = [extensionOf(wire), this.#torrent.newIdentity()]
    if (ext === undefined || identity === null || this.#sink?.has(wire) !== true) return
    if (ext.state.signing.own !== null) return
    ext.identify(identity)
    void offerMetadata(wire, this.#torrent.metadata!, true)
  }

  /** The first messages to the peer: the pieces stored here, and the port of our DHT node (BEP 5). */
  present (wire: Wire, { stored, missing }: { stored: number, missing: number }): void {
    const { bitfield, client: { dht } } = this.#torrent
    if (wire.hasFast && missing === 0) wire.haveAll()
    else if (wire.hasFast && stored === 0) wire.haveNone()
    else wire.bitfield(bitfield)
    if (wire.peerExtensions.dht === true && dht && dht.listening) wire.port(dht.address().port)
  }

  /** The wire's peer may come back, but not at once. */
  refuse (wire: Wire): void {
    this.#admission.refuse(wire)
    if (openedByUs(wire) !== true) return
    for (const peer of this.#torrent._peers?.values() ?? []) if (peer.wire === wire) this.dialler.postpone(peer.addr)
  }

  /** The wire's peer may not come back. */
  ban (wire: Wire): void { this.#admission.ban(wire) }
}

/**
 * Offers the metadata, wherever it came from: a peer that also has only a link learns of it by a further extended
 * handshake.
 * @param isDue the handshake has changed in another respect
 */
async function offerMetadata (wire: Wire, metadata: Uint8Array, isDue: boolean): Promise<void> {
  const handshaking = wire as unknown as HandshakingWire
  // otherwise the first one includes it
  if (handshaking._extendedHandshakeSent !== true) return
  if ((await wire.ut_metadata.setMetadata(metadata) || isDue) && !wire.destroyed) handshaking._sendExtendedHandshake()
}

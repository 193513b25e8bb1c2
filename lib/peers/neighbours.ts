/**
 * The connected peers of one task: processes their announcements. announcer.ts announces our pieces to them;
 * claim-exchange.ts handles claims.
 *
 * Decisions are made elsewhere: this file keeps result-table.ts and scheduler.ts up to date, and reports pieces that
 * became available to the `NeighbourHost`. Called by piece-flow.ts.
 */
import BitField from 'bitfield'
import type { ResultRecord, UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { hexOf } from '../base/digest.ts'
import type { Wire } from '../base/wire.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceStore } from '../store/types.ts'
import { Announcer } from './announcer.ts'
import type { AnnouncerParts } from './announcer.ts'
import { ClaimExchange } from './claim-exchange.ts'
import type { ClaimExchangeHost, ClaimExchangeParts } from './claim-exchange.ts'
import { HandOver } from './hand-over.ts'
import { meetingOf } from './meeting.ts'
import type { Meeting } from './meeting.ts'
import { serve } from './serving.ts'
import type { ServingParts } from './serving.ts'
import { Strikes } from './strikes.ts'
import { TaskPeer } from './task-peer.ts'

/**
 * Rounds of `tidy` for which a peer may choke us while we need its pieces. The optimistic unchoking of common clients
 * takes three.
 */
const MAX_STARVING_ROUNDS = 6

/** The parts that the neighbours use. */
export interface NeighbourParts extends ClaimExchangeParts, AnnouncerParts {
  /** has the blocks that peers request */
  readonly store: Pick<PieceStore, 'get'>
}

/** Callbacks of the owner of the neighbours. */
export interface NeighbourHost extends ClaimExchangeHost {
  /** a peer has joined, and may say what it attests; called before its results are heard */
  joined (peer: TaskPeer): void
  /** whether the result that the peer announced for a piece, which is missing here, may be taken */
  believes (peer: TaskPeer, index: number): boolean
  /** the peer now holds this piece, which is missing here, and is believed */
  available (peer: TaskPeer, index: number): void
  /** announcements of this peer were processed: pieces may be fetched from it, or computed */
  updated (peer: TaskPeer): void
  left (peer: TaskPeer): void
  /** the peer broke a rule; `isFinal`: it may not come back */
  misbehaved (peer: TaskPeer, reason: string, isFinal: boolean): void
  /** a peer says that it has sealed the task, as this many connected peers say */
  sealed (infoHash: string, peers: number): void
}

/** The peers of one task. Iterable. */
export class Neighbours implements Iterable<TaskPeer> {
  readonly #results: ResultTable
  readonly #scheduler: Scheduler
  readonly #serving: ServingParts
  readonly #host: NeighbourHost
  readonly #peers = new Map<Wire, TaskPeer>()
  readonly #strikes = new Strikes()
  readonly #banned = new WeakSet<TaskPeer>()
  /** number of rounds for which a peer has choked us although we need its pieces */
  readonly #starving = new Map<TaskPeer, number>()
  readonly #announcer: Announcer
  /** claims, ours and those of the peers */
  readonly claims: ClaimExchange
  /** the pieces that would be lost if we left */
  readonly handOver: HandOver
  /** our sealed torrent */
  #sealed: string | null = null

  constructor (parts: NeighbourParts, host: NeighbourHost) {
    const { results, scheduler, store, clock, peerId } = parts
    this.#results = results
    this.#scheduler = scheduler
    this.#host = host
    this.claims = new ClaimExchange(parts, host)
    this.#announcer = new Announcer(parts)
    this.handOver = new HandOver(results, () => this.#welcome(), { peerId: hexOf(peerId), clock })
    this.#serving = { results, store, handOver: this.handOver }
  }

  [Symbol.iterator] (): IterableIterator<TaskPeer> { return this.#peers.values() }

  has (wire: Wire): boolean { return this.#peers.has(wire) }

  /** Calls `run` when the wire's peer may be served. */
  onceAdmitted (wire: Wire, run: () => void): void { this.#peers.get(wire)?.onceAdmitted(run) }

  /** Which peers have announced their pieces, and whether first announcements are still expected. */
  get meeting (): Meeting { return meetingOf(this) }

  /** Listens to a peer. Its messages may arrive before `greet`. */
  add (wire: Wire, ext: UtBitworker): void {
    const results = this.#results.addPeer(pieces => {
      for (const index of pieces) this.#scheduler.deliveries.withdrawn(peer.holder, index)
    })
    const peer = new TaskPeer(wire, ext, results)
    this.#peers.set(wire, peer)
    this.#host.joined(peer)
    wire.on('bitfield', () => { this.#onBits(peer) })
    wire.on('have-all', () => { this.#onHaveAll(peer) })
    wire.on('have', index => { this.#onHave(peer, index) })
    wire.lt_donthave.on('donthave', index => { this.#onDontHave(peer, index) })
    wire.on('unchoke', () => { this.#host.updated(peer) })
    wire.on('request', (...request) => { serve(this.#serving, peer, ...request) })
    wire.once('close', () => { this.#remove(peer) })
    this.claims.add(peer)
    ext.on('matched', () => { if (peer.isGreeted) this.#sendSnapshot(peer) })
    ext.on('results', records => { this.#onResults(peer, records) })
    // after the claims have been processed
    for (const event of ['releases', 'withdrawals'] as const) ext.on(event, () => { this.#host.updated(peer) })
    ext.on('violation', reason => { this.#host.misbehaved(peer, reason, false) })
    ext.on('sealed', infoHash => {
      this.#host.sealed(infoHash, [...this].filter(each => each.ext.state.sealed === infoHash).length)
    })
    this.#announcer.add(peer)
    this.handOver.joined(peer)
    if (!peer.isAdmitted) peer.onceAdmitted(() => { this.reconsiderAll(peer) })
    // only bittorrent-protocol's stand-in has bits without bytes
    if (wire.peerPieces.buffer.length === 0 && wire.peerPieces.get(0)) this.#onHaveAll(peer)
    else this.#onBits(peer)
  }

  //
  // OUTGOING
  //

  /** Our bitfield was sent. Tells the peer what we have and compute, as soon as the task digests match. */
  greet (wire: Wire): void {
    const peer = this.#peers.get(wire)
    if (peer === undefined || peer.isGreeted) return
    peer.isGreeted = true
    if (peer.ext.state.status === 'matched') this.#sendSnapshot(peer)
    else this.#announcer.holdBack(peer)
  }

  /**
   * The piece is stored here: announces it to the peers.
   * @param sources the peers that it was downloaded from; none if it was computed here
   */
  announce (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    this.handOver.stored(index)
    this.#announcer.announce(index, result, sources)
  }

  /** Nothing is needed any more: tells the peers, so that they need not wait for us to fetch it. */
  loseInterest (): void { for (const { wire } of this) if (wire.amInterested) wire.uninterested() }

  /** The piece is no longer stored here. */
  withdraw (index: number): void { this.#announcer.withdraw(index) }

  /** The finished files are an ordinary torrent: tells the peers, and those that come later; null: no more. */
  seal (infoHash: string | null): void {
    this.#sealed = infoHash
    if (infoHash !== null) for (const { ext, isGreeted } of this) if (isGreeted) ext.seal(infoHash)
  }

  /** The peer completed a piece of `bytes` bytes, which matched its digest; 0: its transfer has been reported. */
  delivered (peer: TaskPeer, bytes: number): void {
    this.#scheduler.deliveries.delivered(peer.holder, bytes)
    this.claims.delivered(peer)
  }

  /** The piece is needed again: its holders are expected to deliver it. */
  offerAgain (index: number, accepts: (peer: TaskPeer) => boolean = () => true): void {
    for (const peer of this) if (peer.results.holds(index) && accepts(peer)) this.#onAvailable(peer, index)
  }

  /** Which result of a missing piece is believed has changed. Its holders may say nothing more: they are asked now. */
  reconsider (index: number): void {
    for (const peer of this) if (this.#reconsider(peer, index)) this.#host.updated(peer)
  }

  /** Returns whether its result is believed. */
  #reconsider (peer: TaskPeer, index: number): boolean {
    if (peer.results.result(index) === undefined) return false
    const isBelieved = this.#host.believes(peer, index)
    if (isBelieved) this.#announced(peer, index)
    else this.#scheduler.deliveries.disbelieved(peer.holder, index)
    return isBelieved
  }

  close (): void {
    this.claims.close()
    this.#announcer.close()
  }

  #sendSnapshot (peer: TaskPeer): void {
    this.#announcer.sendSnapshot(peer)
    this.claims.sendSnapshot(peer)
    if (this.#sealed !== null) peer.ext.seal(this.#sealed)
  }

  //
  // INCOMING
  //

  /**
   * Ends claims that were not renewed in time, and connections to peers that have what we need but never unchoke us.
   * @param wants whether something is to be requested from the peer
   */
  tidy (wants: (peer: TaskPeer) => boolean): void {
    this.claims.tidy()
    this.#announcer.tidy()
    for (const peer of this) {
      peer.ext.expireClaims()
      const isStarving = peer.wire.peerChoking && (peer.wire.requests.length > 0 || wants(peer))
      const rounds = isStarving ? (this.#starving.get(peer) ?? 0) + 1 : 0
      this.#starving.set(peer, rounds)
      if (rounds >= MAX_STARVING_ROUNDS) peer.wire.destroy()
      else if (peer.wire.amInterested && !wants(peer) && !this.#isNeeded(peer)) peer.wire.uninterested()
    }
  }

  /** True if it has something that is missing here. The cheap checks come first. */
  #isNeeded (peer: TaskPeer): boolean {
    if (peer.wire.peerChoking || peer.wire.requests.length > 0) return true
    for (let index = 0; index < this.#results.pieceCount; index++) {
      if (peer.results.holds(index) && this.#scheduler.isMissing(index) && this.#scheduler.isWanted(index)) return true
    }
    return false
  }

  /** The peer alone is to blame for a problem with this piece: forgets its announcement. */
  distrust (peer: TaskPeer, index: number, reason: string): void {
    if (this.#banned.has(peer)) return // a message that it had sent before it was closed
    this.#forget(peer, index)
    const isFinal = this.#strikes.add(peer.wire)
    if (isFinal) this.#banned.add(peer)
    this.#host.misbehaved(peer, reason, isFinal)
  }

  * #welcome (): Generator<TaskPeer> { for (const peer of this) if (!this.#banned.has(peer)) yield peer }

  #remove (peer: TaskPeer): void {
    if (!this.#peers.delete(peer.wire)) return
    this.#starving.delete(peer)
    this.claims.remove(peer)
    this.#announcer.remove(peer)
    peer.results.clear()
    this.#scheduler.deliveries.remove(peer.holder)
    this.#host.left(peer)
  }

  /** It has changed whether the peer is believed. */
  reconsiderAll (peer: TaskPeer): void {
    for (let index = 0; index < this.#results.pieceCount; index++) this.#reconsider(peer, index)
    this.#host.updated(peer)
  }

  #onBits (peer: TaskPeer): void {
    const { peerPieces } = peer.wire
    for (let index = 0; index < this.#results.pieceCount; index++) if (peerPieces.get(index)) this.#setHave(peer, index)
    this.#host.updated(peer)
  }

  #onHaveAll (peer: TaskPeer): void {
    // bittorrent-protocol's stand-in cannot clear a bit, and would ignore a `have` that follows a `donthave`
    peer.wire.peerPieces = new BitField(new Uint8Array(Math.ceil(this.#results.pieceCount / 8)).fill(0xff))
    this.#onBits(peer)
  }

  #onHave (peer: TaskPeer, index: number): void {
    if (index < 0 || index >= this.#results.pieceCount) {
      return this.#host.misbehaved(peer, `announced piece ${index}, which the task does not have`, false)
    }
    this.#setHave(peer, index)
    if (this.#scheduler.isMissing(index)) this.#host.updated(peer)
  }

  #onDontHave (peer: TaskPeer, index: number): void {
    if (index < this.#results.pieceCount) this.#forget(peer, index)
    this.#announcer.remind(peer, index)
    this.#host.updated(peer)
  }

  #onResults (peer: TaskPeer, records: ResultRecord[]): void {
    for (const { index, size, digest } of records) {
      const announcement = peer.results.announce(index, { size, digest })
      if (announcement === 'new') this.#announced(peer, index)
      if (announcement === 'changed') peer.ext.reportViolation(`changed its result for piece ${index}`)
    }
    // last, so that a claim turns into an announcement without a gap in which another peer starts the piece
    this.claims.fulfil(peer, records.map(({ index }) => index))
    this.#host.updated(peer)
  }

  #announced (peer: TaskPeer, index: number): void {
    if (peer.results.holds(index)) this.#onAvailable(peer, index)
    else this.#expect(peer, index) // its `have` will follow
  }

  #expect (peer: TaskPeer, index: number): void {
    if (!this.#scheduler.isMissing(index) || !this.#scheduler.isWanted(index)) return
    if (!this.#host.believes(peer, index)) return
    this.#scheduler.deliveries.announced(peer.holder, index, peer.results.size(index)!)
  }

  #setHave (peer: TaskPeer, index: number): void {
    if (peer.results.holds(index)) return
    peer.results.setHave(index)
    if (peer.results.holds(index)) this.#onAvailable(peer, index)
  }

  #onAvailable (peer: TaskPeer, index: number): void {
    this.#expect(peer, index)
    this.claims.settled(peer, index)
    if (this.#scheduler.isMissing(index) && this.#host.believes(peer, index)) this.#host.available(peer, index)
  }

  #forget (peer: TaskPeer, index: number): void {
    peer.results.forget(index)
    this.#scheduler.deliveries.withdrawn(peer.holder, index)
  }
}

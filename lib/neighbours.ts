/**
 * The connected peers of one task: takes in what they announce, tells them what we have. Claims are claim-exchange.ts's.
 *
 * What follows from it is decided elsewhere: results.ts and scheduler.ts are kept true, and the `NeighbourHost` hears of
 * pieces that became available. Called by work-session.ts.
 */
import BitField from 'bitfield'
import { BLOCK_BYTES } from './assembly.ts'
import type { Announcements, ClaimRecord, ResultRecord, UtBitworker } from '../extensions/ut_bitworker/index.ts'
import { identityOf } from './admission.ts'
import { ClaimExchange } from './claim-exchange.ts'
import type { ClaimExchangeHost } from './claim-exchange.ts'
import { News } from './news.ts'
import type { Result, ResultTable } from './results.ts'
import type { Scheduler } from './scheduler.ts'
import type { Meeting } from './settling.ts'
import { TaskPeer } from './task-peer.ts'
import type { Wire } from './webtorrent-types.ts'
import { unsentBytes } from './wires.ts'

/** Rounds of `tidy` that a peer may choke us while we need its pieces: the optimistic unchoking of common clients takes three. */
const MAX_STARVING_ROUNDS = 6

/** As in WebTorrent: who asks for more at once wants our memory, not the piece. */
const MAX_BLOCK_BYTES = 128 * 1024
/** Requests of one peer that wait: as many as common clients keep open (libtorrent: 500), and 8 MiB in blocks of 16 KiB. */
const MAX_PENDING_REQUESTS = 500
/** A peer may be caught with this many pieces of wrong data; at the next one it is banned. */
const STRIKES_TOLERATED = 1
/** Peers whose strikes are remembered: ids cost nothing to make up. */
const MAX_STRIKERS = 10_000
/** What a peer has heard of from others is announced after this, or at most twice this, if it has not fetched it by then. */
const LATER_MS = 1_000

/** A piece that was stored here, where it was downloaded, and whether it is gone again. */
interface NewPiece { readonly record: ResultRecord, readonly sources: readonly TaskPeer[], isGone: boolean }

type Respond = (err: Error | null, block?: Uint8Array) => void

/** What the neighbours need from their surroundings. */
export interface NeighbourHost extends ClaimExchangeHost {
  /** the peer holds the piece, which is missing here, from now on */
  available (peer: TaskPeer, index: number): void
  /** news of this peer were taken in: see what can be fetched from it, and computed */
  updated (peer: TaskPeer): void
  left (peer: TaskPeer): void
  /** something that the peer holds is needed */
  wants (peer: TaskPeer): boolean
  /** a block of a piece that is stored here */
  serve (index: number, offset: number, length: number, respond: Respond): void
  strike (peer: TaskPeer, reason: string): void
  ban (peer: TaskPeer, reason: string): void
}

/** The peers of one task. Iterates over them. */
export class Neighbours implements Iterable<TaskPeer> {
  readonly #results: ResultTable
  readonly #scheduler: Scheduler
  readonly #host: NeighbourHost
  readonly #peers = new Map<Wire, TaskPeer>()
  readonly #strikes = new Map<string, number>()
  readonly #claims: ClaimExchange
  /** greeted, and not known to work on the task so far */
  readonly #unmatched = new Set<TaskPeer>()
  /** what was stored lately, and where it was downloaded */
  readonly #news = new News<NewPiece>()
  /** all peers are going to ask for the news */
  #areAwake = false
  #cancelLater: (() => void) | null = null
  #isClosed = false

  constructor (results: ResultTable, scheduler: Scheduler, host: NeighbourHost) {
    this.#results = results
    this.#scheduler = scheduler
    this.#host = host
    this.#claims = new ClaimExchange(scheduler, host)
  }

  [Symbol.iterator] (): IterableIterator<TaskPeer> { return this.#peers.values() }

  has (wire: Wire): boolean { return this.#peers.has(wire) }

  /** Who has told what it has, and whose first announcements are on their way. */
  get meeting (): Meeting {
    const areNew = new Set(Array.from(this, ({ ext, results }) => ext.state.status === 'waiting' || results.unexplained > 0))
    return { isConnecting: areNew.has(true), hasMet: areNew.has(false) }
  }

  /** Listens to a peer; what it says may come before `greet`. */
  add (wire: Wire, ext: UtBitworker): void {
    const peer = new TaskPeer(wire, ext, this.#results.addPeer())
    this.#peers.set(wire, peer)
    wire.on('bitfield', () => { this.#onBits(peer) })
    wire.on('have-all', () => { this.#onHaveAll(peer) })
    wire.on('have', index => { this.#onHave(peer, index) })
    wire.lt_donthave.on('donthave', index => { this.#onDontHave(peer, index) })
    wire.on('unchoke', () => { this.#host.updated(peer) })
    wire.on('request', (index, offset, length, respond) => { this.#onRequest(peer, index, offset, length, respond) })
    wire.once('close', () => { this.#remove(peer) })
    this.#claims.add(peer)
    ext.on('matched', () => { if (peer.isGreeted) this.#sendSnapshot(peer) })
    ext.on('results', records => { this.#onResults(peer, records) })
    // after the claims were taken in
    ext.on('releases', () => { this.#host.updated(peer) })
    ext.on('withdrawals', () => { this.#host.updated(peer) })
    ext.on('violation', reason => { this.#host.strike(peer, reason) })
    ext.pending = () => this.#tell(peer)
    // only bittorrent-protocol's stand-in has bits without bytes
    if (wire.peerPieces.buffer.length === 0 && wire.peerPieces.get(0)) this.#onHaveAll(peer)
    else this.#onBits(peer)
  }

  //
  // OUTGOING
  //

  /** Our bitfield was sent: tell the peer what we have and do, as soon as the task digests have matched. */
  greet (wire: Wire): void {
    const peer = this.#peers.get(wire)
    if (peer === undefined || peer.isGreeted) return
    peer.isGreeted = true
    if (peer.ext.state.status === 'matched') this.#sendSnapshot(peer)
    else this.#unmatched.add(peer)
  }

  /**
   * The piece is stored here. Who holds it already is not told, and who has heard of it from the peers it came from only
   * if it does not get it there: where everybody is connected to everybody, each piece is announced once, not once a peer.
   * @param sources where it was downloaded; none if it was computed here
   */
  announce (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    this.#news.add({ record: { index, ...result }, sources: [...sources], isGone: false }, () => this.#toldUntil())
    for (const peer of this.#unmatched) peer.heldBack.push(index)
    if (this.#areAwake) return
    this.#areAwake = true
    for (const peer of this) if (peer.toldUntil !== undefined) peer.ext.wake()
  }

  * #toldUntil (): Generator<number> {
    for (const { toldUntil } of this) if (toldUntil !== undefined) yield toldUntil
  }

  /** The news for the peer, which is about to be sent what waits for it. */
  #tell (peer: TaskPeer): Announcements {
    this.#areAwake = false
    if (peer.toldUntil === undefined || peer.toldUntil === this.#news.end) return NO_NEWS
    const results: ResultRecord[] = []
    const haves: number[] = []
    for (const { record, sources, isGone } of this.#news.since(peer.toldUntil)) {
      const { index } = record
      if (isGone) continue
      if (peer.results.holds(index)) {
        // no news to it, but the end of what we claimed
        if (peer.ext.state.sentClaims.has(index)) results.push(record)
      } else if (sources.some(source => isConnected(source, peer) && this.#peers.has(source.wire))) peer.later.push(index)
      else {
        results.push(record)
        haves.push(index)
      }
    }
    peer.toldUntil = this.#news.end
    if (peer.later.length > 0) this.#armLater()
    return { results, haves }
  }

  #armLater (): void {
    if (this.#isClosed) return
    this.#cancelLater ??= this.#host.clock.after(LATER_MS, () => { this.#announceLate() })
  }

  #announceLate (): void {
    this.#cancelLater?.()
    this.#cancelLater = null
    for (const peer of this) {
      const indices = peer.late.filter(index => !peer.results.holds(index) && this.#results.has(index))
      peer.ext.announce(indices.map(index => ({ index, ...this.#results.own(index)! })), indices)
      peer.late = peer.later
      peer.later = []
      if (peer.late.length > 0) this.#armLater()
    }
  }

  /** The piece is not here any more. */
  withdraw (index: number): void {
    for (const piece of this.#news.since(0)) if (piece.record.index === index) piece.isGone = true
    for (const { wire } of this) wire.lt_donthave.donthave(index)
  }

  claim (claims: ClaimRecord[], opts: { isBackup: boolean }): void { this.#claims.claim(claims, opts) }

  release (indices: number[]): void { this.#claims.release(indices) }

  /** The peer sent a piece that matched its digest. */
  delivered (peer: TaskPeer): void {
    peer.hasDelivered = true
    this.#claims.delivered(peer)
  }

  close (): void {
    this.#isClosed = true
    this.#claims.close()
    this.#cancelLater?.()
    this.#cancelLater = null
  }

  #sendSnapshot (peer: TaskPeer): void {
    const records: ResultRecord[] = []
    for (let index = 0; index < this.#results.pieceCount; index++) {
      const own = this.#results.own(index)
      if (own !== undefined) records.push({ index, ...own })
    }
    peer.ext.announce(records, peer.heldBack)
    peer.heldBack.length = 0
    this.#unmatched.delete(peer)
    peer.toldUntil = this.#news.end
    this.#claims.sendSnapshot(peer)
  }

  //
  // INCOMING
  //

  /**
   * Ends claims that were not renewed in time, and connections to peers that have what we need but never let us have it.
   */
  tidy (): void {
    this.#claims.tidy()
    this.#news.trim(this.#toldUntil())
    for (const peer of this) {
      peer.ext.expireClaims()
      const isStarving = peer.wire.peerChoking && (peer.wire.requests.length > 0 || this.#host.wants(peer))
      peer.starvingRounds = isStarving ? peer.starvingRounds + 1 : 0
      if (peer.starvingRounds >= MAX_STARVING_ROUNDS) peer.wire.destroy()
    }
  }

  /** The peer is alone to blame for something about this piece: what it said of it is void. */
  distrust (peer: TaskPeer, index: number, reason: string): void {
    if (peer.isBanned) return // what it had sent before it was closed
    this.#forget(peer, index)
    // across connections: coming back is no way out
    const identity = identityOf(peer.wire)
    const strikes = (this.#strikes.get(identity) ?? 0) + 1
    if (this.#strikes.size < MAX_STRIKERS) this.#strikes.set(identity, strikes)
    peer.isBanned = strikes > STRIKES_TOLERATED
    if (peer.isBanned) this.#host.ban(peer, reason)
    else this.#host.strike(peer, reason)
  }

  #remove (peer: TaskPeer): void {
    if (!this.#peers.delete(peer.wire)) return
    this.#unmatched.delete(peer)
    this.#claims.remove(peer)
    // what it alone could have sent is to be had from us, too
    if (this.#cancelLater !== null) for (let round = 0; round < 2; round++) this.#announceLate()
    for (const index of peer.results.clear()) this.#scheduler.setAvailable(index, false)
    this.#host.left(peer)
  }

  #onBits (peer: TaskPeer): void {
    const { peerPieces } = peer.wire
    for (let index = 0; index < this.#results.pieceCount; index++) if (peerPieces.get(index)) this.#setHave(peer, index)
    this.#host.updated(peer)
  }

  #onHaveAll (peer: TaskPeer): void {
    // bittorrent-protocol's stand-in cannot forget a bit, and would swallow a `have` that follows a `donthave`
    const { pieceCount } = this.#results
    const bits = new Uint8Array(Math.ceil(pieceCount / 8)).fill(0xff)
    peer.wire.peerPieces = new BitField(bits)
    this.#onBits(peer)
  }

  #onHave (peer: TaskPeer, index: number): void {
    if (index < 0 || index >= this.#results.pieceCount) return this.#host.strike(peer, `announced piece ${index}, which the task does not have`)
    this.#setHave(peer, index)
    if (this.#scheduler.isMissing(index)) this.#host.updated(peer)
  }

  #onDontHave (peer: TaskPeer, index: number): void {
    if (index < this.#results.pieceCount) this.#forget(peer, index)
    // it was not told while it had the piece itself
    const own = this.#results.own(index)
    if (own !== undefined && peer.isGreeted) peer.ext.announce([{ index, ...own }], [index])
    this.#host.updated(peer)
  }

  #onResults (peer: TaskPeer, records: ResultRecord[]): void {
    for (const { index, size, digest } of records) {
      const announcement = peer.results.announce(index, { size, digest })
      if (announcement === 'changed') peer.ext.reportViolation(`changed its result for piece ${index}`)
      if (announcement !== 'new') continue
      if (peer.results.holds(index)) this.#onAvailable(peer, index)
      else if (this.#scheduler.isLacking(index)) this.#promise(peer, index)
    }
    // last, so that a claim passes into a promise and nobody begins the piece in between
    this.#claims.fulfil(peer, records.map(({ index }) => index))
    this.#host.updated(peer)
  }

  /** Its `have` is to follow; nobody is to begin the piece meanwhile. */
  #promise (peer: TaskPeer, index: number): void {
    this.#scheduler.claims.add(peer.promises, peer.id, { index, elapsedMs: 0, estimateMs: 0, isBackup: false })
  }

  #onRequest (peer: TaskPeer, index: number, offset: number, length: number, respond: Respond): void {
    const size = this.#results.ownSize(index)
    if (size === undefined) return respond(new Error(`piece ${index} is not here`))
    if (length > MAX_BLOCK_BYTES) return peer.ext.close()
    if (offset < 0 || length <= 0 || offset + length > size) {
      peer.ext.reportViolation(`requested ${length} bytes at ${offset} of piece ${index}, which has ${size}`)
      return respond(new Error('the request leaves the piece'))
    }
    // what a peer does not fetch must not pile up here
    const unsent = unsentBytes(peer.wire) / BLOCK_BYTES
    if (peer.wire.peerRequests.length + unsent > MAX_PENDING_REQUESTS) return respond(new Error('too many requests'))
    this.#host.serve(index, offset, length, respond)
  }

  #setHave (peer: TaskPeer, index: number): void {
    if (peer.results.holds(index)) return
    peer.results.setHave(index)
    if (peer.results.holds(index)) this.#onAvailable(peer, index)
  }

  #onAvailable (peer: TaskPeer, index: number): void {
    this.#scheduler.setAvailable(index, true)
    this.#scheduler.claims.remove(peer.promises, peer.id, index)
    if (peer.owed.size > 0) peer.owed.delete(index)
    if (this.#scheduler.isMissing(index)) this.#host.available(peer, index)
  }

  #forget (peer: TaskPeer, index: number): void {
    peer.results.forget(index)
    if (this.#results.holders(index) === 0) this.#scheduler.setAvailable(index, false)
  }
}

const NO_NEWS: Announcements = { results: [], haves: [] }

/** As far as either has said so. */
function isConnected (a: TaskPeer, b: TaskPeer): boolean { return a.neighbours.has(b.id) || b.neighbours.has(a.id) }

/**
 * Announces the pieces stored here to the connected peers of one task: first a snapshot, then each new piece. Called by
 * neighbours.ts, which knows the peers.
 */
import { BATCH_RESULTS } from '../../extensions/ut_bitworker/constants.ts'
import type { Announcements, ResultRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import { BroadcastQueue } from './broadcast-queue.ts'
import type { TaskPeer } from './task-peer.ts'

/**
 * Delay before a piece is announced to a peer that knows other holders of it: at least this, at most twice this, and
 * only if the peer has not fetched it by then.
 */
const LATER_MS = 1_000
const NO_KEY = { ownKey: null }
const NO_NEWS: Announcements = { results: [], haves: [] }

/**
 * Who signs results announces them at most so often, unless there are enough for a signature: signing tiny pieces one
 * by one takes a tenth of what they take in all. A piece that comes alone is announced at once.
 */
const BATCH_MS = 200

/** A piece that was stored here, the peers that it was downloaded from, and whether it has been lost since. */
interface NewPiece { readonly record: ResultRecord, readonly sources: readonly TaskPeer[], isGone: boolean }

/** What one connected peer has been told. */
interface Told {
  /** pieces stored since it was sent our bitfield, to be announced once the task digests match */
  readonly heldBack: number[]
  /** the place in the queue up to which it has been told; undefined: it has not been sent the snapshot yet */
  until: number | undefined
  /** pieces that other peers announced to it, in this round and the previous one */
  later: number[]
  late: number[]
}

/** The parts that it uses. */
export interface AnnouncerParts {
  readonly results: ResultTable
  readonly clock: Clock
  /** by our key, if there is one, results that are announced together are signed together; default: there is none */
  readonly verifying?: { readonly ownKey: string | null }
}

/** The announcements to the peers of one task. */
export class Announcer {
  readonly #results: ResultTable
  readonly #clock: Clock
  /** the peers that were greeted, but are not known to work on the task yet */
  readonly #unmatched = new Set<TaskPeer>()
  /** by connected peer */
  readonly #told = new Map<TaskPeer, Told>()
  /** the pieces stored recently */
  readonly #news = new BroadcastQueue<NewPiece>()
  /** all peers are about to read the queue */
  #areAwake = false
  #cancelLater: (() => void) | null = null
  readonly #signs: boolean
  /** the place in the queue up to which peers may be told */
  #released = 0
  #releasedAt = -Infinity
  /** pieces computed here beyond that place */
  #held = 0
  #cancelRelease: (() => void) | null = null
  #isClosed = false

  constructor ({ results, clock, verifying: { ownKey } = NO_KEY }: AnnouncerParts) {
    this.#results = results
    this.#clock = clock
    this.#signs = ownKey !== null
  }

  /** Adds a peer. It reads the queue whenever a message to it is flushed. */
  add (peer: TaskPeer): void {
    this.#told.set(peer, { heldBack: [], until: undefined, later: [], late: [] })
    peer.ext.pending = () => this.#tell(peer)
  }

  /** The peer was sent our bitfield. It is told nothing more until the snapshot. */
  holdBack (peer: TaskPeer): void { this.#unmatched.add(peer) }

  /** The peer works on the task: tells it everything that is stored here, and each new piece from now on. */
  sendSnapshot (peer: TaskPeer): void {
    const told = this.#told.get(peer)
    if (told === undefined) return
    this.#release()
    const records: ResultRecord[] = []
    for (let index = 0; index < this.#results.pieceCount; index++) {
      const own = this.#results.own(index)
      if (own !== undefined) records.push({ index, ...own })
    }
    peer.ext.announce(records, told.heldBack)
    told.heldBack.length = 0
    this.#unmatched.delete(peer)
    told.until = this.#news.end
  }

  /**
   * The piece is stored here. Peers that hold it are not told, unless they heard that we compute it. Peers that its
   * sources have told are told later, and only if they have not fetched it there: in a fully connected swarm, each
   * piece is announced once, not once per peer.
   * @param sources the peers that it was downloaded from; none if it was computed here
   */
  announce (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    const from = [...sources]
    this.#news.add({ record: { index, ...result }, sources: from, isGone: false }, () => this.#toldUntil())
    for (const peer of this.#unmatched) this.#told.get(peer)?.heldBack.push(index)
    if (from.length === 0) this.#held++
    const wait = this.#releasedAt + BATCH_MS - this.#clock.now()
    if (!this.#signs || wait <= 0 || this.#held >= BATCH_RESULTS) return this.#release()
    if (!this.#isClosed) this.#cancelRelease ??= this.#clock.after(wait, () => { this.#release() })
  }

  /** What is in the queue may be told. */
  #release (): void {
    this.#cancelRelease?.()
    this.#cancelRelease = null
    this.#held = 0
    if (this.#released === this.#news.end) return
    this.#released = this.#news.end
    this.#releasedAt = this.#clock.now()
    if (this.#areAwake) return
    this.#areAwake = true
    for (const [{ ext }, { until }] of this.#told) if (until !== undefined) ext.wake()
  }

  /** The piece is no longer stored here. */
  withdraw (index: number): void {
    for (const piece of this.#news.since(0)) if (piece.record.index === index) piece.isGone = true
    for (const { wire } of this.#told.keys()) wire.lt_donthave.donthave(index)
  }

  /** The peer no longer has the piece. While it had the piece, it was not told that we have it, too. */
  remind (peer: TaskPeer, index: number): void {
    const own = this.#results.own(index)
    if (own !== undefined && peer.isGreeted) peer.ext.announce([{ index, ...own }], [index])
  }

  /** The peer has disconnected. */
  remove (peer: TaskPeer): void {
    this.#told.delete(peer)
    this.#unmatched.delete(peer)
    // other peers can now fetch from us what only that peer would have sent
    if (this.#cancelLater !== null) for (let round = 0; round < 2; round++) this.#announceLate()
  }

  /** Discards entries that every peer has read. To be called every few seconds. */
  tidy (): void { this.#news.trim(this.#toldUntil()) }

  close (): void {
    this.#isClosed = true
    this.#cancelLater?.()
    this.#cancelLater = null
    this.#cancelRelease?.()
    this.#cancelRelease = null
  }

  * #toldUntil (): Generator<number> {
    for (const { until } of this.#told.values()) if (until !== undefined) yield until
  }

  /** The announcements for a peer that is about to be sent its queue. */
  #tell (peer: TaskPeer): Announcements {
    this.#areAwake = false
    const told = this.#told.get(peer)
    if (told?.until === undefined || told.until >= this.#released) return NO_NEWS
    const results: ResultRecord[] = []
    const haves: number[] = []
    for (const { record, sources, isGone } of this.#news.between(told.until, this.#released)) {
      const { index } = record
      if (isGone) continue
      if (peer.results.holds(index)) {
        // the peer has the piece, but must learn that our claim has ended, and that we do not need it from this peer
        if (!peer.ext.state.sentClaims.has(index)) continue
        results.push(record)
        haves.push(index)
      } else if (sources.some(source => source.isConnectedTo(peer) && this.#told.has(source))) {
        told.later.push(index)
      } else {
        results.push(record)
        haves.push(index)
      }
    }
    told.until = this.#released
    if (told.later.length > 0) this.#armLater()
    return { results, haves }
  }

  #armLater (): void {
    if (this.#isClosed) return
    this.#cancelLater ??= this.#clock.after(LATER_MS, () => { this.#announceLate() })
  }

  #announceLate (): void {
    this.#cancelLater?.()
    this.#cancelLater = null
    for (const [peer, told] of this.#told) {
      const indices = told.late.filter(index => !peer.results.holds(index) && this.#results.has(index))
      peer.ext.announce(indices.map(index => ({ index, ...this.#results.own(index)! })), indices)
      told.late = told.later
      told.later = []
      if (told.late.length > 0) this.#armLater()
    }
  }
}

/**
 * Tells the connected peers of one task which pieces are stored here: a snapshot first, then each piece as it comes.
 * Called by neighbours.ts, which knows the peers.
 */
import type { Announcements, ResultRecord } from '../../extensions/ut_bitworker/index.ts'
import type { Clock } from '../base/clock.ts'
import type { Result } from '../results/result.ts'
import type { ResultTable } from '../results/result-table.ts'
import { BroadcastQueue } from './broadcast-queue.ts'
import type { TaskPeer } from './task-peer.ts'

/**
 * What a peer has heard of from others is announced after this, or at most twice this, if it has not fetched it by
 * then.
 */
const LATER_MS = 1_000
const NO_NEWS: Announcements = { results: [], haves: [] }

/** A piece that was stored here, where it was downloaded, and whether it is gone again. */
interface NewPiece { readonly record: ResultRecord, readonly sources: readonly TaskPeer[], isGone: boolean }

/** What one connected peer was told. */
interface Told {
  /** pieces stored since it was sent our bitfield, to be announced once the task digests have matched */
  readonly heldBack: number[]
  /** up to where it has been told the news; undefined: it has not been sent the snapshot yet */
  until: number | undefined
  /** pieces of those that it hears of from others, and those of the round before */
  later: number[]
  late: number[]
}

/** What the peers of one task are to be told of stored pieces. */
export class Announcer {
  readonly #results: ResultTable
  readonly #clock: Clock
  /** greeted, and not known to work on the task so far */
  readonly #unmatched = new Set<TaskPeer>()
  /** the connected peers */
  readonly #told = new Map<TaskPeer, Told>()
  /** what was stored lately, and where it was downloaded */
  readonly #news = new BroadcastQueue<NewPiece>()
  /** all peers are going to ask for the news */
  #areAwake = false
  #cancelLater: (() => void) | null = null
  #isClosed = false

  constructor (results: ResultTable, clock: Clock) {
    this.#results = results
    this.#clock = clock
  }

  /** The peer asks for the news whenever it is about to be sent something. */
  add (peer: TaskPeer): void {
    this.#told.set(peer, { heldBack: [], until: undefined, later: [], late: [] })
    peer.ext.pending = () => this.#tell(peer)
  }

  /** The peer was sent our bitfield, and is told no more until it is sent the snapshot. */
  holdBack (peer: TaskPeer): void { this.#unmatched.add(peer) }

  /** The peer works on the task: it is told all that is stored here, and from now on each new piece. */
  sendSnapshot (peer: TaskPeer): void {
    const told = this.#told.get(peer)
    if (told === undefined) return
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
   * The piece is stored here. Who holds it already is not told, and who has heard of it from the peers it came from
   * only if it does not get it there: where everybody is connected to everybody, each piece is announced once, not once
   * a peer.
   * @param sources where it was downloaded; none if it was computed here
   */
  announce (index: number, result: Result, sources: Iterable<TaskPeer> = []): void {
    this.#news.add({ record: { index, ...result }, sources: [...sources], isGone: false }, () => this.#toldUntil())
    for (const peer of this.#unmatched) this.#told.get(peer)?.heldBack.push(index)
    if (this.#areAwake) return
    this.#areAwake = true
    for (const [{ ext }, { until }] of this.#told) if (until !== undefined) ext.wake()
  }

  /** The piece is not here any more. */
  withdraw (index: number): void {
    for (const piece of this.#news.since(0)) if (piece.record.index === index) piece.isGone = true
    for (const { wire } of this.#told.keys()) wire.lt_donthave.donthave(index)
  }

  /** The peer does not have the piece any more; while it had, it was not told that we have it. */
  remind (peer: TaskPeer, index: number): void {
    const own = this.#results.own(index)
    if (own !== undefined && peer.isGreeted) peer.ext.announce([{ index, ...own }], [index])
  }

  /** The peer is gone. */
  remove (peer: TaskPeer): void {
    this.#told.delete(peer)
    this.#unmatched.delete(peer)
    // what it alone could have sent is to be had from us, too
    if (this.#cancelLater !== null) for (let round = 0; round < 2; round++) this.#announceLate()
  }

  /** Forgets what everybody was told. To be called every few seconds. */
  tidy (): void { this.#news.trim(this.#toldUntil()) }

  close (): void {
    this.#isClosed = true
    this.#cancelLater?.()
    this.#cancelLater = null
  }

  * #toldUntil (): Generator<number> {
    for (const { until } of this.#told.values()) if (until !== undefined) yield until
  }

  /** The news for the peer, which is about to be sent what waits for it. */
  #tell (peer: TaskPeer): Announcements {
    this.#areAwake = false
    const told = this.#told.get(peer)
    if (told?.until === undefined || told.until === this.#news.end) return NO_NEWS
    const results: ResultRecord[] = []
    const haves: number[] = []
    for (const { record, sources, isGone } of this.#news.since(told.until)) {
      const { index } = record
      if (isGone) continue
      if (peer.results.holds(index)) {
        // no news to it, but the end of what we claimed
        if (peer.ext.state.sentClaims.has(index)) results.push(record)
      } else if (sources.some(source => source.isConnectedTo(peer) && this.#told.has(source))) {
        told.later.push(index)
      } else {
        results.push(record)
        haves.push(index)
      }
    }
    told.until = this.#news.end
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

/**
 * Determines what peers would lose if we left now. A piece that only we have would have to be computed again. It is
 * handed over when the peers that want it have it, or can get it from a peer that stays. Pure. Called by neighbours.ts,
 * which knows the peers.
 *
 * A peer does not tell a holder that it has a piece, too. Therefore its statement that it wants none of our pieces
 * (`not interested`, BEP 3) ends the waiting for it; the record of what it was sent only serves to count what is left.
 */
import type { Clock } from '../base/clock.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { TaskPeer } from './task-peer.ts'

/**
 * A peer that wants nothing may be about to leave as well. For this long, the ids of the two peers decide who leaves
 * first.
 */
const DEFER_MS = 5_000
/** Time that a peer has to declare interest in a new piece. */
const INTEREST_MS = 2_000

/** The pieces that have not been handed over yet. */
export interface Outstanding {
  /** connected peers that want pieces that only we can give them */
  peers: number
  /** the number of these pieces */
  pieces: number
}

/** The pieces that the peers of one task can get from us alone. */
export class HandOver {
  readonly #results: ResultTable
  readonly #peers: () => Iterable<TaskPeer>
  readonly #peerId: string
  readonly #clock: Clock
  /** the pieces whose last block was sent to a peer, one bit each */
  readonly #sent = new WeakMap<TaskPeer, Uint8Array>()
  readonly #joinedAt = new WeakMap<TaskPeer, number>()
  /** the pieces stored recently, with their time; oldest first */
  #news: Array<{ index: number, at: number }> = []
  /** when we started to leave; null: we have not */
  #since: number | null = null

  /**
   * @param peers the connected peers that are not banned
   * @param peerId our own, hex
   */
  constructor (
    results: ResultTable, peers: () => Iterable<TaskPeer>, { peerId, clock }: { peerId: string, clock: Clock }
  ) {
    this.#results = results
    this.#peers = peers
    this.#peerId = peerId
    this.#clock = clock
  }

  joined (peer: TaskPeer): void { this.#joinedAt.set(peer, this.#clock.now()) }

  /** The piece is stored here. */
  stored (index: number): void {
    const now = this.#clock.now()
    if (this.#news.length > 0 && now - this.#news[0]!.at >= INTEREST_MS) {
      this.#news = this.#news.filter(({ at }) => now - at < INTEREST_MS)
    }
    this.#news.push({ index, at: now })
  }

  /** The last block of a piece is being sent to the peer. */
  sent (peer: TaskPeer, index: number): void {
    const bits = this.#sent.get(peer) ?? new Uint8Array(Math.ceil(this.#results.pieceCount / 8))
    bits[index >> 3]! |= 1 << (index & 7)
    this.#sent.set(peer, bits)
  }

  /**
   * What would be lost if we left now. The first call starts the time in which peers that may leave, too, can agree
   * with us.
   */
  outstanding (): Outstanding {
    const now = this.#clock.now()
    this.#since ??= now
    const peers = [...this.#peers()].filter(({ ext }) => ext.state.status !== 'mismatched')
    const pieces = new Set<number>()
    let count = 0
    for (const peer of peers) {
      const stayers = peers.filter(other => other !== peer && other.isConnectedTo(peer) && this.#stays(other, now))
      const lacking = this.#lacking(this.#wanted(peer, now), peer, stayers)
      if (lacking.length === 0) continue
      count++
      // what was sent may still be in transit, or not be stored yet
      const unsent = lacking.filter(index => !this.#wasSent(peer, index))
      for (const index of unsent.length > 0 ? unsent : lacking.slice(-1)) pieces.add(index)
    }
    return { peers: count, pieces: pieces.size }
  }

  /** Yields pieces that include all those that the peer wants. */
  * #wanted (peer: TaskPeer, now: number): Generator<number> {
    const isNew = now - (this.#joinedAt.get(peer) ?? now) < INTEREST_MS
    // a peer that is not interested may not have reacted to the new pieces yet
    if (!peer.wire.peerInterested && !isNew) {
      for (const { index, at } of this.#news) if (now - at < INTEREST_MS) yield index
    }
    if (peer.wire.peerInterested || isNew) for (let index = 0; index < this.#results.pieceCount; index++) yield index
  }

  /** Returns those that we have, and that neither the peer nor any of the stayers has. */
  #lacking (indices: Iterable<number>, peer: TaskPeer, stayers: TaskPeer[]): number[] {
    const lacking: number[] = []
    if (stayers.some(({ results }) => results.held === this.#results.pieceCount)) return lacking
    for (const index of indices) {
      if (
        !this.#results.has(index) || peer.results.holds(index) ||
        stayers.some(({ results }) => results.holds(index))
      ) {
        continue
      }
      lacking.push(index)
    }
    return lacking
  }

  /**
   * True if, as far as we know, the peer will still be there when we have left: it is not finished, it leaves after us,
   * or it does not leave at all.
   */
  #stays (other: TaskPeer, now: number): boolean {
    return other.wire.peerInterested || other.id < this.#peerId || now - (this.#since ?? now) >= DEFER_MS
  }

  #wasSent (peer: TaskPeer, index: number): boolean {
    return ((this.#sent.get(peer)?.[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }
}

/**
 * Who would lose something if we left now. A piece that only we have would have to be computed again; it is handed over
 * when the peers that want it have it, or can get it from somebody who stays. Pure. Called by neighbours.ts, which
 * knows the peers.
 *
 * A peer does not tell a holder that it has a piece, too. So its word that it wants nothing of ours any more (`not
 * interested`, BEP 3) ends the waiting for it, and what it was sent only says how much is left.
 */
import type { ResultTable } from '../results/result-table.ts'
import type { TaskPeer } from './task-peer.ts'

/**
 * A peer that wants nothing may be about to leave as well: by their ids two of them agree who goes first, for this
 * long.
 */
const DEFER_MS = 5_000
/** A peer has this long to say that it is interested in what is new to it. */
const INTEREST_MS = 2_000

/** What is left to hand over. */
export interface Outstanding {
  /** connected peers that want pieces which only we can give them */
  peers: number
  /** how many pieces those are */
  pieces: number
}

/** What the peers of one task have of us alone. */
export class HandOver {
  readonly #results: ResultTable
  readonly #peers: () => Iterable<TaskPeer>
  readonly #peerId: string
  readonly #now: () => number
  /** pieces whose last block a peer was sent, a bit each */
  readonly #sent = new WeakMap<TaskPeer, Uint8Array>()
  readonly #joinedAt = new WeakMap<TaskPeer, number>()
  /** what was stored lately, and when; oldest first */
  #news: Array<{ index: number, at: number }> = []
  /** when we began to leave; null: we do not */
  #since: number | null = null

  /**
   * @param peers the connected ones that are not banned
   * @param peerId our own, hex
   * @param now milliseconds on any steady clock
   */
  constructor (
    results: ResultTable, peers: () => Iterable<TaskPeer>, { peerId, now }: { peerId: string, now: () => number }
  ) {
    this.#results = results
    this.#peers = peers
    this.#peerId = peerId
    this.#now = now
  }

  joined (peer: TaskPeer): void { this.#joinedAt.set(peer, this.#now()) }

  /** The piece is stored here. */
  stored (index: number): void {
    const now = this.#now()
    if (this.#news.length > 0 && now - this.#news[0]!.at >= INTEREST_MS) {
      this.#news = this.#news.filter(({ at }) => now - at < INTEREST_MS)
    }
    this.#news.push({ index, at: now })
  }

  /** The peer is sent the last block of a piece. */
  sent (peer: TaskPeer, index: number): void {
    const bits = this.#sent.get(peer) ?? new Uint8Array(Math.ceil(this.#results.pieceCount / 8))
    bits[index >> 3]! |= 1 << (index & 7)
    this.#sent.set(peer, bits)
  }

  /** We mean to leave: from the first call on peers that may leave, too, are given the time to agree with us. */
  outstanding (): Outstanding {
    const now = this.#now()
    this.#since ??= now
    const peers = [...this.#peers()].filter(({ ext }) => ext.state.status !== 'mismatched')
    const pieces = new Set<number>()
    let count = 0
    for (const peer of peers) {
      const stayers = peers.filter(other => other !== peer && other.isConnectedTo(peer) && this.#stays(other, now))
      const lacking = this.#lacking(this.#wanted(peer, now), peer, stayers)
      if (lacking.length === 0) continue
      count++
      // what it was sent may still be on its way, or not be stored
      const unsent = lacking.filter(index => !this.#wasSent(peer, index))
      for (const index of unsent.length > 0 ? unsent : lacking.slice(-1)) pieces.add(index)
    }
    return { peers: count, pieces: pieces.size }
  }

  /** The pieces among which are those that the peer wants. */
  * #wanted (peer: TaskPeer, now: number): Generator<number> {
    const isNew = now - (this.#joinedAt.get(peer) ?? now) < INTEREST_MS
    // who says that it wants nothing has not spoken of what is new yet
    if (!peer.wire.peerInterested && !isNew) {
      for (const { index, at } of this.#news) if (now - at < INTEREST_MS) yield index
    }
    if (peer.wire.peerInterested || isNew) for (let index = 0; index < this.#results.pieceCount; index++) yield index
  }

  /** Those that we have, and neither the peer nor any of those who stay. */
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
   * It will be there when we are gone, as far as can be known: it is not done, or it leaves after us, or it does not
   * leave at all.
   */
  #stays (other: TaskPeer, now: number): boolean {
    return other.wire.peerInterested || other.id < this.#peerId || now - (this.#since ?? now) >= DEFER_MS
  }

  #wasSent (peer: TaskPeer, index: number): boolean {
    return ((this.#sent.get(peer)?.[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
  }
}

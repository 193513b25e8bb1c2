/**
 * Fetches pieces that connected peers hold, block by block (BEP 3), checks each against the digest its holders
 * announced, and says who sent wrong data.
 *
 * A piece's blocks come only from peers that announced the same result. A small piece comes from one peer as a whole;
 * so does one whose blocks came from several and did not match: then the next mismatch has exactly one possible author.
 * No clock and no store in here: both ends are the `DownloaderHost`.
 *
 * End game: a holder that has nothing else to send may be asked for what another one has kept us waiting for, so that
 * a peer that trickles cannot keep a piece to itself (`hasten`). What was asked of a holder of which it is not expected
 * (scheduling/delivery-forecast.ts) is asked of one of which it is as soon as there is one (`reassign`, `offer`).
 */
import { equalBytes } from '../base/digest.ts'
import { traceOf } from '../base/trace.ts'
import type { PieceQueue, TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import { Assembly, BLOCK_BYTES } from './assembly.ts'
import type { Download, DownloaderHost, DownloadSink } from './download-host.ts'
import { pipelineLength } from './pipeline.ts'
import { WriteBacklog } from './write-backlog.ts'

const trace = traceOf('downloads')

/** From this size on several peers share the work on one piece. */
const SHARED_PIECE_BYTES = 1 << 20
/** A peer that refuses every block of a piece it announced this often is no longer believed that it has it. */
const MAX_REFUSALS = 3

/** The downloads of one task. */
export class Downloader {
  readonly #host: DownloaderHost
  readonly #active = new Map<number, Download>()
  readonly #current = new WeakMap<TaskPeer, number>()
  readonly #refusals = new WeakMap<TaskPeer, Map<number, number>>()
  /** pieces whose blocks came from several peers and did not match */
  readonly #singleSource = new Set<number>()
  /** how often a piece was begun afresh because its source was slow */
  readonly #switches = new Map<number, number>()
  readonly #backlog = new WriteBacklog(() => { for (const peer of this.#host.peers) this.requestMore(peer) })
  #state: 'waiting' | 'open' | 'closed' = 'waiting'

  constructor (host: DownloaderHost) {
    this.#host = host
  }

  /** What was offered may be requested from now on: the store is open, and it is known what the user wants. */
  open (): void { if (this.#state === 'waiting') this.#state = 'open' }

  /** Bytes of unfinished pieces received so far. */
  get bufferedBytes (): number {
    let bytes = 0
    for (const { piece } of this.#active.values()) bytes += piece.received
    return bytes
  }

  /** The peer now holds the piece: fetch it if it is needed. */
  offer (peer: TaskPeer, index: number): void {
    if (!this.#host.needs(index)) return
    const download = this.#active.get(index)
    if (download !== undefined && this.#isBetter(peer, download)) this.#drop(download)
    this.#enqueue(peer, index)
  }

  /** Requests as much from the peer as its pipeline takes. */
  requestMore (peer: TaskPeer): void {
    if (this.#state !== 'open' || this.#backlog.isFull || peer.wire.destroyed) return
    if (peer.wire.peerChoking) {
      if (peer.isAwaited) this.#host.deliveries.asked(peer.holder)
      return
    }
    const limit = pipelineLength(peer.wire)
    while (peer.wire.requests.length < limit && this.#requestNext(peer)) { /* one request a turn */ }
  }

  /** The peer is gone: what nobody else has the same result of must start afresh, maybe with another result. */
  removePeer (peer: TaskPeer): void {
    for (const download of this.#active.values()) {
      if (download.isEnded || !download.sources.has(peer) || !this.#mustRestart(download)) continue
      this.#end(download)
      this.#requeue(download.index)
    }
    // what others were not asked for because this one was to send it
    for (const queue of [peer.urgent, peer.queue]) {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
        if (!this.#active.has(index)) this.#requeued(index)
      }
    }
    for (const other of this.#host.peers) queueMicrotask(() => { this.requestMore(other) })
    this.#askOverdue()
  }

  /** What is not expected any more of those that were asked for it is asked of one of which it is. */
  reassign (): void {
    for (const download of this.#active.values()) {
      if (!this.#isStalled(download)) continue
      const { index, result } = download
      const isSame = ({ results }: TaskPeer): boolean => results.holdsResult(index, result)
      const helper = this.#isShared(download) ? this.#find(index, isSame) : undefined
      if (helper !== undefined) this.#duplicate(helper, download)
      else if (this.#find(index) !== undefined) {
        this.#drop(download)
        this.#requeue(index)
      }
    }
    this.#askOverdue()
  }

  /** The piece is here by other means, or not wanted any more: its open requests are taken back. */
  cancel (index: number): void {
    const download = this.#active.get(index)
    if (download !== undefined) this.#drop(download)
  }

  /**
   * To be called every few seconds: what has been under way for longer is also asked for from a holder that has nothing
   * else to send. A piece that comes from one peer as a whole is begun afresh there, each time after twice the
   * patience.
   */
  hasten (): void {
    this.reassign()
    for (const download of this.#active.values()) {
      const patience = 1 << (this.#switches.get(download.index) ?? 0)
      if (download.isEnded || download.rounds++ < patience) continue
      const helper = this.#idleHolder(download)
      if (helper === undefined) continue
      if (this.#isShared(download)) this.#duplicate(helper, download)
      else this.#switch(helper, download)
    }
  }

  close (): void {
    this.#state = 'closed'
    for (const download of this.#active.values()) this.#end(download)
  }

  #requestNext (peer: TaskPeer): boolean {
    // go on with what this peer has begun before taking up another piece, unless a reader waits for that
    const current = this.#current.get(peer)
    const isFirst = current !== undefined && (peer.urgent.length === 0 || this.#host.isUrgent(current))
    if (isFirst && this.#requestFrom(peer, current)) return true
    if (this.#requestFirst(peer, peer.urgent)) {
      if (!isFirst && current !== undefined) peer.queue.push(current)
      return true
    }
    if (!isFirst && current !== undefined && this.#requestFrom(peer, current)) return true
    return this.#requestFirst(peer, peer.queue)
  }

  /** Takes up the first piece of the queue that this peer may send. */
  #requestFirst (peer: TaskPeer, queue: PieceQueue): boolean {
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
      if (!this.#requestFrom(peer, index)) continue
      this.#current.set(peer, index)
      return true
    }
    return false
  }

  #enqueue (peer: TaskPeer, index: number): void {
    (this.#host.isUrgent(index) ? peer.urgent : peer.queue).push(index)
  }

  #requestFrom (peer: TaskPeer, index: number): boolean {
    const download = this.#join(peer, index)
    if (download === undefined) return false
    const block = download.piece.reserve()
    if (block === -1) return false
    download.sources.add(peer)
    this.#request(peer, download, block)
    return true
  }

  /** The piece's download, if this peer may take part in it. */
  #join (peer: TaskPeer, index: number): Download | undefined {
    if (!peer.results.holds(index) || !this.#host.needs(index)) return undefined
    if (!peer.holder.expected.has(index) && this.#find(index) !== undefined) return undefined // left to others
    const download = this.#active.get(index)
    if (download === undefined) return this.#begin(peer, index, peer.results.result(index)!)
    if (download.isEnded || !peer.results.holdsResult(index, download.result)) return undefined
    if (download.sources.has(peer) || download.sources.size === 0) return download
    return this.#isShared(download) ? download : undefined
  }

  #begin (peer: TaskPeer, index: number, result: Result): Download | undefined {
    const sink = this.#receive(index, result.size)
    if (sink === undefined) return undefined
    const piece = new Assembly(result.size, this.#backlog.counting(sink))
    const download: Download = { index, result, sink, piece, sources: new Set(), isEnded: false, rounds: 0 }
    this.#active.set(index, download)
    trace('piece %d of %d bytes is asked of %s', index, result.size, peer.name)
    if (result.size > 0) return download
    // nothing to request: an empty piece is its digest
    download.sources.add(peer)
    void this.#complete(download)
    return undefined
  }

  /** undefined when nothing can be written: this is called from within the wire's parser, which must not see it. */
  #receive (index: number, size: number): DownloadSink | undefined {
    try {
      return this.#host.receive(index, size)
    } catch (err) {
      queueMicrotask(() => { this.#host.broken(err as Error) })
      return undefined
    }
  }

  #request (peer: TaskPeer, download: Download, block: number): void {
    const { index, piece } = download
    this.#host.deliveries.asked(peer.holder)
    peer.wire.request(index, piece.offset(block), piece.length(block), (err, data) => {
      const isLate = this.#state === 'closed' || download.isEnded
      if (err !== null || data === undefined) {
        piece.cancel(block)
        if (!isLate) this.#refused(peer, download)
        // a wire that is closing fails every request at once: from within here, thousands would nest
        queueMicrotask(() => {
          this.requestMore(peer)
          if (isLate && !peer.wire.peerChoking) this.#checkRest(peer)
        })
        return
      }
      this.#host.deliveries.received(peer.holder, data.length)
      if (!isLate) {
        piece.set(block, data)
        if (piece.isComplete) void this.#complete(download)
      }
      this.requestMore(peer)
      this.#checkRest(peer)
    })
  }

  #checkRest (peer: TaskPeer): void {
    if (peer.wire.requests.length === 0) this.#host.deliveries.rests(peer.holder)
  }

  /** The peer did not send a block: it chokes us, closed the connection, took the piece back, or refused. */
  #refused (peer: TaskPeer, download: Download): void {
    const { index } = download
    trace('%s does not send a block of piece %d', peer.name, index)
    if (!peer.wire.destroyed && !peer.wire.peerChoking && peer.results.holds(index)) this.#countRefusal(peer, download)
    if (this.#mustRestart(download)) this.#end(download)
    this.#requeue(index)
  }

  #countRefusal (peer: TaskPeer, { index, result }: Download): void {
    const refusals = this.#refusals.get(peer) ?? new Map<number, number>()
    const count = (refusals.get(index) ?? 0) + 1
    this.#refusals.set(peer, refusals.set(index, count))
    if (count < MAX_REFUSALS * Math.ceil(result.size / BLOCK_BYTES)) return
    refusals.delete(index)
    this.#host.distrust(peer, index, `refused piece ${index}, which it had announced`)
  }

  /** Several peers may send blocks of it. */
  #isShared ({ index, result }: Download): boolean {
    return result.size >= SHARED_PIECE_BYTES && !this.#singleSource.has(index)
  }

  /** One of its sources stopped: a piece that is not shared starts afresh with whoever comes first. */
  #mustRestart (download: Download): boolean {
    return !this.#isShared(download) || !this.#isHeld(download)
  }

  #isHeld ({ index, result }: Download): boolean {
    for (const { wire, results } of this.#host.peers) {
      if (!wire.destroyed && results.holdsResult(index, result)) return true
    }
    return false
  }

  async #complete (download: Download): Promise<void> {
    const { index, result, sources, piece, sink } = download
    download.isEnded = true
    try {
      const digest = await piece.digest()
      if (this.#state === 'closed' || this.#active.get(index) !== download) return
      const isRight = equalBytes(digest, result.digest)
      trace('piece %d has come from %d peers and is %s', index, sources.size, isRight ? 'right' : 'wrong')
      if (!isRight) return this.#onMismatch(download)
      await piece.write()
      if (this.#active.get(index) !== download) return
      await this.#host.downloaded(index, result, sink, sources)
    } catch (err) {
      this.#host.broken(err as Error)
    }
    this.#singleSource.delete(index)
    this.#switches.delete(index)
    this.#end(download)
  }

  #onMismatch (download: Download): void {
    const { index, sources } = download
    this.#end(download)
    const [peer, ...others] = sources
    if (others.length > 0) this.#singleSource.add(index)
    else this.#host.distrust(peer!, index, `sent data for piece ${index} that does not match the digest it announced`)
    this.#requeue(index)
  }

  /** Something else than to wait for those that were asked: they are slow, or nothing has come of it yet. */
  #isBetter ({ holder }: TaskPeer, download: Download): boolean {
    const { index, piece, sources, isEnded } = download
    if (!holder.expected.has(index) || isEnded) return false
    if (this.#isStalled(download)) return true
    return piece.received === 0 && [...sources].every(other => this.#host.deliveries.isSooner(holder, other.holder))
  }

  /** It is expected of nobody that was asked for it. */
  #isStalled ({ isEnded, index, sources }: Download): boolean {
    return !isEnded && ![...sources].some(({ holder }) => holder.expected.has(index))
  }

  /** A peer of which the piece is expected, and that can be asked. */
  #find (index: number, isMeant: (peer: TaskPeer) => boolean = () => true): TaskPeer | undefined {
    for (const peer of this.#host.peers) {
      const { wire, holder, results } = peer
      if (!holder.expected.has(index) || !results.holds(index) || !isMeant(peer)) continue
      if (!wire.destroyed && !wire.peerChoking) return peer
    }
    return undefined
  }

  /** Peers that are overdue are asked for what nobody else has. */
  #askOverdue (): void {
    for (const peer of this.#host.peers) {
      if (!peer.holder.isOverdue) continue
      peer.queue.clear()
      for (const index of peer.holder.pieces.keys()) if (this.#host.needs(index)) this.#enqueue(peer, index)
      queueMicrotask(() => { this.requestMore(peer) })
    }
  }

  /** Nothing will come of it; its requests are taken back. */
  #drop (download: Download): void {
    trace('piece %d is not awaited from those that were asked any more', download.index)
    this.#end(download)
    this.#takeBack(download.index)
  }

  #end (download: Download): void {
    download.isEnded = true
    if (this.#active.get(download.index) !== download) return
    this.#active.delete(download.index)
    download.piece.discard() // does nothing to what is stored
  }

  /** Open requests for the piece are of no use any more. */
  #takeBack (index: number): void {
    for (const { wire } of this.#host.peers) {
      for (const request of wire.requests.filter(({ piece }) => piece === index)) {
        wire.cancel(index, request.offset, request.length)
      }
    }
  }

  /** A holder of the same result that nothing is asked of. */
  #idleHolder ({ index, result }: Download): TaskPeer | undefined {
    for (const peer of this.#host.peers) {
      const { wire, results } = peer
      const isIdle = !wire.destroyed && !wire.peerChoking && wire.requests.length === 0 && !peer.isAwaited
      if (isIdle && results.holdsResult(index, result)) return peer
    }
    return undefined
  }

  /** Blocks that others were asked for: who comes first has sent them. */
  #duplicate (helper: TaskPeer, download: Download): void {
    const limit = pipelineLength(helper.wire)
    const blocks = download.piece.reserved().slice(0, limit)
    if (blocks.length > 0) download.sources.add(helper)
    for (const block of blocks) this.#request(helper, download, block)
  }

  #switch (helper: TaskPeer, download: Download): void {
    const { index } = download
    this.#switches.set(index, (this.#switches.get(index) ?? 0) + 1)
    this.#drop(download)
    this.#current.set(helper, index)
    this.requestMore(helper)
  }

  /** All holders may try the piece again; if it is expected of some, only they. */
  #requeue (index: number): void {
    for (const peer of this.#requeued(index)) {
      // not at once: this may be called from within a wire's own loop over its requests
      queueMicrotask(() => this.requestMore(peer))
    }
  }

  #requeued (index: number): TaskPeer[] {
    if (!this.#host.needs(index)) return []
    const isExpected = this.#find(index) !== undefined
    const mayTry = ({ results, holder }: TaskPeer): boolean =>
      results.holds(index) && (!isExpected || holder.expected.has(index))
    const peers = Array.from(this.#host.peers).filter(mayTry)
    for (const peer of peers) this.#enqueue(peer, index)
    return peers
  }
}

/**
 * Downloads pieces from connected peers, block by block (BEP 3), checks each against its announced digest, and reports
 * peers that sent wrong data.
 *
 * The blocks of a piece come only from peers that announced the same result. A small piece comes from a single peer. So
 * does a piece whose blocks came from several peers and did not match: the next mismatch then has only one possible
 * author. There is no clock here, and the `DownloadHost` decides which pieces are needed.
 *
 * End game: a holder with no other requests may be asked for a piece that another holder is slow to send, so that a
 * slow peer cannot block a piece (`hasten`). A piece that is no longer expected of the holder that was asked
 * (scheduling/delivery-forecast.ts) is requested from one that it is expected of (`reassign`, `offer`).
 */
import { equalBytes } from '../base/digest.ts'
import { traceOf } from '../base/trace.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { PieceDraft } from '../store/types.ts'
import { Assembly, BLOCK_BYTES } from './assembly.ts'
import { Download } from './download.ts'
import type { DownloadHost, DownloadParts } from './download-host.ts'
import { cancelRequests, expectedHolder, holdersToAsk, idleHolder, isHeld } from './holders.ts'
import { PeerQueues } from './peer-queues.ts'
import { PieceHistory } from './piece-history.ts'
import { pipelineLength } from './pipeline.ts'
import { WriteBacklog } from './write-backlog.ts'

const trace = traceOf('downloads')

type Parts = Omit<DownloadParts, 'clock' | 'random'>

/** The downloads of one task. */
export class Downloader {
  readonly #parts: Parts
  readonly #host: DownloadHost
  readonly #active = new Map<number, Download>()
  readonly #queues: PeerQueues
  readonly #history = new PieceHistory()
  readonly #backlog: WriteBacklog
  #state: 'waiting' | 'open' | 'closed' = 'waiting'

  constructor (parts: Parts, host: DownloadHost) {
    this.#parts = parts
    this.#queues = new PeerQueues(parts.scheduler)
    this.#host = host
    this.#backlog = new WriteBacklog(host, () => { for (const peer of parts.peers) this.requestMore(peer) })
  }

  /** Offered pieces may be requested from now on: the store is open, and the user's selection is known. */
  open (): void { if (this.#state === 'waiting') this.#state = 'open' }

  /** Bytes received of unfinished pieces. */
  get bufferedBytes (): number {
    let bytes = 0
    for (const { piece } of this.#active.values()) bytes += piece.received
    return bytes
  }

  /** True if something is to be requested from the peer. */
  isAwaited (peer: TaskPeer): boolean { return !this.#queues.isEmpty(peer) }

  /** True if a reader waits for something that is to be requested from the peer. */
  isUrgent (peer: TaskPeer): boolean { return this.#queues.hasUrgent(peer) }

  /** True if something that is to be requested from the peer is still needed. */
  needs (peer: TaskPeer): boolean { return this.#queues.some(peer, index => this.#host.needs(index)) }

  /** The peer now holds the piece: downloads it if it is needed. */
  offer (peer: TaskPeer, index: number): void {
    if (!this.#host.needs(index)) return
    const download = this.#active.get(index)
    if (download !== undefined && download.isBetterFrom(peer, this.#parts.scheduler.deliveries)) this.#drop(download)
    this.#queues.push(peer, index)
  }

  /** Requests as much from the peer as its pipeline holds. */
  requestMore (peer: TaskPeer): void {
    if (this.#state !== 'open' || this.#backlog.isFull || peer.wire.destroyed) return
    if (peer.wire.peerChoking) {
      if (this.isAwaited(peer)) this.#parts.scheduler.deliveries.asked(peer.holder)
      return
    }
    const limit = pipelineLength(peer.wire)
    while (peer.wire.requests.length < limit && this.#requestNext(peer)) { /* one request per turn */ }
  }

  /** The peer has disconnected. A piece whose result no other peer has must start anew, perhaps with another result. */
  removePeer (peer: TaskPeer): void {
    for (const download of this.#active.values()) {
      if (download.isEnded || !download.sources.has(peer) || !this.#mustRestart(download)) continue
      this.#end(download)
      this.#requeue(download.index)
    }
    // pieces that were not requested from others, because this peer was to send them
    for (const index of this.#queues.remove(peer)) if (!this.#active.has(index)) this.#requeued(index)
    for (const other of this.#parts.peers) queueMicrotask(() => { this.requestMore(other) })
    this.#askOverdue()
  }

  /** Requests pieces that are no longer expected of their sources from peers that they are expected of. */
  reassign (): void {
    for (const download of this.#active.values()) {
      if (!download.isStalled) continue
      const { index, result } = download
      const isSame = ({ results }: TaskPeer): boolean => results.holdsResult(index, result)
      const helper = this.#history.isShared(download) ? expectedHolder(this.#parts.peers, index, isSame) : undefined
      if (helper !== undefined) this.#duplicate(helper, download)
      else if (expectedHolder(this.#parts.peers, index) !== undefined) {
        this.#drop(download)
        this.#requeue(index)
      }
    }
    this.#askOverdue()
  }

  /** The piece was stored by other means, or is no longer wanted: cancels its requests. */
  cancel (index: number): void {
    const download = this.#active.get(index)
    if (download !== undefined) this.#drop(download)
  }

  /**
   * To be called every few seconds. Requests slow pieces also from a holder with no other requests. A piece that comes
   * from a single peer is started anew there, each time after twice the patience.
   */
  hasten (): void {
    this.reassign()
    for (const download of this.#active.values()) {
      if (download.isEnded || download.rounds++ < this.#history.patience(download.index)) continue
      const helper = idleHolder(this.#parts.peers, download, peer => this.isAwaited(peer))
      if (helper === undefined) continue
      if (this.#history.isShared(download)) this.#duplicate(helper, download)
      else this.#switch(helper, download)
    }
  }

  close (): void {
    this.#state = 'closed'
    for (const download of this.#active.values()) this.#end(download)
  }

  #requestNext (peer: TaskPeer): boolean { return this.#queues.next(peer, index => this.#requestFrom(peer, index)) }

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
    if (!peer.results.holds(index) || !this.#host.needs(index) || !this.#host.accepts(peer, index)) return undefined
    // left to others
    if (!peer.holder.expected.has(index) && expectedHolder(this.#parts.peers, index) !== undefined) return undefined
    const download = this.#active.get(index)
    if (download === undefined) return this.#begin(peer, index, peer.results.result(index)!)
    if (download.isEnded || !peer.results.holdsResult(index, download.result)) return undefined
    if (download.sources.has(peer) || download.sources.size === 0) return download
    return this.#history.isShared(download) ? download : undefined
  }

  #begin (peer: TaskPeer, index: number, result: Result): Download | undefined {
    const draft = this.#receive(index, result.size)
    if (draft === undefined) return undefined
    const piece = new Assembly(result.size, this.#backlog.counting(draft))
    const download = new Download(index, result, draft, piece)
    this.#active.set(index, download)
    trace('piece %d of %d bytes is requested from %s', index, result.size, peer.name)
    if (result.size > 0) return download
    // nothing to request: the digest of an empty piece is known
    download.sources.add(peer)
    void this.#complete(download)
    return undefined
  }

  /** Returns undefined if nothing can be written. It is called within the wire's parser, so it must not throw. */
  #receive (index: number, size: number): PieceDraft | undefined {
    try {
      return this.#parts.store.receive(index, size)
    } catch (err) {
      queueMicrotask(() => { this.#host.broken(err as Error) })
      return undefined
    }
  }

  #request (peer: TaskPeer, download: Download, block: number): void {
    const { index, piece } = download
    this.#parts.scheduler.deliveries.asked(peer.holder)
    peer.wire.request(index, piece.offset(block), piece.length(block), (err, data) => {
      const isLate = this.#state === 'closed' || download.isEnded
      if (err !== null || data === undefined) {
        piece.cancel(block)
        if (!isLate) this.#refused(peer, download)
        // a wire that is closing fails every request at once; without this, thousands of calls would nest
        queueMicrotask(() => {
          this.requestMore(peer)
          if (isLate && !peer.wire.peerChoking) this.#checkRest(peer)
        })
        return
      }
      this.#parts.scheduler.deliveries.received(peer.holder, data.length)
      if (!isLate) {
        piece.set(block, data)
        if (piece.isComplete) void this.#complete(download)
      }
      this.requestMore(peer)
      this.#checkRest(peer)
    })
  }

  #checkRest (peer: TaskPeer): void {
    if (peer.wire.requests.length === 0) this.#parts.scheduler.deliveries.rests(peer.holder)
  }

  /** The peer did not send a block: it chokes us, closed the connection, no longer has the piece, or refused. */
  #refused (peer: TaskPeer, download: Download): void {
    const { index, result } = download
    trace('%s does not send a block of piece %d', peer.name, index)
    const isRefusal = !peer.wire.destroyed && !peer.wire.peerChoking && peer.results.holds(index)
    if (isRefusal && this.#history.refused(peer, index, Math.ceil(result.size / BLOCK_BYTES))) {
      this.#host.distrust(peer, index, `refused piece ${index}, which it had announced`)
    }
    if (this.#mustRestart(download)) this.#end(download)
    this.#requeue(index)
  }

  /** One of its sources stopped. A piece that is not shared starts anew with another holder. */
  #mustRestart (download: Download): boolean {
    return !this.#history.isShared(download) || !isHeld(this.#parts.peers, download)
  }

  async #complete (download: Download): Promise<void> {
    const { index, result, sources, piece, draft } = download
    download.isEnded = true
    try {
      const digest = await piece.digest()
      if (this.#state === 'closed' || this.#active.get(index) !== download) return
      const isRight = equalBytes(digest, result.digest)
      trace('piece %d has come from %d peers and is %s', index, sources.size, isRight ? 'right' : 'wrong')
      if (!isRight) return this.#onMismatch(download)
      await piece.write()
      if (this.#active.get(index) !== download) return
      await this.#host.downloaded(index, result, draft, sources)
    } catch (err) {
      this.#host.broken(err as Error)
    }
    this.#backlog.look()
    this.#history.forget(index)
    this.#end(download)
    this.#requeue(index) // if the result was not taken, another one may be
  }

  #onMismatch (download: Download): void {
    const { index, sources } = download
    this.#end(download)
    const culprit = this.#history.mismatched(index, sources)
    if (culprit !== undefined) {
      this.#host.distrust(culprit, index, `sent data for piece ${index} that does not match the digest it announced`)
    }
    this.#requeue(index)
  }

  /** Requests pieces from overdue peers if nobody else has them. */
  #askOverdue (): void {
    for (const peer of this.#parts.peers) {
      if (!peer.holder.isOverdue) continue
      this.#queues.clear(peer)
      for (const index of peer.holder.pieces.keys()) if (this.#host.needs(index)) this.#queues.push(peer, index)
      queueMicrotask(() => { this.requestMore(peer) })
    }
  }

  /** Gives up the download, and cancels its requests. */
  #drop (download: Download): void {
    trace('piece %d is no longer expected from its holders', download.index)
    this.#end(download)
    cancelRequests(this.#parts.peers, download.index)
  }

  #end (download: Download): void {
    download.isEnded = true
    if (this.#active.get(download.index) !== download) return
    this.#active.delete(download.index)
    download.piece.discard() // has no effect on a piece that is stored
  }

  /** Requests blocks from the helper that were requested from others; the first to arrive counts. */
  #duplicate (helper: TaskPeer, download: Download): void {
    const limit = pipelineLength(helper.wire)
    const blocks = download.piece.reserved().slice(0, limit)
    if (blocks.length > 0) download.sources.add(helper)
    for (const block of blocks) this.#request(helper, download, block)
  }

  #switch (helper: TaskPeer, download: Download): void {
    const { index } = download
    this.#history.switched(index)
    this.#drop(download)
    this.#queues.begin(helper, index)
    this.requestMore(helper)
  }

  /** Lets all holders try the piece again; if it is expected of some, only these. */
  #requeue (index: number): void {
    for (const peer of this.#requeued(index)) {
      // not at once: this may be called within a wire's loop over its requests
      queueMicrotask(() => this.requestMore(peer))
    }
  }

  #requeued (index: number): TaskPeer[] {
    if (!this.#host.needs(index)) return []
    const peers = holdersToAsk(this.#parts.peers, index)
    for (const peer of peers) this.#queues.push(peer, index)
    return peers
  }
}

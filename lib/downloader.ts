/**
 * Fetches pieces that connected peers hold, block by block (BEP 3), checks each against the digest its holders
 * announced, and says who sent wrong data.
 *
 * A piece's blocks come only from peers that announced the same result. A small piece comes from one peer as a whole;
 * so does one whose blocks came from several and did not match: then the next mismatch has exactly one possible author.
 * No clock and no store in here: both ends are the `DownloadHost`.
 */
import { createHash, webcrypto } from 'node:crypto'
import Piece from 'torrent-piece'
import { sameResult } from './results.ts'
import type { Result } from './results.ts'
import type { TaskPeer } from './task-peer.ts'
import type { Wire } from './webtorrent-types.ts'

/** Requests kept open with one peer: enough for tiny pieces, which are one request each, to not wait for round trips. */
const MIN_PIPELINE = 64
/** Below what common clients accept (libtorrent: 500; BEP 10 `reqq` says otherwise where it does). */
const MAX_PIPELINE = 250
/** From this size on several peers share the work on one piece. */
const SHARED_PIECE_BYTES = 1 << 20
/** Above it, hashing leaves the main thread: 4 MiB take it about 2 ms. */
const SYNC_HASH_BYTES = 4 << 20
/** A peer that refuses every block of a piece it announced this often is no longer believed that it has it. */
const MAX_REFUSALS = 3

/** What the downloader needs from its surroundings. */
export interface DownloadHost {
  /** the piece is wanted and neither stored nor being stored */
  needs (index: number): boolean
  /** pieces that a reader waits for */
  readonly urgent: Iterable<number>
  /** connected peers, in no particular order */
  readonly peers: Iterable<TaskPeer>
  /** checked data and who sent it; resolves when it is on disk */
  store (index: number, result: Result, data: Uint8Array, peers: Iterable<TaskPeer>): Promise<void>
  /** `peer` alone is to blame for data of this piece that does not match, or for refusing it: its result is void */
  distrust (peer: TaskPeer, index: number, reason: string): void
}

interface Download {
  readonly index: number
  readonly result: Result
  readonly piece: Piece
  readonly sources: Set<TaskPeer>
  isEnded: boolean
}

/** The downloads of one task. */
export class Downloader {
  readonly #host: DownloadHost
  readonly #active = new Map<number, Download>()
  readonly #current = new WeakMap<TaskPeer, number>()
  readonly #refusals = new WeakMap<TaskPeer, Map<number, number>>()
  /** pieces whose blocks came from several peers and did not match */
  readonly #singleSource = new Set<number>()
  #state: 'waiting' | 'open' | 'closed' = 'waiting'

  constructor (host: DownloadHost) {
    this.#host = host
  }

  /** What was offered may be requested from now on: the store is open, and it is known what the user wants. */
  open (): void { if (this.#state === 'waiting') this.#state = 'open' }

  /** Bytes of unfinished pieces received so far. */
  get bufferedBytes (): number {
    let bytes = 0
    for (const { piece } of this.#active.values()) bytes += piece.length - piece.missing
    return bytes
  }

  /** The peer now holds the piece: fetch it if it is needed. */
  offer (peer: TaskPeer, index: number): void {
    if (this.#host.needs(index)) peer.queue.push(index)
  }

  /** Requests as much from the peer as its pipeline takes. */
  requestMore (peer: TaskPeer): void {
    if (this.#state !== 'open' || peer.wire.destroyed || peer.wire.peerChoking) return
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
  }

  /** The piece is here by other means, or not wanted any more: its open requests are taken back. */
  cancel (index: number): void {
    const download = this.#active.get(index)
    if (download === undefined) return
    this.#end(download)
    for (const { wire } of this.#host.peers) {
      for (const request of wire.requests.filter(({ piece }) => piece === index)) wire.cancel(index, request.offset, request.length)
    }
  }

  close (): void {
    this.#state = 'closed'
    this.#active.clear()
  }

  #requestNext (peer: TaskPeer): boolean {
    for (const index of this.#host.urgent) if (this.#requestFrom(peer, index)) return true
    // go on with what this peer has begun before taking up another piece
    const current = this.#current.get(peer)
    if (current !== undefined && this.#requestFrom(peer, current)) return true
    for (let index = peer.queue.shift(); index !== undefined; index = peer.queue.shift()) {
      if (!this.#requestFrom(peer, index)) continue
      this.#current.set(peer, index)
      return true
    }
    return false
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
    const result = peer.results.result(index)!
    const download = this.#active.get(index)
    if (download === undefined) return this.#begin(peer, index, result)
    if (download.isEnded || !sameResult(download.result, result)) return undefined
    if (download.sources.has(peer) || download.sources.size === 0) return download
    return this.#isShared(download) ? download : undefined
  }

  #begin (peer: TaskPeer, index: number, result: Result): Download | undefined {
    const download: Download = { index, result, piece: new Piece(result.size), sources: new Set(), isEnded: false }
    this.#active.set(index, download)
    if (result.size > 0) return download
    // nothing to request: an empty piece is its digest
    download.sources.add(peer)
    void this.#complete(download, new Uint8Array(0))
    return undefined
  }

  #request (peer: TaskPeer, download: Download, block: number): void {
    const { index, piece } = download
    peer.wire.request(index, piece.chunkOffset(block), piece.chunkLength(block), (err, data) => {
      const isLate = this.#state === 'closed' || download.isEnded
      if (err !== null || data === undefined) {
        piece.cancel(block)
        if (!isLate) this.#refused(peer, download)
        // a wire that is closing fails every request at once: from within here, thousands would nest
        queueMicrotask(() => { this.requestMore(peer) })
        return
      }
      if (!isLate && piece.set(block, data, peer)) void this.#complete(download, piece.flush()!)
      this.requestMore(peer)
    })
  }

  /** The peer did not send a block: it chokes us, closed the connection, took the piece back, or refused. */
  #refused (peer: TaskPeer, download: Download): void {
    const { index } = download
    if (!peer.wire.destroyed && !peer.wire.peerChoking && peer.results.holds(index)) this.#countRefusal(peer, download)
    if (this.#mustRestart(download)) this.#end(download)
    this.#requeue(index)
  }

  #countRefusal (peer: TaskPeer, { index, result }: Download): void {
    const refusals = this.#refusals.get(peer) ?? new Map<number, number>()
    const count = (refusals.get(index) ?? 0) + 1
    this.#refusals.set(peer, refusals.set(index, count))
    if (count < MAX_REFUSALS * Math.ceil(result.size / Piece.BLOCK_LENGTH)) return
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

  #isHeld (download: Download): boolean {
    for (const { wire, results } of this.#host.peers) {
      if (!wire.destroyed && results.holds(download.index) && sameResult(results.result(download.index)!, download.result)) return true
    }
    return false
  }

  async #complete (download: Download, data: Uint8Array): Promise<void> {
    const { index, result, sources } = download
    download.isEnded = true
    const digest = await sha256(data)
    if (this.#state === 'closed' || this.#active.get(index) !== download) return
    if (Buffer.compare(digest, result.digest) === 0) {
      await this.#host.store(index, result, data, sources)
      this.#singleSource.delete(index)
      this.#end(download)
      return
    }
    this.#end(download)
    const [peer, ...others] = sources
    if (others.length > 0) this.#singleSource.add(index)
    else this.#host.distrust(peer!, index, `sent data for piece ${index} that does not match the digest it announced`)
    this.#requeue(index)
  }

  #end (download: Download): void {
    download.isEnded = true
    if (this.#active.get(download.index) === download) this.#active.delete(download.index)
  }

  /** All holders may try the piece again. */
  #requeue (index: number): void {
    if (!this.#host.needs(index)) return
    for (const peer of this.#host.peers) {
      if (!peer.results.holds(index)) continue
      peer.queue.push(index)
      // not at once: this may be called from within a wire's own loop over its requests
      queueMicrotask(() => this.requestMore(peer))
    }
  }
}

function pipelineLength (wire: Wire): number {
  const bySpeed = Math.ceil(wire.downloadSpeed() / Piece.BLOCK_LENGTH)
  const { reqq } = wire.peerExtendedHandshake
  const allowed = typeof reqq === 'number' && reqq > 0 ? reqq : MAX_PIPELINE
  return Math.min(allowed, MAX_PIPELINE, Math.max(MIN_PIPELINE, bySpeed))
}

/** The SHA-256 digest of the data, 32 bytes. */
async function sha256 (data: Uint8Array): Promise<Uint8Array> {
  if (data.length <= SYNC_HASH_BYTES) return createHash('sha256').update(data).digest()
  return new Uint8Array(await webcrypto.subtle.digest('SHA-256', data))
}

/** The downloads as a session sees them. A simulation has another implementation, which takes virtual time. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { DownloadHost, DownloadParts } from './download-host.ts'
import { Downloader } from './downloader.ts'
import { RequestDelay } from './request-delay.ts'

/** The downloads of one task. */
export interface Downloads {
  /** bytes received of unfinished pieces */
  readonly bufferedBytes: number
  /** Offered pieces may be requested from now on. */
  open (): void
  /** The peer now holds the piece: downloads it if it is needed. */
  offer (peer: TaskPeer, index: number): void
  /** `isAwaited`: something is to be requested from the peer (cheap). `needs`: some of it is still needed. */
  isAwaited (peer: TaskPeer): boolean
  needs (peer: TaskPeer): boolean
  /**
   * The peer may have something that is needed: requests it, now or a little later.
   * @param busyMs how long work will continue here, as far as is known, at most the duration of a piece; 0: there is
   * none, or unknown
   */
  consider (peer: TaskPeer, busyMs: number): void
  /** There is nothing else to do: requests everything now. */
  hurry (): void
  removePeer (peer: TaskPeer): void
  /** A piece was stored by other means, or is no longer wanted. */
  cancel (index: number): void
  /** A holder is late: requests pieces that are no longer expected of their sources from others. */
  reassign (): void
  /** To be called every few seconds: requests slow pieces from a second holder. */
  hasten (): void
  close (): void
}

/** Downloads pieces by requests over the peers' wires. */
export class WireDownloads implements Downloads {
  readonly #downloader: Downloader
  readonly #delay: RequestDelay

  constructor (parts: DownloadParts, host: DownloadHost) {
    this.#downloader = new Downloader(parts, host)
    this.#delay = new RequestDelay(parts, this.#downloader)
  }

  get bufferedBytes (): number { return this.#downloader.bufferedBytes }

  open (): void { this.#downloader.open() }

  offer (peer: TaskPeer, index: number): void { this.#downloader.offer(peer, index) }

  isAwaited (peer: TaskPeer): boolean { return this.#downloader.isAwaited(peer) }

  needs (peer: TaskPeer): boolean { return this.#downloader.needs(peer) }

  consider (peer: TaskPeer, busyMs: number): void { this.#delay.consider(peer, busyMs) }

  hurry (): void { this.#delay.hurry() }

  removePeer (peer: TaskPeer): void { this.#downloader.removePeer(peer) }

  cancel (index: number): void { this.#downloader.cancel(index) }

  reassign (): void { this.#downloader.reassign() }

  hasten (): void { this.#downloader.hasten() }

  close (): void {
    this.#downloader.close()
    this.#delay.close()
  }
}

/** Downloads as a session sees them; a simulation has others, which take virtual time. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { DownloadHost } from './download-host.ts'
import { Downloader } from './downloader.ts'
import { RequestDelay } from './request-delay.ts'

/** The downloads of one task. */
export interface Downloads {
  /** bytes of unfinished pieces received so far */
  readonly bufferedBytes: number
  /** What was offered may be requested from now on. */
  open (): void
  /** The peer now holds the piece: fetch it if it is needed. */
  offer (peer: TaskPeer, index: number): void
  /** Something is to be asked of the peer, cheap; and something that is still needed. */
  isAwaited (peer: TaskPeer): boolean
  needs (peer: TaskPeer): boolean
  /** The peer may have something that is needed: ask it, now or a little later. */
  consider (peer: TaskPeer): void
  /** There is nothing else to do: everything is asked for now. */
  hurry (): void
  removePeer (peer: TaskPeer): void
  /** A piece is here by other means, or not wanted any more. */
  cancel (index: number): void
  /** A holder is late: what is not expected of those that were asked is asked of others. */
  reassign (): void
  /** To be called every few seconds: what takes long is asked of a second holder. */
  hasten (): void
  close (): void
}

/** Downloads by requests over the peers' wires. */
export class WireDownloads implements Downloads {
  readonly #downloader: Downloader
  readonly #delay: RequestDelay

  constructor (host: DownloadHost) {
    this.#downloader = new Downloader(host)
    this.#delay = new RequestDelay(host, this.#downloader)
  }

  get bufferedBytes (): number { return this.#downloader.bufferedBytes }

  open (): void { this.#downloader.open() }

  offer (peer: TaskPeer, index: number): void { this.#downloader.offer(peer, index) }

  isAwaited (peer: TaskPeer): boolean { return this.#downloader.isAwaited(peer) }

  needs (peer: TaskPeer): boolean { return this.#downloader.needs(peer) }

  consider (peer: TaskPeer): void { this.#delay.consider(peer) }

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

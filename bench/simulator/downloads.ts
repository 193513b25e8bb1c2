/** Downloads that take virtual time: what lib/downloader.ts is to a work session. Data always match their digest. */
import type { Clock } from '../../lib/clock.ts'
import type { TaskPeer } from '../../lib/task-peer.ts'

/** When a peer says nothing for this long, its blocks are asked of others. */
const GIVE_UP_MS = 30_000

/** What downloads need from their surroundings. */
export interface DownloadsHost {
  readonly clock: Clock
  needs (index: number): boolean
  readonly peers: Iterable<TaskPeer>
  /** how long the piece takes from this peer; Infinity: it will not answer */
  transferMs (peer: TaskPeer): number
  stored (index: number, peer: TaskPeer): void
}

interface Download { peer: TaskPeer, readonly failed: Set<TaskPeer>, cancel: () => void }

/** The downloads of one peer: each piece from the first one that offers it. */
export class Downloads {
  readonly #host: DownloadsHost
  readonly #active = new Map<number, Download>()

  constructor (host: DownloadsHost) {
    this.#host = host
  }

  offer (peer: TaskPeer, index: number): void {
    if (this.#active.has(index) || !this.#host.needs(index)) return
    const download: Download = { peer, failed: new Set(), cancel: () => {} }
    this.#active.set(index, download)
    this.#ask(index, download)
  }

  /** The piece is here by other means. */
  cancel (index: number): void {
    this.#active.get(index)?.cancel()
    this.#active.delete(index)
  }

  removePeer (peer: TaskPeer): void {
    for (const [index, download] of this.#active) if (download.peer === peer) this.#askNext(index, download)
  }

  #ask (index: number, download: Download): void {
    const ms = this.#host.transferMs(download.peer)
    if (ms === Infinity) this.#giveUpLater(index, download)
    else download.cancel = this.#host.clock.after(ms, () => { this.#onEnd(index, download) })
  }

  #giveUpLater (index: number, download: Download): void {
    download.cancel = this.#host.clock.after(GIVE_UP_MS, () => { this.#askNext(index, download) })
  }

  #onEnd (index: number, download: Download): void {
    // who died on the way sends nothing more
    if (this.#host.transferMs(download.peer) === Infinity) return this.#giveUpLater(index, download)
    this.#active.delete(index)
    this.#host.stored(index, download.peer)
  }

  #askNext (index: number, download: Download): void {
    download.cancel()
    download.failed.add(download.peer)
    for (const peer of this.#host.peers) {
      if (download.failed.has(peer) || !peer.results.holds(index)) continue
      download.peer = peer
      return this.#ask(index, download)
    }
    this.#active.delete(index)
  }
}

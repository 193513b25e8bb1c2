/** Downloads that take virtual time: what lib/download/downloader.ts is to a work session. */
import type { DownloadHost, DownloadParts } from '../../lib/download/download-host.ts'
import type { Downloads } from '../../lib/download/downloads.ts'
import type { TaskPeer } from '../../lib/peers/task-peer.ts'
import type { Result } from '../../lib/results/result.ts'
import type { VirtualClock } from './clock.ts'

/** When a peer says nothing for this long, its blocks are asked of others. */
const GIVE_UP_MS = 30_000

/** How a simulated network is. */
export interface Network {
  readonly clock: VirtualClock
  /** writes a piece that has come; resolves with what is stored then */
  commit (index: number, result: Result): Promise<Result>
  /** how long the piece takes from this peer, which is asked for it now; Infinity: it will not answer */
  transferMs (peer: TaskPeer): number
  /** the peer died */
  isGone (peer: TaskPeer): boolean
  /** what it sends matches its digest */
  isGood (peer: TaskPeer): boolean
  /** a piece has come */
  ended (): void
}

interface Download { peer: TaskPeer, result: Result, readonly failed: Set<TaskPeer>, cancel: () => void }

/** The downloads of one peer: each piece from the first one that offers it, unless it is expected of another one. */
export class SimulatedDownloads implements Downloads {
  readonly bufferedBytes = 0
  readonly #deliveries: DownloadParts['scheduler']['deliveries']
  readonly #peers: DownloadParts['peers']
  readonly #host: DownloadHost
  readonly #network: Network
  readonly #active = new Map<number, Download>()
  /** how many pieces each peer is asked for */
  readonly #asked = new Map<TaskPeer, number>()

  constructor ({ scheduler, peers }: DownloadParts, host: DownloadHost, network: Network) {
    this.#deliveries = scheduler.deliveries
    this.#peers = peers
    this.#host = host
    this.#network = network
  }

  open (): void {}

  consider (): void {}

  isAwaited (): boolean { return false }

  needs (): boolean { return false }

  hurry (): void {}

  close (): void { for (const [index, download] of this.#active) this.#end(index, download) }

  offer (peer: TaskPeer, index: number): void {
    if (!this.#host.needs(index) || !this.#host.accepts(peer, index)) return
    const known = this.#active.get(index)
    if (known !== undefined) {
      const { peer: { holder } } = known
      if (!peer.holder.expected.has(index)) return
      if (!holder.expected.has(index) || this.#deliveries.isSooner(peer.holder, holder)) {
        this.#switch(index, known, peer)
      }
      return
    }
    const download: Download = { peer, result: peer.results.result(index)!, failed: new Set(), cancel: () => {} }
    this.#active.set(index, download)
    this.#ask(index, download)
  }

  /** The piece is here by other means. */
  cancel (index: number): void {
    const download = this.#active.get(index)
    if (download !== undefined) this.#end(index, download)
  }

  removePeer (peer: TaskPeer): void {
    for (const [index, download] of this.#active) if (download.peer === peer) this.#askNext(index, download)
  }

  hasten (): void { this.reassign() }

  /** What is not expected of the peer that was asked for it is asked of one of which it is. */
  reassign (): void {
    for (const [index, download] of this.#active) {
      if (download.peer.holder.expected.has(index)) continue
      const other = this.#find(({ holder }) => holder.expected.has(index))
      if (other !== undefined) this.#switch(index, download, other)
    }
  }

  #ask (index: number, download: Download): void {
    const { peer } = download
    this.#asked.set(peer, (this.#asked.get(peer) ?? 0) + 1)
    this.#deliveries.asked(peer.holder)
    const ms = this.#network.isGone(peer) ? Infinity : this.#network.transferMs(peer)
    if (ms === Infinity) this.#giveUpLater(index, download)
    else download.cancel = this.#network.clock.after(ms, () => { this.#onEnd(index, download) })
  }

  #unask ({ peer, cancel }: Download): void {
    cancel()
    const left = this.#asked.get(peer)! - 1
    if (left > 0) this.#asked.set(peer, left)
    else {
      this.#asked.delete(peer)
      this.#deliveries.rests(peer.holder)
    }
  }

  #end (index: number, download: Download): void {
    this.#unask(download)
    this.#active.delete(index)
  }

  #switch (index: number, download: Download, peer: TaskPeer): void {
    this.#unask(download)
    download.peer = peer
    download.result = peer.results.result(index)!
    this.#ask(index, download)
  }

  #giveUpLater (index: number, download: Download): void {
    download.cancel = this.#network.clock.after(GIVE_UP_MS, () => { this.#askNext(index, download) })
  }

  #onEnd (index: number, download: Download): void {
    const { peer } = download
    // who died on the way sends nothing more
    if (this.#network.isGone(peer)) return this.#giveUpLater(index, download)
    if (!this.#network.isGood(peer)) {
      this.#host.distrust(peer, index, 'wrong data')
      if (this.#active.get(index) === download) this.#askNext(index, download)
      return
    }
    this.#active.delete(index)
    this.#network.ended()
    const commit = async (result: Result): Promise<Result> => this.#network.commit(index, result)
    void this.#host.downloaded(index, download.result, { commit, hashInto: async () => {} }, [peer])
    this.#network.clock.settled()
    this.#unask(download)
  }

  #askNext (index: number, download: Download): void {
    download.failed.add(download.peer)
    const other = this.#find(
      peer => !download.failed.has(peer) && peer.results.holds(index) && this.#host.accepts(peer, index)
    )
    if (other === undefined) this.#end(index, download)
    else this.#switch(index, download, other)
  }

  #find (isMeant: (peer: TaskPeer) => boolean): TaskPeer | undefined {
    for (const peer of this.#peers) if (isMeant(peer)) return peer
    return undefined
  }
}

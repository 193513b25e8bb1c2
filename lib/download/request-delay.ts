/**
 * When to ask for pieces that were announced: at once; or some time later, while work goes on here anyway and nobody
 * waits for them. Peers that are alike end their work items together, and would exchange what they have when the next
 * ones should start; a random delay spreads it over the time in which they compute, and ends with it. Called by
 * downloads.ts.
 */
import type { Clock } from '../base/clock.ts'
import type { TaskPeer } from '../peers/task-peer.ts'

/** The longest delay: this share of the time for which work goes on anyway, and never longer than three seconds. */
const SHARE = 0.5
const MAX_DELAY_MS = 3_000

/** What the delay depends on. */
export interface RequestDelayHost {
  readonly clock: Clock
  /** gives numbers in [0, 1) */
  readonly random: () => number
  /**
   * how long work goes on here, as far as can be seen, and for a piece's time at most; 0: nobody knows, or there is
   * none
   */
  readonly busyMs: number
}

/** Whose requests are delayed (downloader.ts). */
export interface RequestingDownloads {
  /** a reader waits for something that is to be asked of the peer */
  isUrgent (peer: TaskPeer): boolean
  /** requests what the peer has */
  requestMore (peer: TaskPeer): void
}

/** The peers that are to be asked. */
export class RequestDelay {
  readonly #host: RequestDelayHost
  readonly #downloads: RequestingDownloads
  readonly #timers = new Map<TaskPeer, () => void>()

  constructor (host: RequestDelayHost, downloads: RequestingDownloads) {
    this.#host = host
    this.#downloads = downloads
  }

  /** The peer may have something that is needed. */
  consider (peer: TaskPeer): void {
    const host = this.#host
    const delayMs = this.#downloads.isUrgent(peer) ? 0 : host.random() * Math.min(MAX_DELAY_MS, SHARE * host.busyMs)
    if (delayMs < 1) {
      this.#forget(peer)
      return this.#downloads.requestMore(peer)
    }
    if (this.#timers.has(peer)) return
    this.#timers.set(peer, host.clock.after(delayMs, () => {
      this.#timers.delete(peer)
      this.#downloads.requestMore(peer)
    }))
  }

  /** There is nothing else to do: everything is asked for now. */
  hurry (): void {
    for (const peer of this.#timers.keys()) {
      this.#forget(peer)
      this.#downloads.requestMore(peer)
    }
  }

  close (): void { for (const peer of this.#timers.keys()) this.#forget(peer) }

  #forget (peer: TaskPeer): void {
    this.#timers.get(peer)?.()
    this.#timers.delete(peer)
  }
}

/**
 * Decides when to request announced pieces: at once, or later, while work continues here and no reader waits for them.
 * Similar peers finish their work items at the same time, and would exchange pieces just when the next items should
 * start. A random delay spreads the requests over the time in which they compute, and ends with it. Called by
 * downloads.ts.
 */
import type { Clock } from '../base/clock.ts'
import type { TaskPeer } from '../peers/task-peer.ts'

/** The longest delay as a share of the time for which work continues; never longer than three seconds. */
const SHARE = 0.5
const MAX_DELAY_MS = 3_000

/** The inputs of the delay. */
export interface RequestDelayHost {
  readonly clock: Clock
  /** returns numbers in [0, 1) */
  readonly random: () => number
  /**
   * how long work will continue here, as far as is known, at most the duration of a piece; 0: there is none, or unknown
   */
  readonly busyMs: number
}

/** The downloads whose requests are delayed (downloader.ts). */
export interface RequestingDownloads {
  /** a reader waits for something that is to be requested from the peer */
  isUrgent (peer: TaskPeer): boolean
  /** requests pieces from the peer */
  requestMore (peer: TaskPeer): void
}

/** The peers whose requests are delayed. */
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

  /** There is nothing else to do: requests everything now. */
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

/**
 * Decides when to request announced pieces: at once, or later, while work continues here and no reader waits for them.
 * Similar peers finish their work items at the same time, and would exchange pieces just when the next items should
 * start. A random delay spreads the requests over the time in which they compute, and ends with it. Called by
 * downloads.ts.
 */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { DownloadParts } from './download-host.ts'
import type { Downloader } from './downloader.ts'

/** The longest delay as a share of the time for which work continues; never longer than three seconds. */
const SHARE = 0.5
const MAX_DELAY_MS = 3_000

/** The peers whose requests are delayed. */
export class RequestDelay {
  readonly #parts: Pick<DownloadParts, 'clock' | 'random'>
  readonly #downloads: Pick<Downloader, 'isUrgent' | 'requestMore'>
  readonly #timers = new Map<TaskPeer, () => void>()

  constructor (
    parts: Pick<DownloadParts, 'clock' | 'random'>, downloads: Pick<Downloader, 'isUrgent' | 'requestMore'>
  ) {
    this.#parts = parts
    this.#downloads = downloads
  }

  /** The peer may have something that is needed; `busyMs`: see downloads.ts. */
  consider (peer: TaskPeer, busyMs: number): void {
    const { clock, random } = this.#parts
    const delayMs = this.#downloads.isUrgent(peer) ? 0 : random() * Math.min(MAX_DELAY_MS, SHARE * busyMs)
    if (delayMs < 1) {
      this.#forget(peer)
      return this.#downloads.requestMore(peer)
    }
    if (this.#timers.has(peer)) return
    this.#timers.set(peer, clock.after(delayMs, () => {
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

/**
 * When to ask for pieces that were announced: at once, or, while there is something to compute, a moment later. Peers that
 * are alike end their work items at the same time; their next ones should start before all of them exchange what they have.
 * Called by work-session.ts.
 */
import type { Clock } from './clock.ts'
import type { TaskPeer } from './task-peer.ts'

/** The moment: this share of what a piece takes, and never longer. */
const SHARE = 0.1
const MAX_DELAY_MS = 100

/** What fetching needs from its surroundings. */
export interface FetchingHost {
  readonly clock: Clock
  /** whether there is something to compute here and now */
  isComputing (): boolean
  /** what a piece takes here, milliseconds; 0: unknown */
  paceMs (): number
  /** requests what the peer has */
  fetch (peer: TaskPeer): void
}

/** The peers that are to be asked. */
export class Fetching {
  readonly #host: FetchingHost
  readonly #peers = new Set<TaskPeer>()
  #cancel: (() => void) | null = null

  constructor (host: FetchingHost) {
    this.#host = host
  }

  /** The peer may have something that is needed. */
  consider (peer: TaskPeer): void {
    const delayMs = this.#host.isComputing() ? Math.min(MAX_DELAY_MS, SHARE * this.#host.paceMs()) : 0
    if (delayMs < 1) return this.#host.fetch(peer)
    this.#peers.add(peer)
    this.#cancel ??= this.#host.clock.after(delayMs, () => { this.#fetchAll() })
  }

  close (): void { this.#cancel?.() }

  #fetchAll (): void {
    const peers = [...this.#peers]
    this.#cancel = null
    this.#peers.clear()
    for (const peer of peers) this.#host.fetch(peer)
  }
}

/**
 * What is to be sent on one connection at the next flush. Pure. Later news about a piece replaces what was queued before,
 * so it never holds more than a few records a piece, however long the peer keeps us waiting. Called by index.ts.
 */
import type { ClaimRecord, Message, ResultRecord } from './codec.ts'

/** One flush: the message goes first, then a `have` for each of `haves`. */
export interface Batch { message: Message, haves: number[] }

interface QueuedClaim { claim: ClaimRecord, queuedAt: number }

/** The queue of one connection. */
export class Outbox {
  readonly #results = new Map<number, ResultRecord>()
  readonly #haves = new Set<number>()
  readonly #claims = new Map<number, QueuedClaim>()
  readonly #releases = new Set<number>()

  get isEmpty (): boolean {
    return this.#results.size + this.#haves.size + this.#claims.size + this.#releases.size === 0
  }

  announce (results: Iterable<ResultRecord>, haves: Iterable<number>): void {
    for (const result of results) {
      this.#results.set(result.index, result)
      this.#claims.delete(result.index) // a result ends the claim
    }
    for (const index of haves) this.#haves.add(index)
  }

  /** @param now milliseconds: claims say how long they had been running when they are sent, not when they were queued */
  claim (claims: Iterable<ClaimRecord>, now: number): void {
    for (const claim of claims) this.#claims.set(claim.index, { claim, queuedAt: now })
  }

  release (indices: Iterable<number>): void {
    for (const index of indices) {
      this.#claims.delete(index)
      this.#releases.add(index)
    }
  }

  /** Everything queued; nothing is queued afterwards. */
  take (now: number): Batch {
    const message = {
      results: [...this.#results.values()],
      releases: [...this.#releases],
      claims: [...this.#claims.values()].map(({ claim: { index, elapsedMs, estimateMs }, queuedAt }) =>
        ({ index, elapsedMs: elapsedMs + now - queuedAt, estimateMs }))
    }
    const batch = { message, haves: [...this.#haves] }
    this.clear()
    return batch
  }

  clear (): void {
    this.#results.clear()
    this.#haves.clear()
    this.#claims.clear()
    this.#releases.clear()
  }
}

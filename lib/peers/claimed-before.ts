/**
 * Whether a peer claimed a piece before it announced it: who computes claims, who repeats what others said cannot have.
 * Pure. One for each connected peer. Called by attestation-exchange.ts.
 */

/** What a peer announces so soon after the connection was matched may have been computed before. */
const SNAPSHOT_MS = 5_000
/** Claims that are remembered; the oldest are forgotten. A peer has at most 64 live ones. */
const MAX_CLAIMED = 4_096

/** The claims of one peer. */
export class ClaimedBefore {
  readonly #matchedAt: number
  readonly #claimed = new Set<number>()
  /** bits of the pieces that it announced in its snapshot */
  readonly #early: Uint8Array

  /** @param now milliseconds on any steady clock */
  constructor (pieceCount: number, now: number) {
    this.#matchedAt = now
    this.#early = new Uint8Array(Math.ceil(pieceCount / 8))
  }

  claimed (index: number): void {
    this.#claimed.delete(index)
    if (this.#claimed.size >= MAX_CLAIMED) this.#claimed.delete(this.#claimed.values().next().value!)
    this.#claimed.add(index)
  }

  announced (index: number, now: number): void {
    if (now - this.#matchedAt < SNAPSHOT_MS) this.#early[index >> 3]! |= 1 << (index & 7)
  }

  /** False if the peer announced the piece without a claim, although we would have heard one. */
  has (index: number, now: number): boolean {
    return this.#claimed.has(index) || now - this.#matchedAt < SNAPSHOT_MS ||
      (this.#early[index >> 3]! & (1 << (index & 7))) !== 0
  }
}

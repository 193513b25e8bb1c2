/**
 * Whether the next connection to an address is to be encrypted (MSE): an attempt that failed is repeated the other way.
 *
 * Tasks begin in plaintext: the key exchange costs both sides over 10 ms of computing, and hides nothing from whoever
 * takes part in the swarm. What may turn out to be an ordinary torrent begins as WebTorrent does. Called by torrent.ts.
 */

/** Addresses remembered: peer exchange can name any number of them. */
const MAX_ADDRESSES = 10_000

/** The attempts of one torrent. */
export class EncryptionChoice {
  readonly #failed = new Map<string, number>()

  /** 0: plaintext, 1: encrypted. */
  next (address: string, isTask: boolean): 0 | 1 {
    const failed = this.#failed.get(address) ?? 0
    if (this.#failed.size < MAX_ADDRESSES) this.#failed.set(address, failed + 1)
    const isFirstWay = failed % 2 === 0
    return isFirstWay === isTask ? 0 : 1
  }

  /** A connection was made; the next one begins afresh. */
  succeeded (address: string): void { this.#failed.delete(address) }
}

/**
 * Decides whether the next connection to an address is encrypted (MSE): a failed attempt is repeated the other way.
 *
 * Tasks start in plaintext: the key exchange costs both sides more than 10 ms of processor time, and hides nothing from
 * participants of the swarm. A link that may turn out to be an ordinary torrent starts as in WebTorrent. Called by
 * torrent.ts.
 */

/** Number of addresses that are remembered: peer exchange can name any number. */
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

  /** A connection was made: the next one starts anew. */
  succeeded (address: string): void { this.#failed.delete(address) }
}

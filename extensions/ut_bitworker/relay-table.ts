/** The claims of a peer's neighbours that it has passed on to us. Pure: the state of one connection. Used by state.ts. */
import { MAX_CLAIMS, MAX_RELAYS } from './constants.ts'
import type { RelayRecord, WithdrawalRecord } from './records.ts'

interface Relay { readonly relay: RelayRecord, readonly receivedAt: number }

/** Live relayed claims, by piece and claimant. Bounded. */
export class RelayTable {
  readonly #pieces = new Map<number, Map<string, Relay>>()
  /** how many each claimant has */
  readonly #counts = new Map<string, number>()
  #size = 0
  /** none was received before */
  #oldest = Infinity

  /** The relayed claims for a piece. */
  of (index: number): RelayRecord[] { return Array.from(this.#pieces.get(index)?.values() ?? [], ({ relay }) => relay) }

  /** Adds or renews one; false if it is beyond what one connection, or one claimant, may have, or of another kind than before. */
  add (relay: RelayRecord, now: number): boolean {
    const { index, peerId, isBackup } = relay
    const known = this.#pieces.get(index)?.get(peerId)?.relay
    if (known !== undefined && known.isBackup !== isBackup) return false
    if (known === undefined) {
      const count = this.#counts.get(peerId) ?? 0
      if (this.#size >= MAX_RELAYS || count >= MAX_CLAIMS) return false
      this.#counts.set(peerId, count + 1)
      this.#size++
    }
    this.#oldest = Math.min(this.#oldest, now)
    const claims = this.#pieces.get(index) ?? new Map<string, Relay>()
    const firstElapsedMs = known?.firstElapsedMs ?? relay.firstElapsedMs
    this.#pieces.set(index, claims.set(peerId, { relay: { ...relay, firstElapsedMs }, receivedAt: now }))
    return true
  }

  /** False if there was none. */
  delete (index: number, peerId: string): boolean {
    const claims = this.#pieces.get(index)
    if (claims?.delete(peerId) !== true) return false
    if (claims.size === 0) this.#pieces.delete(index)
    const count = this.#counts.get(peerId)! - 1
    if (count === 0) this.#counts.delete(peerId)
    else this.#counts.set(peerId, count)
    this.#size--
    return true
  }

  /** Forgets all of one piece; tells which. */
  deletePiece (index: number): WithdrawalRecord[] {
    const claims = this.#pieces.get(index)
    if (claims === undefined) return [] // as a rule: asked with every result
    const withdrawals = Array.from(claims.keys(), peerId => ({ index, peerId }))
    for (const { peerId } of withdrawals) this.delete(index, peerId)
    return withdrawals
  }

  /** Forgets those that were last heard of at `limit` or before; tells which. */
  expire (limit: number): WithdrawalRecord[] {
    const lapsed: WithdrawalRecord[] = []
    if (this.#oldest > limit) return lapsed // asked with every message
    this.#oldest = Infinity
    for (const [index, claims] of this.#pieces) {
      for (const [peerId, { receivedAt }] of claims) {
        if (receivedAt <= limit) lapsed.push({ index, peerId })
        else this.#oldest = Math.min(this.#oldest, receivedAt)
      }
    }
    for (const { index, peerId } of lapsed) this.delete(index, peerId)
    return lapsed
  }

  clear (): void {
    this.#pieces.clear()
    this.#counts.clear()
    this.#size = 0
    this.#oldest = Infinity
  }
}

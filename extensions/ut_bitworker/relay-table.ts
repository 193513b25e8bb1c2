/** The claims of a peer's neighbours that it has relayed to us. Pure: the state of one connection. Used by state.ts. */
import { MAX_CLAIMS, MAX_PIECE_RELAYS, MAX_RELAYS } from './constants.ts'
import type { RelayRecord, WithdrawalRecord } from './records.ts'

interface Relay extends RelayRecord { receivedAt: number }

/** Live relayed claims by piece, limited in number. A piece seldom has more than one. */
export class RelayTable {
  readonly #pieces = new Map<number, Relay[]>()
  /** number of relayed claims of each claimant */
  readonly #counts = new Map<string, number>()
  #size = 0
  /** lower bound for the receiving time of all relayed claims */
  #oldest = Infinity

  /** The relayed claims for a piece, for reading only: later calls change the list. */
  of (index: number): readonly RelayRecord[] { return this.#pieces.get(index) ?? [] }

  /**
   * Adds or renews a claim. Returns false if it exceeds the limit of the connection, claimant or piece, or if its kind
   * has changed.
   */
  add ({ index, peerId, elapsedMs, estimateMs, firstElapsedMs, isBackup }: RelayRecord, now: number): boolean {
    const relays = this.#pieces.get(index)
    const known = relays?.find(relay => relay.peerId === peerId)
    if (known !== undefined && known.isBackup !== isBackup) return false
    if (known !== undefined) Object.assign(known, { elapsedMs, estimateMs, receivedAt: now })
    else {
      const count = this.#counts.get(peerId) ?? 0
      if (this.#size >= MAX_RELAYS || count >= MAX_CLAIMS || (relays?.length ?? 0) >= MAX_PIECE_RELAYS) return false
      this.#counts.set(peerId, count + 1)
      this.#size++
      const relay = { index, peerId, elapsedMs, estimateMs, firstElapsedMs, isBackup, receivedAt: now }
      if (relays === undefined) this.#pieces.set(index, [relay])
      else relays.push(relay)
    }
    this.#oldest = Math.min(this.#oldest, now)
    return true
  }

  /** Returns false if there was none. */
  delete (index: number, peerId: string): boolean {
    const relays = this.#pieces.get(index)
    const at = relays?.findIndex(relay => relay.peerId === peerId) ?? -1
    if (relays === undefined || at === -1) return false
    if (relays.length === 1) this.#pieces.delete(index)
    else relays.splice(at, 1)
    const count = this.#counts.get(peerId)! - 1
    if (count === 0) this.#counts.delete(peerId)
    else this.#counts.set(peerId, count)
    this.#size--
    return true
  }

  /** Deletes all claims for a piece, and returns them. */
  deletePiece (index: number): WithdrawalRecord[] {
    const relays = this.#pieces.get(index)
    if (relays === undefined) return [] // the usual case: this is called for every result
    return this.#forget([...relays])
  }

  /** Deletes the claims that were last received at `limit` or before, and returns them. */
  expire (limit: number): WithdrawalRecord[] {
    if (this.#oldest > limit) return [] // this is called for every message
    const lapsed: Relay[] = []
    this.#oldest = Infinity
    for (const relay of [...this.#pieces.values()].flat()) {
      if (relay.receivedAt <= limit) lapsed.push(relay)
      else this.#oldest = Math.min(this.#oldest, relay.receivedAt)
    }
    return this.#forget(lapsed)
  }

  clear (): void {
    this.#pieces.clear()
    this.#counts.clear()
    this.#size = 0
    this.#oldest = Infinity
  }

  #forget (relays: Relay[]): WithdrawalRecord[] {
    for (const { index, peerId } of relays) this.delete(index, peerId)
    return relays.map(({ index, peerId }) => ({ index, peerId }))
  }
}

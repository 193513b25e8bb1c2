/**
 * For a member of a trusted key: keys that no trusted key has checked. It looks at a piece of each, those with the most
 * results first; all who trust it then know that key. Pure. Called by verification.ts.
 */
import type { KeyRecord } from './ledger.ts'

/** Random pieces of a key that are looked at until one is worth a check. */
const TRIES = 8

/** The keys that wait for a check by a member. */
export class Vetting {
  readonly #waiting = new Set<KeyRecord>()
  /** pieces that are being computed for it */
  readonly #busy = new Map<number, KeyRecord>()
  readonly #random: () => number

  constructor (random: () => number) {
    this.#random = random
  }

  /** The key has attested a piece. */
  add (record: KeyRecord): void { this.#waiting.add(record) }

  /** The check of the piece has ended, or was dropped. */
  ended (index: number): void { this.#busy.delete(index) }

  /** A piece to compute for the key that has most to answer for. `isUseful`: nobody knows its right result yet. */
  pick (isUseful: (index: number, record: KeyRecord) => boolean): number | undefined {
    if (this.#waiting.size === 0) return undefined
    const busy = new Set(this.#busy.values())
    let best: KeyRecord | undefined
    let most = 0
    for (const record of this.#waiting) {
      if (record.right > 0 || record.state !== 'ok' || record.trustedKey !== null) this.#waiting.delete(record)
      else if (!busy.has(record)) {
        // not all members look at the same key at once
        const weight = record.firsts * (1 + this.#random())
        if (weight > most) [best, most] = [record, weight]
      }
    }
    if (best === undefined) return undefined
    for (let i = 0; i < TRIES; i++) {
      const index = best.pieces[Math.floor(this.#random() * best.pieces.length)]!
      if (!isUseful(index, best)) continue
      this.#busy.set(index, best)
      return index
    }
    return undefined
  }
}

/**
 * Which of several results of a piece a peer takes that wants to have what others have (docs/ut_bitworker.md, "Agreeing
 * on results"): the one with the lowest digest that a connected peer holds. Pure. Used by piece-flow.ts.
 */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { ResultTable } from '../results/result-table.ts'
import { sameResult } from '../results/result.ts'
import type { Result } from '../results/result.ts'

/** The results that one task's pieces are to have. */
export class Agreement {
  readonly #peers: Iterable<TaskPeer>
  readonly #chosen = new Map<number, Result>()
  /** pieces whose chosen result did not come: to choose again would drop own results again and again */
  readonly #settled = new Set<number>()

  constructor (peers: Iterable<TaskPeer>) {
    this.#peers = peers
  }

  /** The stored pieces of which a connected peer holds a result with a lower digest. It is chosen from now on. */
  choose (results: ResultTable, mayUse: (index: number, result: Result) => boolean = () => true): number[] {
    const pieces: number[] = []
    for (let index = 0; index < results.pieceCount; index++) {
      const own = results.own(index)
      if (own === undefined || this.#settled.has(index)) continue
      let lowest = own
      for (const { results: theirs } of this.#peers) {
        const other = theirs.holds(index) ? theirs.result(index) : undefined
        if (other !== undefined && isBelow(other.digest, lowest.digest) && mayUse(index, other)) lowest = other
      }
      if (lowest === own) continue
      this.#chosen.set(index, lowest)
      pieces.push(index)
    }
    return pieces
  }

  /** The piece may be downloaded from the peer: it has what was chosen, or nobody has that any more. */
  accepts (peer: TaskPeer, index: number): boolean {
    const chosen = this.#chosen.get(index)
    if (chosen === undefined || peer.results.holdsResult(index, chosen)) return true
    for (const { results } of this.#peers) if (results.holdsResult(index, chosen)) return false
    this.#giveUp(index)
    return true
  }

  /** The piece is stored. If this is not the chosen result, whoever announced that one did not deliver it. */
  stored (index: number, result: Result): void {
    const chosen = this.#chosen.get(index)
    if (chosen !== undefined && !sameResult(chosen, result)) this.#giveUp(index)
    this.#chosen.delete(index)
  }

  #giveUp (index: number): void {
    this.#chosen.delete(index)
    this.#settled.add(index)
  }
}

/** Compares two digests as strings of bytes. */
function isBelow (a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, i) => byte !== b[i])
  return at !== -1 && a[at]! < b[at]!
}

/**
 * Own results that somebody with a record contradicts: a machine may err, so the piece is computed once more before any
 * key is judged by them. Pure. Called by conduct.ts and verification.ts.
 */

/** Pieces that are computed once more at a time: a liar with a record could contradict all of ours at once. */
const MAX_OPEN = 2

/** The pieces that were computed once more, or are to be. */
export class Rechecks {
  readonly #open = new Set<number>()
  /** computed twice, or once when the contradiction was known: the caller makes sure then */
  readonly #sure = new Set<number>()
  /** they cannot be computed here any more */
  readonly #abandoned = new Set<number>()

  /** Some pieces are to be computed once more. */
  get isOpen (): boolean { return this.#open.size > 0 }

  /** Keys are judged by the own result of the piece; if it is to be computed once more, only then. */
  isSure (index: number): boolean { return this.#sure.has(index) }

  /** Returns whether the piece is to be computed once more from now on. */
  ask (index: number): boolean {
    if (this.#open.size >= MAX_OPEN || this.#open.has(index) || this.#abandoned.has(index)) return false
    this.#open.add(index)
    return true
  }

  /** @param isContested others attest another result of the piece */
  computed (index: number, isContested: boolean): void {
    if (this.#open.delete(index) || isContested) this.#sure.add(index)
  }

  /** The piece cannot be computed here any more. */
  abandoned (index: number): void {
    this.#abandoned.add(index)
    this.#open.delete(index)
  }

  isAbandoned (index: number): boolean { return this.#abandoned.has(index) }
}

/** Which pieces of a task with inputs have theirs, and which wait for them. Pure. Called by scheduler.ts. */
import type { Candidates } from './candidates.ts'

/** The inputs of one task's pieces. */
export class AwaitedInputs {
  /** pieces that lack only their inputs */
  readonly #waiting: Candidates
  /** stored pieces that are to be computed once more, and lack only their inputs */
  readonly #seconds: Candidates
  readonly #ready: Uint8Array

  /** @param createCandidates an empty set of pieces in the order in which they are computed */
  constructor (pieceCount: number, createCandidates: () => Candidates) {
    this.#waiting = createCandidates()
    this.#seconds = createCandidates()
    this.#ready = new Uint8Array(pieceCount)
  }

  /** The number of pieces that wait. */
  get size (): number { return this.#waiting.size + this.#seconds.size }

  isReady (index: number): boolean { return this.#ready[index] === 1 }

  /** The piece lacks only its inputs: it is missing, or to be computed by one more peer. */
  has (index: number): boolean { return this.#waiting.has(index) || this.#seconds.has(index) }

  /** The same, or it is checked here in any case. */
  isDue (index: number, isCheck: boolean): boolean { return this.has(index) || (isCheck && !this.isReady(index)) }

  /** The inputs of the piece have arrived, or are gone. Returns false if that was known. */
  setReady (index: number, isReady: boolean): boolean {
    if (this.isReady(index) === isReady) return false
    this.#ready[index] = Number(isReady)
    return true
  }

  /** Sets whether the missing piece lacks only its inputs. */
  set (index: number, isWaiting: boolean): void { this.#waiting.set(index, isWaiting) }

  /** The same for a stored piece that is to be computed once more. */
  setSecond (index: number, isWaiting: boolean): void { this.#seconds.set(index, isWaiting) }

  /** The order of the pieces has changed. */
  outdate (): void {
    this.#waiting.outdate()
    this.#seconds.outdate()
  }

  /**
   * Yields up to `count` pieces whose inputs are to be fetched next.
   * @param urgent pieces that go first, of those that wait
   * @param checks pieces that are computed whether or not they are stored
   */
  * next (count: number, now: number, urgent: ReadonlySet<number>, checks: Iterable<number>): Generator<number> {
    for (const index of urgent) {
      if (!this.#waiting.has(index) && !this.#seconds.has(index)) continue
      if (count-- <= 0) return
      yield index
    }
    for (const index of checks) {
      if (this.isReady(index) || this.#waiting.has(index)) continue
      if (count-- <= 0) return
      yield index
    }
    for (const pieces of [this.#waiting, this.#seconds]) {
      for (const index of pieces.first(count, now)) {
        if (urgent.has(index)) continue
        count--
        yield index
      }
    }
  }
}

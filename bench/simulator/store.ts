/** A store without a disk: what a peer of a simulation has in place of lib/store/. Its work items take virtual time. */
import { sameResult } from '../../lib/results/result.ts'
import type { Result } from '../../lib/results/result.ts'
import type { Generated, Generation, PieceStore } from '../../lib/store/types.ts'

/** Nothing was there before, nothing gets lost, and nobody reads. */
export class SimulatedStore implements PieceStore {
  readonly generate: PieceStore['generate']

  /** @param generate starts a work item */
  constructor (generate: PieceStore['generate']) {
    this.generate = generate
  }

  /** Calls `listener` for each piece that is lost. */
  onLost (_listener: (index: number) => void): void {}

  async open (): Promise<never[]> { return [] }

  async verifyRest (): Promise<void> {}

  async verify (): Promise<boolean> { return true }

  async finishFile (): ReturnType<PieceStore['finishFile']> { return { path: '', length: 0 } }

  computed (): undefined {}

  drop (_index: number): void {}

  get (): never { throw new Error('nobody requests blocks in a simulation') }

  async read (): Promise<never> { throw new Error('nobody reads in a simulation') }

  receive (): never { throw new Error('downloads of a simulation have no bytes') }
}

const NO_BYTES = { hashInto: async (): Promise<void> => {} }

/** Keeps in mind what is stored, so that a result can take the place of another one. */
export class CheckedStore extends SimulatedStore {
  readonly #stored = new Map<number, Result>()
  #lost: (index: number) => void = () => {}

  /** @param compute starts a work item */
  constructor (compute: (index: number) => Generation) {
    super((index, { replaces } = {}) => {
      const generation = compute(index)
      const store = async (own: Generated): Promise<Generated> => {
        const known = this.#stored.get(index)
        if (known !== undefined && !sameResult(known, own)) {
          if (await replaces?.({ ...own, draft: NO_BYTES }, known) !== true) return { ...own, ...known, discarded: own }
          this.drop(index)
        }
        this.#stored.set(index, own)
        return own
      }
      return { ...generation, done: generation.done.then(store) }
    })
  }

  override onLost (listener: (index: number) => void): void { this.#lost = listener }

  override drop (index: number): void { if (this.#stored.delete(index)) this.#lost(index) }

  /** A downloaded piece. Resolves with what is stored. */
  async commit (index: number, result: Result): Promise<Result> {
    const stored = this.#stored.get(index) ?? result
    this.#stored.set(index, stored)
    return stored
  }
}

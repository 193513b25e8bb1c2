/** A store without a disk: what a peer of a simulation has in place of lib/store/. Its work items take virtual time. */
import type { Result } from '../../lib/results/result.ts'
import type { PieceStore } from '../../lib/store/types.ts'

/** Nothing was there before, nothing gets lost, and nobody reads. */
export class SimulatedStore implements PieceStore {
  readonly generate: PieceStore['generate']

  /** @param generate starts a work item */
  constructor (generate: PieceStore['generate']) {
    this.generate = generate
  }

  async open (): Promise<never[]> { return [] }

  async verifyRest (): Promise<void> {}

  async verify (): Promise<boolean> { return true }

  async finishFile (): ReturnType<PieceStore['finishFile']> { return { path: '', length: 0 } }

  onLost (): void {}

  computed (): undefined {}

  drop (): void {}

  get (): never { throw new Error('nobody requests blocks in a simulation') }

  async read (): Promise<never> { throw new Error('nobody reads in a simulation') }

  receive (): never { throw new Error('downloads of a simulation have no bytes') }
}

/** Takes no time, since nothing is written. */
export const INSTANT = {
  commit: async (result: Result): Promise<Result> => result, hashInto: async (): Promise<void> => {}
}

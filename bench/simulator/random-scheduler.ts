/** The paper's choice of a piece (its section 4.1): any of those that are missing, whatever others are doing. */
import { IndexSet } from '../../lib/index-set.ts'
import { Scheduler } from '../../lib/scheduler.ts'
import type { Choice } from '../../lib/scheduler.ts'
import type { VirtualClock } from './clock.ts'
import type { Random } from './random.ts'

/** In the scheduler's place for the policies without communication. */
export class RandomScheduler extends Scheduler {
  readonly #free: IndexSet
  readonly #draw: Random
  readonly #held: Uint8Array

  constructor (pieceCount: number, random: Random, clock: VirtualClock) {
    super(pieceCount, random, clock.now)
    this.#draw = random
    this.#held = new Uint8Array(pieceCount)
    this.#free = new IndexSet(pieceCount)
    for (let index = 0; index < pieceCount; index++) this.#free.add(index)
  }

  override setMissing (index: number, missing: boolean): void {
    super.setMissing(index, missing)
    this.#update(index)
  }

  override setAvailable (index: number, available: boolean): void {
    super.setAvailable(index, available)
    this.#held[index] = available ? 1 : 0
    this.#update(index)
  }

  override start (index: number): void {
    super.start(index)
    this.#update(index)
  }

  override stop (index: number): void {
    super.stop(index)
    this.#update(index)
  }

  override next (): Choice | undefined {
    const index = this.#free.pick(this.#draw)
    return index === undefined ? undefined : { index, isBackup: false }
  }

  override wakeAt (): number { return Infinity }

  #update (index: number): void {
    this.#free.set(index, this.isMissing(index) && !this.isRunning(index) && this.#held[index] === 0)
  }
}

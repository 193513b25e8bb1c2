/** The paper's choice of a piece (its section 4.1): any of those that are missing, whatever others are doing. */
import { Candidates } from '../../lib/candidates.ts'
import { Scheduler } from '../../lib/scheduler.ts'
import type { Choice, SchedulerOptions } from '../../lib/scheduler.ts'

/** In the scheduler's place for the policies without communication. */
export class RandomScheduler extends Scheduler {
  readonly #options: SchedulerOptions
  readonly #free: Candidates
  readonly #held: Uint8Array

  constructor (options: SchedulerOptions) {
    super(options)
    this.#options = options
    this.#held = new Uint8Array(options.pieceCount)
    this.#free = new Candidates(options.pieceCount, { rank: () => 0, catchUp: () => true })
    for (let index = 0; index < options.pieceCount; index++) this.#free.set(index, true)
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
    const { random, now } = this.#options
    const index = this.#free.pick(random, now())
    return index === undefined ? undefined : { index, isBackup: false }
  }

  override wakeAt (): number { return Infinity }

  #update (index: number): void {
    this.#free.set(index, this.isMissing(index) && !this.isRunning(index) && this.#held[index] === 0)
  }
}

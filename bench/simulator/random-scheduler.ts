/** The paper's choice of a piece (its section 4.1): any of those that are missing, whatever others are doing. */
import { Candidates } from '../../lib/scheduling/candidates.ts'
import { Scheduler } from '../../lib/scheduling/scheduler.ts'
import type { Choice, SchedulerOptions } from '../../lib/scheduling/scheduler.ts'

/** In the scheduler's place for the policies without communication. */
export class RandomScheduler extends Scheduler {
  readonly #options: SchedulerOptions
  readonly #free: Candidates

  constructor (options: SchedulerOptions) {
    super(options)
    this.#options = options
    this.#free = new Candidates(options.pieceCount, { rank: () => 0, catchUp: () => true })
    for (let index = 0; index < options.pieceCount; index++) this.#free.set(index, true)
  }

  override update (index: number): void {
    super.update(index)
    this.#free.set(index, this.isMissing(index) && !this.isRunning(index) && !this.deliveries.isAnnounced(index))
  }

  override next (): Choice | undefined {
    const { random, now } = this.#options
    const index = this.#free.pick(random, now())
    return index === undefined ? undefined : { index, kind: 'piece' }
  }

  override wakeAt (): number { return Infinity }
}

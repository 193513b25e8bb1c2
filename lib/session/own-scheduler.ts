/** The scheduler of a work session: on this machine's clock, and told how far this process lags behind it. */
import { systemClock } from '../base/clock.ts'
import { Lag, TICK_MS } from '../scheduling/lag.ts'
import { Scheduler } from '../scheduling/scheduler.ts'

/** Of a session's scheduler, what only a session knows. */
export interface OwnSchedulerOptions {
  pieceCount: number
  /** our own, 20 bytes */
  peerId: Uint8Array
  /** a holder does not deliver: what it was asked for should be asked of others */
  overdue: () => void
}

const now = (): number => systemClock.now()

/** Has a timer, which keeps no process alive. */
export class OwnScheduler extends Scheduler {
  readonly #ticks: NodeJS.Timeout

  constructor ({ pieceCount, peerId, overdue }: OwnSchedulerOptions) {
    const lag = new Lag(now)
    super({ pieceCount, peerId: Buffer.from(peerId).toString('hex'), random: Math.random, now, lag: () => lag.ms, overdue })
    this.#ticks = setInterval(() => { lag.tick() }, TICK_MS).unref()
  }

  close (): void { clearInterval(this.#ticks) }
}

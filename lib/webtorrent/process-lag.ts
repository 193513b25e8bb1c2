/** By how much this process is late: one measure for all its tasks, kept for as long as one of them works. */
import { systemClock } from '../base/clock.ts'
import { Lag, TICK_MS } from '../scheduling/lag.ts'

let lag: Lag | null = null
let timer: NodeJS.Timeout | undefined
let watchers = 0

/** The lag from now on, until `close`. Keeps no process alive. */
export class ProcessLag {
  #isOpen = true

  constructor () {
    if (watchers++ > 0) return
    const started = lag = new Lag(() => systemClock.now())
    timer = setInterval(() => { started.tick() }, TICK_MS).unref()
  }

  /** Milliseconds. */
  get ms (): number { return lag?.ms ?? 0 }

  close (): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    if (--watchers > 0) return
    clearInterval(timer)
    lag = null
  }
}

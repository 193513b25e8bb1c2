/** Measures how late this process is: one measurement for all its tasks, while any of them is running. */
import { systemClock } from '../base/clock.ts'
import { Lag, TICK_MS } from '../scheduling/lag.ts'

let lag: Lag | null = null
let timer: NodeJS.Timeout | undefined
let watchers = 0

/** Measures the lag until `close`. Does not keep the process alive. */
export class ProcessLag {
  #isOpen = true

  constructor () {
    if (watchers++ > 0) return
    const started = lag = new Lag(() => systemClock.now())
    timer = setInterval(() => { started.tick() }, TICK_MS).unref()
  }

  /** The lag in milliseconds. */
  get ms (): number { return lag?.ms ?? 0 }

  close (): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    if (--watchers > 0) return
    clearInterval(timer)
    lag = null
  }
}

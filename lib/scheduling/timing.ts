/** The clock, the pace and the lag that all parts of a scheduler share. Pure: the clock is an argument. */
import { Lateness } from './lateness.ts'

/** Others are allowed this many times our own lag: their pieces pass through several machines, which may be as late. */
export const LAGS = 4

/** The timing of one task. */
export class Timing {
  /** milliseconds on any steady clock */
  readonly now: () => number
  /** average duration of a piece here, milliseconds; 0: unknown */
  paceMs = 0
  /** how late work usually ends */
  readonly lateness = new Lateness()
  readonly #lag: () => number

  /** @param lag returns how late everything is here, milliseconds (lag.ts) */
  constructor (now: () => number, lag: () => number) {
    this.now = now
    this.#lag = lag
  }

  /** Extra time for others, because of our own lag, milliseconds: nobody is blamed for our own slowness. */
  get allowanceMs (): number { return LAGS * this.#lag() }
}

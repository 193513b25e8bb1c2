/**
 * Time as the deciding and conducting parts see it: handed in, so that a whole swarm can run on a virtual clock.
 */

/** A steady clock and its timers. */
export interface Clock {
  /** milliseconds on any steady scale */
  now (): number
  /**
   * Calls `callback` once, `ms` milliseconds from now; the function it returns takes that back.
   * @param opts `unref`: does not keep the process alive; default false
   */
  after (ms: number, callback: () => void, opts?: { unref: boolean }): () => void
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback, opts) => {
    const timer = setTimeout(callback, ms)
    if (opts?.unref === true) timer.unref()
    return () => { clearTimeout(timer) }
  }
}

/** Time is passed to the code that decides and coordinates, so that a whole swarm can run on a virtual clock. */

/** A steady clock and its timers. */
export interface Clock {
  /** milliseconds on any steady scale */
  now (): number
  /**
   * Calls `callback` once, `ms` milliseconds from now. The returned function cancels the call.
   * @param opts `unref`: the timer does not keep the process alive; default false
   */
  after (ms: number, callback: () => void, opts?: { unref: boolean }): () => void
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback, opts) => {
    const timer = setTimeout(callback, ms)
    if (opts?.unref === true) timer.unref()
    return () => { clearTimeout(timer) }
  }
}

/**
 * Time as the deciding and conducting parts see it: handed in, so that a whole swarm can run on a virtual clock.
 */

/** A steady clock and its timers. */
export interface Clock {
  /** milliseconds on any steady scale */
  now (): number
  /** Calls `callback` once, `ms` milliseconds from now; the function it returns takes that back. */
  after (ms: number, callback: () => void): () => void
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    return () => { clearTimeout(timer) }
  }
}

/** Long loops that let others have their turn. */
import { BitWorkerError } from '../../base/errors.ts'

/** For how long a loop over many small pieces may keep the event loop to itself. */
const SLICE_MS = 5

/** Throws BW_ERR_ABORTED when the signal says so. */
export function checkAborted (signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new BitWorkerError('BW_ERR_ABORTED', 'usage', 'Stopped before it was done. The next start does it.')
  }
}

/** Lets the event loop turn between the steps of a long loop. */
export class Pacer {
  readonly #signal: AbortSignal | undefined
  #since = performance.now()

  constructor (signal?: AbortSignal) {
    this.#signal = signal
  }

  /** Resolves at once, or after a turn when the last one was a few milliseconds ago. Rejects with BW_ERR_ABORTED. */
  async step (): Promise<void> {
    checkAborted(this.#signal)
    if (performance.now() - this.#since < SLICE_MS) return
    await new Promise<void>(resolve => { setImmediate(resolve) })
    this.#since = performance.now()
  }
}

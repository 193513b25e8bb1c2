/** Lets other code run during long loops. */
import { BitWorkerError } from '../../base/errors.ts'

/** How long a loop over many small pieces may block the event loop. */
const SLICE_MS = 5

/** Throws BW_ERR_ABORTED if the signal is aborted. */
export function checkAborted (signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new BitWorkerError('BW_ERR_ABORTED', 'usage', 'Stopped before it was done. The next start does it.')
  }
}

/** Yields to the event loop between the steps of a long loop. */
export class Pacer {
  readonly #signal: AbortSignal | undefined
  #since = performance.now()

  constructor (signal?: AbortSignal) {
    this.#signal = signal
  }

  /**
   * Resolves at once, or after a turn of the event loop if the last one was a few milliseconds ago. Rejects with
   * BW_ERR_ABORTED.
   */
  async step (): Promise<void> {
    checkAborted(this.#signal)
    if (performance.now() - this.#since < SLICE_MS) return
    await new Promise<void>(resolve => { setImmediate(resolve) })
    this.#since = performance.now()
  }
}

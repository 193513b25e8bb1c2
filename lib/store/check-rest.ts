/** The background check of what was stored before the store was opened. Called by ComputeStore. */
import { setTimeout } from 'node:timers/promises'

/** The check works for this long, and then leaves disk and processor to others for a multiple of that. */
const SLICE_MS = 5
const PAUSES = 4

/** Checks the pieces one after the other, until the signal. An error is left to the code that needs the piece. */
export async function checkRest (
  pieces: Iterable<number>, check: (index: number) => Promise<unknown>, signal: AbortSignal
): Promise<void> {
  let since = performance.now()
  for (const index of pieces) {
    if (signal.aborted) return
    await check(index).catch(() => {})
    const elapsed = performance.now() - since
    if (elapsed < SLICE_MS) continue
    await setTimeout(elapsed * PAUSES, undefined, { signal, ref: false }).catch(() => {})
    since = performance.now()
  }
}

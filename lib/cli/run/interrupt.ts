/** Handles Ctrl-C and similar signals. The first one stops cleanly, the second one at once. */
import { EXIT } from '../output/failure.ts'

const SIGNALS: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

// Ctrl-C ends the process within a second, even if something is slow to close.
const PATIENCE_MS = 950

/**
 * Calls `stop` at the first signal. Ends the process at the second, or if it has not ended a second later (unless it
 * `takesTime`). Returns a function that removes the handlers.
 */
export function onInterrupt (stop: () => void, { takesTime = false } = {}): () => void {
  let count = 0
  const listener = (): void => {
    count++
    // Running commands do not outlive us: the executor's watchdog kills them.
    if (count > 1) process.exit(EXIT.interrupted)
    if (!takesTime) setTimeout(() => process.exit(EXIT.interrupted), PATIENCE_MS).unref()
    stop()
  }
  for (const signal of SIGNALS) process.on(signal, listener)
  return () => { for (const signal of SIGNALS) process.off(signal, listener) }
}

/**
 * Resolves when `work` has settled, or after `ms`, whichever is first: a tracker that does not answer must not delay
 * us.
 */
export async function withDeadline (work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>(resolve => { timer = setTimeout(resolve, ms) })
  await Promise.race([work.catch(() => {}), deadline])
  clearTimeout(timer)
}

/** Rejects with the signal's reason when it is aborted. Never resolves. */
export async function aborted (signal: AbortSignal): Promise<never> {
  if (!signal.aborted)
    await new Promise<void>(resolve => {
      signal.addEventListener(
        'abort',
        () => {
          resolve()
        },
        { once: true }
      )
    })
  throw signal.reason
}

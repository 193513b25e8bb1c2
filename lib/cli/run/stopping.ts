/** Ctrl-Z: work items have sessions of their own, so the terminal does not stop them with us. */
import process from 'node:process'

/** Time to suspend what runs, also what is just being forked (executor/process/sessions.ts), and to tell the peers. */
const SETTLE_MS = 150

/**
 * At SIGTSTP, calls `stopping`, then stops this process a moment later; after SIGCONT, calls `continued`. Returns a
 * function that removes the handlers.
 */
export function onStop ({ stopping, continued }: { stopping: () => void, continued: () => void }): () => void {
  let timer: NodeJS.Timeout | undefined
  const onTerminalStop = (): void => {
    if (timer !== undefined) return
    stopping()
    timer = setTimeout(() => {
      timer = undefined
      process.kill(process.pid, 'SIGSTOP')
    }, SETTLE_MS)
  }
  const onContinue = (): void => {
    clearTimeout(timer)
    timer = undefined
    continued()
  }
  process.on('SIGTSTP', onTerminalStop)
  process.on('SIGCONT', onContinue)
  return () => {
    clearTimeout(timer)
    process.off('SIGTSTP', onTerminalStop)
    process.off('SIGCONT', onContinue)
  }
}

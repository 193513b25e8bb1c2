/** The one question: may this command run here? */
import { EXIT, ExitError } from './failure.ts'

/** Whether a person sits at both ends: somebody reads the question and somebody can answer it. */
function isInteractive (): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** Throws BW_ERR_CONSENT (exit 2) where the question would have to be asked but nobody can answer. */
export function demandTerminal (): void {
  if (isInteractive()) return
  throw new ExitError(EXIT.refused, 'BW_ERR_CONSENT',
    'this task runs a command on your machine and there is no terminal to ask you on; pass --yes to run it without asking, or --no-compute to download only')
}

/**
 * Asks on stderr, default No.
 * Throws BW_ERR_REFUSED (exit 2) for a No, BW_ERR_INTERRUPTED (exit 130) for Ctrl-C.
 * An aborted `signal` takes the question back: then the answer no longer matters and is false.
 */
export async function askConsent (signal: AbortSignal): Promise<boolean> {
  demandTerminal()
  const { confirm, isCancel } = await import('@clack/prompts')
  const answer = await confirm({
    message: 'Run this command on your machine?',
    initialValue: false,
    output: process.stderr,
    signal
  })
  if (signal.aborted) return false
  if (isCancel(answer)) throw new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'interrupted')
  if (answer) return true
  throw new ExitError(EXIT.refused, 'BW_ERR_REFUSED', 'refused: nothing was run; pass --no-compute to only download what others computed')
}

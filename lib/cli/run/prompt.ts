/** Prompts at the terminal. The important one: may this command run here? */
import { EXIT, ExitError } from '../output/failure.ts'

/** Whether a user can read the prompt and answer it. */
export function isInteractive (): boolean {
  return process.stdin.isTTY && process.stderr.isTTY
}

/** Throws BW_ERR_CONSENT (exit 2) if a prompt is needed and there is no terminal. */
export function demandTerminal (
  instead = 'Pass --yes to run it without asking, or --no-compute to download only.'
): void {
  if (isInteractive()) return
  throw new ExitError(
    EXIT.refused,
    'BW_ERR_CONSENT',
    `This task runs a command on your machine, and there is no terminal to ask for your consent. ${instead}`
  )
}

/** Aborted by Ctrl-D, at which readline stops without notice. */
function endOfInput (): { signal: AbortSignal, release: () => void } {
  const controller = new AbortController()
  const listener = (_text: string | undefined, key: { ctrl?: boolean, name?: string }): void => {
    if (key.ctrl === true && key.name === 'd') controller.abort()
  }
  process.stdin.on('keypress', listener)
  return { signal: controller.signal, release: () => { process.stdin.off('keypress', listener) } }
}

/**
 * Asks on stderr. Resolves with the answer; with null at Ctrl-D, or when an aborted `signal` withdraws the prompt.
 * Throws BW_ERR_INTERRUPTED (exit 130) for Ctrl-C.
 */
export async function ask (message: string, initialValue: boolean, signal: AbortSignal): Promise<boolean | null> {
  const { confirm, isCancel } = await import('@clack/prompts')
  const end = endOfInput()
  const answer = await confirm({
    message,
    initialValue,
    output: process.stderr,
    signal: AbortSignal.any([signal, end.signal])
  }).finally(end.release)
  if (signal.aborted || end.signal.aborted) return null
  if (isCancel(answer)) throw new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'Interrupted.')
  return answer
}

/**
 * Asks for consent to the commands of this many tasks, default No; false when `signal` withdraws the prompt. Throws
 * BW_ERR_REFUSED (exit 2) for No or Ctrl-D, BW_ERR_INTERRUPTED (exit 130) for Ctrl-C.
 */
export async function askConsent (
  signal: AbortSignal,
  { refused = 'You declined, so nothing was run. Pass --no-compute to download only what others compute.', tasks = 1 } = {}
): Promise<boolean> {
  demandTerminal()
  const question = tasks === 1 ? 'Run this command on your machine?' : `Run the commands of these ${tasks} tasks on your machine?`
  const answer = await ask(question, false, signal)
  if (signal.aborted) return false
  if (answer === true) return true
  throw new ExitError(EXIT.refused, 'BW_ERR_REFUSED', refused)
}

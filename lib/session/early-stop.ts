/**
 * Decides whether to stop after nothing but failures: if a program is missing or the command is wrong, the last piece
 * of a thousand fails like the first. Pure.
 */
import type { CommandError } from '../base/errors.ts'
import type { HopelessEvent } from './events.ts'

/**
 * This many of the first pieces must fail in the same way; or as many as there are slots, since these start before
 * anything is known.
 */
const MIN_PIECES = 3
/** This many times as many if others have results, which show that the command can work. */
const DOUBTS = 3

/** Watches the first work items of one task. */
export class EarlyStop {
  readonly #limit: number
  readonly #pieces = new Set<number>()
  #reason: string | null = null
  #isOver = false

  constructor (slots: number) {
    this.#limit = Math.max(MIN_PIECES, slots)
  }

  /** A work item ended with a result: failures are now the fault of single pieces. */
  succeeded (): void {
    this.#isOver = true
  }

  /**
   * A work item failed. Returns the event to report if that was one too many; once.
   * @param elsewhere whether anyone has a result of any piece
   */
  failed (
    index: number, { code, exitCode, signal, stderr, message }: CommandError, elsewhere: () => boolean
  ): HopelessEvent | null {
    if (this.#isOver) return null
    const reason = `${code} ${exitCode} ${signal}`
    this.#reason ??= reason
    // it failed in another way
    if (reason !== this.#reason) this.#isOver = true
    this.#pieces.add(index)
    if (this.#isOver || this.#pieces.size < this.#limit) return null
    const hasWorked = elsewhere()
    if (hasWorked && this.#pieces.size < DOUBTS * this.#limit) return null
    this.#isOver = true
    const pieces = [...this.#pieces].sort((a, b) => a - b)
    const others = hasWorked ? 'Other peers have results, so something is missing on this machine. ' : ''
    return {
      code: 'BW_ERR_HOPELESS',
      message: `The first ${pieces.length} pieces all failed in the same way, so no more are computed here. ${others}${message}`,
      pieces,
      exitCode,
      signal,
      stderr
    }
  }
}

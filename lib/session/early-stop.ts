/**
 * Whether it is worth going on when nothing but failures comes: a program that is missing, or a command that is wrong,
 * fails the last piece of a thousand as it fails the first. Pure.
 */
import type { CommandError } from '../base/errors.ts'
import type { HopelessEvent } from './events.ts'

/**
 * So many of the first pieces must fail alike, or as many as there are slots: those began before anything was known.
 */
const MIN_PIECES = 3
/** So many times as many where others have results: they show that the command can work. */
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

  /** An item ended with a result: from now on failures are the pieces' own. */
  succeeded (): void {
    this.#isOver = true
  }

  /**
   * An item failed. When that was one too many, what to tell; once.
   * @param elsewhere whether somebody has a result of any piece
   */
  failed (
    index: number, { code, exitCode, signal, stderr, message }: CommandError, elsewhere: () => boolean
  ): HopelessEvent | null {
    if (this.#isOver) return null
    const reason = `${code} ${exitCode} ${signal}`
    this.#reason ??= reason
    // not alike
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

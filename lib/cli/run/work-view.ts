/** What a torrent is busy with, from its events: what a number of pieces does not tell. Pure: times are handed in. */
import { formatDuration } from '../output/format.ts'

/** A work item that has run for longer than this, and for so many times what is usual, is named. */
const HANG_MS = 30_000
const HANG_TIMES = 5
/** The same where no item has ended yet. */
const HANG_UNKNOWN_MS = 5 * 60_000
/** What is usual is the median of so many of the latest items. */
const USUAL_ITEMS = 31

/** The work of one torrent. */
export class WorkView {
  readonly #running = new Map<number, number>()
  #durations: number[] = []
  #completing: { file: number, files: number, since: number } | null = null
  #state: string | null = null

  begun (piece: number, now: number): void {
    this.#running.set(piece, now)
    this.#state = null
  }

  /** @param ms what its command took, if it ended with a result */
  ended (piece: number, ms?: number): void {
    this.#running.delete(piece)
    if (ms !== undefined) this.#durations = [...this.#durations, ms].slice(-USUAL_ITEMS)
  }

  /** The complete command of a file, of so many, has begun. */
  completing (file: number, files: number, now: number): void { this.#completing = { file, files, since: now } }

  /** A file is finished, or its complete command failed. */
  completed (): void { this.#completing = null }

  /** Nothing goes on, and why; until the next work item begins, or null. */
  set state (state: string | null) { this.#state = state }

  /** In place of the time left, which nobody knows meanwhile; null: as usual. */
  stateAt (now: number): string | null {
    if (this.#completing === null) return this.#state
    const { file, files, since } = this.#completing
    return `complete command${files === 1 ? '' : ` ${file + 1} of ${files}`} has run for ${formatDuration(now - since)}`
  }

  /** The item that takes far longer than is usual, if there is one. */
  remarkAt (now: number): string | null {
    // in the order in which they began
    const [[piece, since] = [-1, Infinity]] = this.#running
    const elapsed = now - since
    const usual = this.#durations.toSorted((a, b) => a - b)[this.#durations.length >> 1]
    if (piece === -1 || elapsed < (usual === undefined ? HANG_UNKNOWN_MS : Math.max(HANG_MS, HANG_TIMES * usual))) {
      return null
    }
    return `piece ${piece} has run for ${formatDuration(elapsed)} (${usual === undefined ? 'none has ended yet' : `usual: ${formatDuration(usual)}`})`
  }
}

/** What a torrent is doing, by its events, beyond the number of pieces. Pure: times are arguments. */
import { formatDuration } from '../output/format.ts'
import { WrongResults } from './wrong-results.ts'

/** A work item that has run for longer than this, and for a multiple of the usual time, is named. */
const HANG_MS = 30_000
const HANG_TIMES = 5
/** The same while no item has ended yet. */
const HANG_UNKNOWN_MS = 5 * 60_000
/** The usual time is the median of this many recent items. */
const USUAL_ITEMS = 31

/** The work of one torrent. */
export class WorkView {
  /** results of others that were found wrong */
  readonly wrong = new WrongResults()
  readonly #running = new Map<number, number>()
  #durations: number[] = []
  #completing: { file: number, files: number, since: number } | null = null
  #state: string | null = null
  /** why nothing starts at the moment; null: nothing holds it */
  held: string | null = null

  begun (piece: number, now: number): void {
    this.#running.set(piece, now)
    this.#state = null
  }

  /** @param ms duration of its command, if it ended with a result */
  ended (piece: number, ms?: number): void {
    this.#running.delete(piece)
    if (ms !== undefined) this.#durations = [...this.#durations, ms].slice(-USUAL_ITEMS)
  }

  /** The complete command of a file has started; `files` is the number of files. */
  completing (file: number, files: number, now: number): void { this.#completing = { file, files, since: now } }

  /** A file is finished, or its complete command failed. */
  completed (): void { this.#completing = null }

  /** A complete command runs. */
  get isCompleting (): boolean { return this.#completing !== null }

  /** Sets why nothing continues; until the next work item starts, or null. */
  set state (state: string | null) { this.#state = state }

  /** What to show instead of the time left, which is unknown in this state; null: the time left. */
  stateAt (now: number): string | null {
    if (this.#completing === null) return this.#state
    const { file, files, since } = this.#completing
    return `complete command${files === 1 ? '' : ` ${file + 1} of ${files}`} has run for ${formatDuration(now - since)}`
  }

  /** The item that takes far longer than usual, if there is one. */
  remarkAt (now: number): string | null {
    // in the order of their start
    const [[piece, since] = [-1, Infinity]] = this.#running
    const elapsed = now - since
    const usual = this.#durations.toSorted((a, b) => a - b)[this.#durations.length >> 1]
    if (piece === -1 || elapsed < (usual === undefined ? HANG_UNKNOWN_MS : Math.max(HANG_MS, HANG_TIMES * usual))) {
      return null
    }
    return `piece ${piece} has run for ${formatDuration(elapsed)} (${usual === undefined ? 'none has ended yet' : `usual: ${formatDuration(usual)}`})`
  }
}

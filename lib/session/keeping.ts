/**
 * When what is known of other peers is written to the disk: some time after it has changed; soon, but not too often, if
 * forgetting it would do harm. Pure: the clock is handed in. Owned by believing.ts.
 */
import type { Clock } from '../base/clock.ts'

/** Until a change is kept. */
const KEEP_MS = 5_000
/** Between two states that are kept, if the change must not be forgotten: anybody can make keys to be excluded. */
const URGENT_MS = 1_000

/** The state of one verification, as it is kept. */
export class Keeping {
  readonly #clock: Clock
  readonly #keep: () => void
  #keptAt = -Infinity
  #dueAt = Infinity
  #cancel: (() => void) | null = null

  constructor (clock: Clock, keep: () => void) {
    this.#clock = clock
    this.#keep = keep
  }

  /** Something is to be kept. `isUrgent`: a kill must not undo it. */
  changed (isUrgent = false): void {
    const now = this.#clock.now()
    const dueAt = isUrgent ? Math.max(now, this.#keptAt + URGENT_MS) : now + KEEP_MS
    if (dueAt >= this.#dueAt) return
    this.#cancel?.()
    this.#dueAt = dueAt
    this.#cancel = this.#clock.after(dueAt - now, () => { this.close() }, { unref: true })
  }

  /** Keeps at once what is not kept yet. */
  close (): void {
    if (this.#cancel === null) return
    this.#cancel()
    this.#cancel = null
    this.#dueAt = Infinity
    this.#keptAt = this.#clock.now()
    this.#keep()
  }
}

/** When the state of a verification is kept: soon after a change, and at the end. Owned by believing.ts. */
import type { Clock } from '../base/clock.ts'

/** Time between two states that are kept. */
const KEEP_MS = 5_000

/** Keeps what changes. */
export class Keeping {
  readonly #clock: Clock
  readonly #keep: () => void
  #cancel: (() => void) | null = null

  constructor (clock: Clock, keep: () => void) {
    this.#clock = clock
    this.#keep = keep
  }

  changed (): void {
    this.#cancel ??= this.#clock.after(KEEP_MS, () => {
      this.#cancel = null
      this.#keep()
    }, { unref: true })
  }

  close (): void {
    if (this.#cancel === null) return
    this.#cancel()
    this.#cancel = null
    this.#keep()
  }
}

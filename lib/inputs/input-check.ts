/**
 * Checks a task's whole inputs once, before any command reads them: a task may need a command to succeed that is one of
 * its own programs. Used by supply.ts.
 */
import { isInputGone } from '../base/errors.ts'
import type { Given } from '../store/types.ts'

/** Resolves if the commands may run with these inputs; rejects if they never may, which its caller knows. */
export type CheckInputs = (inputs: Given) => Promise<void>

/** One check. */
export class InputCheck {
  #check: CheckInputs | null
  #isRunning = false

  /** @param check null: nothing is to be checked */
  constructor (check: CheckInputs | null) {
    this.#check = check
  }

  get hasPassed (): boolean { return this.#check === null }

  /** Begins, unless it has begun. `ended` is called when it has passed, or is to be tried again. */
  begin (inputs: () => Promise<Given>, ended: () => void): void {
    const check = this.#check
    if (check === null || this.#isRunning) return
    this.#isRunning = true
    inputs().then(check).then(() => {
      this.#check = null
      ended()
    }, (err: unknown) => {
      // what was stored is gone; after any other error nothing runs
      if (!isInputGone(err)) return
      this.#isRunning = false
      ended()
    })
  }
}

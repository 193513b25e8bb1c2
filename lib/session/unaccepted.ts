/** Stored pieces whose result is not accepted, and their number in each file. Pure. Owned by held-results.ts. */
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'

/** The pieces of one task. */
export class Unaccepted {
  readonly #task: Task
  readonly #pieces = new Set<number>()
  readonly #counts: Uint32Array

  constructor (task: Task) {
    this.#task = task
    this.#counts = new Uint32Array(task.files.length)
  }

  get size (): number { return this.#pieces.size }

  has (index: number): boolean { return this.#pieces.has(index) }

  /** The number of pieces of the file. */
  countIn (file: number): number { return this.#counts[file]! }

  /** Returns whether that is new. */
  set (index: number, isUnaccepted: boolean): boolean {
    if (this.#pieces.has(index) === isUnaccepted) return false
    if (isUnaccepted) this.#pieces.add(index)
    else this.#pieces.delete(index)
    this.#counts[locate(this.#task, index).file]! += isUnaccepted ? 1 : -1
    return true
  }
}

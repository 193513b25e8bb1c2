/**
 * Which pieces are stored, and where: each in its part file, or in the finished file that it was merged into.
 * Memory only; the journal on disk says the same.
 */
import type { Result } from './results.ts'
import type { StoreLayout } from './store-layout.ts'
import { locate } from './task.ts'
import type { Task } from './task.ts'

/** Where a piece's bytes are. */
export interface Place { path: string, position: number, result: Result }

/** What is on disk and intact. */
export class PieceTable {
  readonly results = new Map<number, Result>()
  /** finished file → its length in bytes */
  readonly finished = new Map<number, number>()
  /** files that bitworker wrote, finished or damaged: file → its length in bytes */
  readonly ours = new Map<number, number>()
  readonly #task: Task
  readonly #layout: StoreLayout
  /** where a merged piece begins in its finished file */
  readonly #offsets = new Map<number, number>()

  constructor (task: Task, layout: StoreLayout) {
    this.#task = task
    this.#layout = layout
  }

  /** null if the piece is not stored */
  where (index: number): Place | null {
    const result = this.results.get(index)
    if (result === undefined) return null
    const position = this.#offsets.get(index)
    if (position === undefined) return { path: this.#layout.part(index), position: 0, result }
    return { path: this.#layout.final(this.#task.files[locate(this.#task, index).file]!), position, result }
  }

  isMerged (index: number): boolean { return this.#offsets.has(index) }

  /** The piece is in its part file. */
  setPart (index: number, result: Result): void {
    this.#leaveFile(index)
    this.results.set(index, result)
  }

  /** A stored piece begins at `offset` of its finished file from now on. */
  moveToFile (index: number, offset: number): void { this.#offsets.set(index, offset) }

  /** The piece is not there any more; returns whether it was in a finished file. */
  delete (index: number): boolean {
    this.results.delete(index)
    return this.#leaveFile(index)
  }

  setFinished (file: number, length: number): void {
    this.finished.set(file, length)
    this.ours.set(file, length)
  }

  /** Without it, the finished file is not what its pieces are. (What a complete command made stays finished.) */
  #leaveFile (index: number): boolean {
    const wasMerged = this.#offsets.delete(index)
    if (wasMerged) this.finished.delete(locate(this.#task, index).file)
    return wasMerged
  }
}

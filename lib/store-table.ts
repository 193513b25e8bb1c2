/**
 * Which pieces are stored, and where: each in its part file, in the draft of its file, or in the finished file.
 * Memory only; the journal on disk says the same.
 */
import type { Result } from './results.ts'
import type { StoreLayout } from './store-layout.ts'
import { locate } from './task.ts'
import type { Task } from './task.ts'

/** Where a piece's bytes are. */
export interface Place { path: string, position: number, result: Result }

/** Stands in the table of positions for a piece that has a part file. */
const IN_PART = -1

/** What is on disk. */
export class PieceTable {
  readonly results = new Map<number, Result>()
  /** finished file → its length in bytes */
  readonly finished = new Map<number, number>()
  /** files that bitworker wrote, finished or damaged: file → its length in bytes */
  readonly ours = new Map<number, number>()
  /** file that a complete command made → SHA-256 of it */
  readonly digests = new Map<number, Uint8Array>()
  /** files whose pieces without a part are in their draft, not under their final name */
  readonly drafts = new Set<number>()
  /** finished files that were looked at since the start: until then only their length is known to be right */
  readonly checkedFiles = new Set<number>()
  readonly #task: Task
  readonly #layout: StoreLayout
  /** where in its file a piece begins */
  readonly #positions: Float64Array
  /** 1: the bytes were seen to match the digest since the start */
  readonly #checked: Uint8Array

  constructor (task: Task, layout: StoreLayout) {
    this.#task = task
    this.#layout = layout
    this.#positions = new Float64Array(task.pieceCount).fill(IN_PART)
    this.#checked = new Uint8Array(task.pieceCount)
  }

  /** null if the piece is not stored */
  where (index: number): Place | null {
    const result = this.results.get(index)
    if (result === undefined) return null
    const position = this.#positions[index]!
    if (position === IN_PART) return { path: this.#layout.part(index), position: 0, result }
    const { file } = locate(this.#task, index)
    return { path: this.drafts.has(file) ? this.#layout.draft(file) : this.#layout.final(this.#task.files[file]!), position, result }
  }

  /** It is in the finished file, or in what will be it. */
  isMerged (index: number): boolean { return this.#positions[index] !== IN_PART }

  /** Where it begins in its file; −1 if it has a part. */
  position (index: number): number { return this.#positions[index]! }

  isChecked (index: number): boolean { return this.#checked[index] === 1 }

  setChecked (index: number): void { this.#checked[index] = 1 }

  /** The piece is in its part file. */
  setPart (index: number, result: Result): void {
    this.#leaveFile(index)
    this.#checked[index] = 0
    this.results.set(index, result)
  }

  /** A stored piece begins at `position` of its finished file, or of its draft, from now on. */
  moveToFile (index: number, position: number): void { this.#positions[index] = position }

  /** The piece is not there any more; returns whether it was in a file with others. */
  delete (index: number): boolean {
    this.results.delete(index)
    return this.#leaveFile(index)
  }

  setFinished (file: number, length: number): void {
    this.drafts.delete(file)
    this.finished.set(file, length)
    this.ours.set(file, length)
  }

  /** Without it, the finished file is not what its pieces are. (What a complete command made stays finished.) */
  #leaveFile (index: number): boolean {
    const wasMerged = this.isMerged(index)
    this.#positions[index] = IN_PART
    if (wasMerged) this.finished.delete(locate(this.#task, index).file)
    return wasMerged
  }
}

/**
 * Which pieces are stored, and where: each in its part file, in the draft of its file, or in the finished file.
 * Memory only; the journal on disk says the same.
 */
import { PackedResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import type { StoreLayout } from './files/layout.ts'

/** Where a piece's bytes are. */
export interface Place { path: string, position: number, result: Result }

/** Stands in the table of positions for a piece that has a part file. */
const IN_PART = -1
/** Stand in the table of checked pieces. */
const UNCHECKED = NaN
const UNCHANGING = Infinity

/** What is on disk. */
export class PieceTable {
  readonly results: PackedResults
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
  /** file → how often one of its pieces was stored or lost */
  readonly #changes: Uint32Array
  readonly #task: Task
  readonly #layout: StoreLayout
  /** where in its file a piece begins */
  readonly #positions: Float64Array
  /** of the bytes that were seen to match the digest since the start: when their file was last changed, see setChecked */
  readonly #checked: Float64Array

  constructor (task: Task, layout: StoreLayout) {
    this.#task = task
    this.#layout = layout
    this.results = new PackedResults(task.pieceCount)
    this.#positions = new Float64Array(task.pieceCount).fill(IN_PART)
    this.#checked = new Float64Array(task.pieceCount).fill(UNCHECKED)
    this.#changes = new Uint32Array(task.files.length)
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

  /** A number that changes whenever a piece of the file is stored or lost. */
  changes (file: number): number { return this.#changes[file]! }

  /** Its bytes were compared with the digest since the start, and its file was not changed since; `mtimeMs` is the file's. */
  isChecked (index: number, mtimeMs: number): boolean {
    const at = this.#checked[index]!
    return at === UNCHANGING || at === mtimeMs
  }

  /** As isChecked, where nobody but us changes the file. */
  isSurelyChecked (index: number): boolean { return this.#checked[index] === UNCHANGING }

  /** The bytes match, as of that change of their file. A draft is changed by us, and out of reach of others. */
  setChecked (index: number, mtimeMs: number): void {
    this.#checked[index] = this.isMerged(index) && this.drafts.has(locate(this.#task, index).file) ? UNCHANGING : mtimeMs
  }

  /** The piece is in its part file. */
  setPart (index: number, result: Result): void {
    this.#leaveFile(index)
    this.#checked[index] = UNCHECKED
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
    const { file } = locate(this.#task, index)
    this.#changes[file]!++
    const wasMerged = this.isMerged(index)
    this.#positions[index] = IN_PART
    if (wasMerged) this.finished.delete(file)
    return wasMerged
  }
}

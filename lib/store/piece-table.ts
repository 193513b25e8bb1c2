/**
 * Which pieces are stored, and where: each in its part file, in the draft of its file, or in the finished file. In
 * memory only; the journal on disk says the same.
 */
import { equalBytes } from '../base/digest.ts'
import { PackedResults } from '../results/packed-results.ts'
import type { ReadonlyResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { isConcatenation } from '../task/unsupported.ts'
import type { StoreLayout } from './files/layout.ts'
import type { FileMark } from './files/marks.ts'

/** The location of a piece's bytes. */
export interface Place { path: string, position: number, result: Result }

/** In the table of positions: the piece has a part file. */
const IN_PART = -1
/** In the table of checked pieces: not checked. */
const UNCHECKED = NaN
const UNCHANGING = Infinity

/** Read-only access to the table. */
export interface StoredPieces {
  /** of the stored pieces */
  readonly results: ReadonlyResults
  /** finished file → its length in bytes */
  readonly finished: ReadonlyMap<number, number>
  /** null if the piece is not stored */
  where (index: number): Place | null
  /** True if the piece is in the finished file, or in the draft of it. */
  isMerged (index: number): boolean
  /** Its position in its file; −1 if it has a part. */
  position (index: number): number
  /** A number that changes whenever a piece of the file is stored or lost. */
  changes (file: number): number
  /** The file's pieces without a part are in its draft, not under its final name. */
  isDraft (file: number): boolean
  /** Length in bytes of a file that BitWorker wrote, finished or damaged; undefined if it wrote none. */
  ownLength (file: number): number | undefined
  /** SHA-256 of a finished file as recorded; needed for files made by a complete command. */
  digestOf (file: number): Uint8Array | undefined
  /**
   * The finished file as it was when it was checked; undefined: it was not checked since the start, and only its length
   * is known to be right.
   */
  checkedMark (file: number): FileMark | undefined
  /**
   * Its bytes were compared with the digest since the start, and its file has not changed since; `mtimeMs` is the
   * file's.
   */
  isChecked (index: number, mtimeMs: number): boolean
  /** Like isChecked, for files that only we can change. */
  isSurelyChecked (index: number): boolean
  /** the stored result was found right by the verify command, or was computed here */
  isVerified (index: number): boolean
  /** the first result that was computed here and recorded as such, whether or not it is stored */
  computed (index: number): Result | undefined
}

/** Access for the reader, which alone learns what is intact. */
export type ReadPieces = StoredPieces & Pick<PieceTable, 'setChecked'>

/**
 * The table of stored pieces. restore.ts fills it; afterwards only TaskFolder changes it, and shows others
 * `StoredPieces`; the reader marks pieces as checked.
 */
export class PieceTable implements StoredPieces {
  readonly #task: Task
  readonly #layout: StoreLayout
  readonly #results: PackedResults
  /** 1: the stored result is known to be right; null: none is */
  #verified: Uint8Array | null = null
  /** null: none */
  #computed: PackedResults | null = null
  /** the last result of pieces that are not stored, in a task whose files are not its joined parts */
  #gone: PackedResults | null = null
  readonly #finished = new Map<number, number>()
  readonly #ownLengths = new Map<number, number>()
  readonly #digests = new Map<number, Uint8Array>()
  readonly #drafts = new Set<number>()
  readonly #checkedFiles = new Map<number, FileMark>()
  /** file → how often one of its pieces was stored or lost */
  readonly #changes: Uint32Array
  /** position of each piece in its file */
  readonly #positions: Float64Array
  /**
   * for pieces that were compared with the digest since the start: the modification time of their file, see setChecked
   */
  readonly #checked: Float64Array

  constructor (task: Task, layout: StoreLayout) {
    this.#task = task
    this.#layout = layout
    this.#results = new PackedResults(task.pieceCount)
    this.#positions = new Float64Array(task.pieceCount).fill(IN_PART)
    this.#checked = new Float64Array(task.pieceCount).fill(UNCHECKED)
    this.#changes = new Uint32Array(task.files.length)
  }

  get results (): ReadonlyResults { return this.#results }

  get finished (): ReadonlyMap<number, number> { return this.#finished }

  where (index: number): Place | null {
    const result = this.#results.get(index)
    if (result === undefined) return null
    const position = this.#positions[index]!
    if (position === IN_PART) return { path: this.#layout.part(index), position: 0, result }
    const { file } = locate(this.#task, index)
    return {
      path: this.#drafts.has(file) ? this.#layout.draft(file) : this.#layout.final(this.#task.files[file]!),
      position,
      result
    }
  }

  isMerged (index: number): boolean { return this.#positions[index] !== IN_PART }

  position (index: number): number { return this.#positions[index]! }

  changes (file: number): number { return this.#changes[file]! }

  isDraft (file: number): boolean { return this.#drafts.has(file) }

  ownLength (file: number): number | undefined { return this.#ownLengths.get(file) }

  digestOf (file: number): Uint8Array | undefined { return this.#digests.get(file) }

  checkedMark (file: number): FileMark | undefined { return this.#checkedFiles.get(file) }

  isChecked (index: number, mtimeMs: number): boolean {
    const at = this.#checked[index]!
    return at === UNCHANGING || at === mtimeMs
  }

  isSurelyChecked (index: number): boolean { return this.#checked[index] === UNCHANGING }

  isVerified (index: number): boolean { return this.#verified?.[index] === 1 }

  computed (index: number): Result | undefined { return this.#computed?.get(index) }

  // PIECES

  /** The stored result is right. */
  setVerified (index: number): void {
    this.#verified ??= new Uint8Array(this.#task.pieceCount)
    this.#verified[index] = 1
  }

  /** A work item here gave this result. Only the first one of a piece counts. */
  setComputed (index: number, result: Result): void {
    this.#computed ??= new PackedResults(this.#task.pieceCount)
    if (!this.#computed.has(index)) this.#computed.set(index, result)
  }

  /**
   * The piece is stored in its part file. A file that a complete command made of another result of it has to be made
   * again.
   */
  setPart (index: number, result: Result): void {
    this.#leaveFile(index)
    const known = this.#results.get(index) ?? this.#gone?.get(index)
    if (known !== undefined && !equalBytes(known.digest, result.digest)) this.reopen(locate(this.#task, index).file)
    this.#gone?.delete(index)
    if (this.#verified !== null) this.#verified[index] = 0
    this.#checked[index] = UNCHECKED
    this.#results.set(index, result)
  }

  /** The piece is stored in its file, or in the file's draft, and begins at `position`. */
  setMerged (index: number, result: Result, position: number): void {
    this.setPart(index, result)
    this.moveToFile(index, position)
  }

  /** A stored piece now begins at `position` of its finished file, or of its draft. */
  moveToFile (index: number, position: number): void { this.#positions[index] = position }

  /**
   * The bytes match, with this modification time of the file. A draft is changed only by us, and is out of reach of
   * others.
   */
  setChecked (index: number, mtimeMs: number): void {
    this.#checked[index] =
      this.isMerged(index) && this.#drafts.has(locate(this.#task, index).file) ? UNCHANGING : mtimeMs
  }

  /** The piece is not stored. This was its result, of which a complete command may have made a file. */
  setGone (index: number, result: Result): void {
    if (isConcatenation(this.#task)) return
    this.#gone ??= new PackedResults(this.#task.pieceCount)
    this.#gone.set(index, result)
  }

  /** The piece is no longer stored. Returns whether it was in a file with others. */
  delete (index: number): boolean {
    if (this.#verified !== null) this.#verified[index] = 0
    const result = this.#results.get(index)
    if (result !== undefined) this.setGone(index, result)
    this.#results.delete(index)
    return this.#leaveFile(index)
  }

  /** Without the piece, the finished file is incomplete. (A file made by a complete command stays finished.) */
  #leaveFile (index: number): boolean {
    const { file } = locate(this.#task, index)
    this.#changes[file]!++
    const wasMerged = this.isMerged(index)
    this.#positions[index] = IN_PART
    if (wasMerged) this.reopen(file)
    return wasMerged
  }

  // FILES

  /** Pieces of the file are, or will be, in its draft. */
  beginDraft (file: number): void { this.#drafts.add(file) }

  /** The file was recorded, and exists, finished or damaged. */
  recognise (file: number, { size, digest }: Result): void {
    this.#ownLengths.set(file, size)
    this.#digests.set(file, digest.slice()) // a view would keep the whole journal in memory
  }

  /** The file has its name and content; its pieces are no longer in a draft. */
  finish (file: number, length: number): void {
    this.#drafts.delete(file)
    this.#finished.set(file, length)
    this.#ownLengths.set(file, length)
  }

  /** The finished file was as recorded when it had this mark. */
  setFileChecked (file: number, mark: FileMark): void { this.#checkedFiles.set(file, mark) }

  /** The file is no longer finished. */
  reopen (file: number): void {
    this.#finished.delete(file)
    this.#checkedFiles.delete(file)
  }
}

/**
 * Chooses the place of a downloaded piece in the draft of its file: its place in the finished file, so that its bytes
 * are written once. That place is known when the sizes of all earlier pieces are. Before that it is guessed, while all
 * known pieces have the piece length and are where they were guessed to be. A wrong guess costs a copy at the end, and
 * no piece can be in another's way, since the true place of a piece is never after its guessed one. Other pieces, and
 * all that are computed here, become part files, and are copied when the file is finished. So do small ones: a part
 * costs little, and needs no second record in the journal. This file only decides; it writes nothing.
 */
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { isConcatenation } from '../task/unsupported.ts'
import type { StoreLayout } from './files/layout.ts'
import type { StoredPieces } from './piece-table.ts'

/** A piece with fewer bytes becomes a part. */
const MIN_BYTES = 64 * 1024

interface Draft {
  /** the position of each part up to and including `next` */
  readonly starts: Float64Array
  /** the first part whose size is not known */
  next: number
  /** parts that are being written */
  readonly busy: Set<number>
  /** the last part that was given a place */
  top: number
  /** as far as known, all parts except the last one have the piece length */
  isEven: boolean
}

/** The places of pieces in the drafts of a task's files. */
export class Placement {
  readonly #task: Task
  readonly #layout: StoreLayout
  readonly #table: StoredPieces
  readonly #drafts = new Map<number, Draft>()

  constructor (task: Task, layout: StoreLayout, table: StoredPieces) {
    this.#task = task
    this.#layout = layout
    this.#table = table
  }

  /**
   * Reserves a place for a piece of that size in the draft of its file until `release`; null if it must become a part.
   */
  reserve (index: number, size: number): { path: string, file: number, position: number } | null {
    const { file, part } = locate(this.#task, index)
    if (size < MIN_BYTES) return null
    // a file made by a complete command is no concatenation; and the pieces of a damaged finished file are read from
    // that file
    if (!isConcatenation(this.#task) || this.#table.ownLength(file) !== undefined || this.#table.results.has(index)) {
      return null
    }
    const draft = this.#open(file)
    this.#advance(draft, file, part)
    const position = this.#positionOf(draft, file, part, size)
    if (position === null || draft.busy.has(part)) return null
    if (part === draft.next) draft.starts[++draft.next] = position + size
    draft.busy.add(part)
    draft.top = Math.max(draft.top, part)
    return { path: this.#layout.draft(file), file, position }
  }

  #positionOf (draft: Draft, file: number, part: number, size: number): number | null {
    const isFull = size === this.#task.pieceLength || part === this.#task.files[file]!.parts - 1
    if (!isFull) draft.isEven = false
    if (part > draft.next) return draft.isEven ? part * this.#task.pieceLength : null
    const position = draft.starts[part]!
    const doesFit =
      part === draft.next
        ? position + size <= this.#endOfGap(draft, file, part)
        : position + size === draft.starts[part + 1]
    return doesFit ? position : null
  }

  /**
   * Where the next piece in the draft begins: it may have been stored before a restart, when this one had another size.
   */
  #endOfGap (draft: Draft, file: number, part: number): number {
    const { firstPiece } = this.#task.files[file]!
    for (let next = part + 1; next <= draft.top; next++) {
      if (this.#table.isMerged(firstPiece + next)) return this.#table.position(firstPiece + next)
    }
    return Infinity
  }

  /** Ends a reservation: the piece was written. */
  release (index: number): void {
    const { file, part } = locate(this.#task, index)
    this.#drafts.get(file)?.busy.delete(part)
  }

  /** Ends a reservation: the piece was not written. Returns whether nothing follows its place. */
  giveUp (index: number): boolean {
    this.release(index)
    const { file, part } = locate(this.#task, index)
    const draft = this.#drafts.get(file)
    if (draft?.next !== part + 1) return false
    draft.next--
    return draft.top === part
  }

  /** The file is finished. */
  forget (file: number): void { this.#drafts.delete(file) }

  #open (file: number): Draft {
    const known = this.#drafts.get(file)
    if (known !== undefined) return known
    const { firstPiece, parts } = this.#task.files[file]!
    const draft: Draft = { starts: new Float64Array(parts + 1), next: 0, busy: new Set(), top: -1, isEven: true }
    for (let part = 0; part < parts; part++) {
      const size = this.#table.results.sizeOf(firstPiece + part)
      if (size !== undefined && size !== this.#task.pieceLength && part !== parts - 1) draft.isEven = false
      if (!this.#table.isMerged(firstPiece + part)) continue
      draft.top = part
      if (this.#table.position(firstPiece + part) !== part * this.#task.pieceLength) draft.isEven = false
    }
    this.#drafts.set(file, draft)
    return draft
  }

  /** Advances over the stored parts. */
  #advance (draft: Draft, file: number, upTo: number): void {
    const { firstPiece } = this.#task.files[file]!
    while (draft.next < upTo) {
      const index = firstPiece + draft.next
      const size = this.#table.results.sizeOf(index)
      if (size === undefined) return
      if (size !== this.#task.pieceLength) draft.isEven = false // never applies to the last part
      const start = draft.starts[draft.next]!
      const position = this.#table.position(index)
      // an earlier piece was replaced by one of another size: a new piece could overwrite one that is stored
      if (position !== -1 && position !== start) return
      draft.starts[++draft.next] = start + size
    }
  }
}

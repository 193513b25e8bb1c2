/**
 * Incoming pieces until they are complete: each is written to its place in the draft of its file, or to a file of its
 * own in `work/`. Called by task-folder.ts, which turns them into stored pieces.
 */
import type { Result } from '../results/result.ts'
import type { Task } from '../task/task.ts'
import type { FolderGuard } from './files/folder-guard.ts'
import { removeFile } from './files/folders.ts'
import { openDraft, truncateDraft } from '../system/file-io.ts'
import type { StoreLayout } from './files/layout.ts'
import { OpenFiles } from '../system/open-files.ts'
import { IncomingPiece } from './incoming-piece.ts'
import type { PieceTable } from './piece-table.ts'
import { Placement } from './placement.ts'

/** The folder of the drafts. */
export interface DraftFolder { readonly layout: StoreLayout, readonly guard: FolderGuard, readonly table: PieceTable }

/** Turns complete drafts into stored pieces. Each method resolves with the stored result. */
export interface DraftOwner {
  /** returns a path that nobody else uses */
  newWork (): string
  commitPart (index: number, path: string, result: Result, replace: boolean): Promise<Result>
  commitPlaced (index: number, position: number, result: Result): Promise<Result>
}

/** The drafts of one task. */
export class Drafts {
  readonly #folder: DraftFolder
  readonly #owner: DraftOwner
  readonly #placement: Placement
  readonly #files = new OpenFiles(openDraft)
  readonly #parts = new OpenFiles(at => openDraft(at, 0o600))

  constructor (task: Task, folder: DraftFolder, owner: DraftOwner) {
    this.#folder = folder
    this.#owner = owner
    this.#placement = new Placement(task, folder.layout, folder.table)
  }

  /** Starts writing a piece of `size` bytes. @param replace whether to replace a stored result */
  receive (index: number, size: number, replace: boolean): IncomingPiece {
    const { guard, table } = this.#folder
    guard.check('work', 'drafts')
    const place = this.#placement.reserve(index, size)
    if (place === null) return this.#receivePart(index, replace)
    table.beginDraft(place.file)
    return new IncomingPiece({
      ...place,
      commit: async result => {
        this.#placement.release(index)
        return this.#owner.commitPlaced(index, place.position, result)
      },
      // its bytes may have filled the disk
      discard: () => {
        if (this.#placement.giveUp(index) && guard.isSame('drafts')) truncateDraft(place.path, place.position)
      }
    }, this.#files)
  }

  #receivePart (index: number, replace: boolean): IncomingPiece {
    const path = `${this.#owner.newWork()}.put`
    const close = (): void => { this.#parts.forget(path) }
    return new IncomingPiece({
      path,
      position: 0,
      commit: async result => {
        close()
        return this.#owner.commitPart(index, path, result, replace)
      },
      discard: () => {
        close()
        removeFile(path)
      }
    }, this.#parts)
  }

  /** The draft of the file is no longer used. */
  forget (file: number): void {
    this.#files.forget(this.#folder.layout.draft(file))
    this.#placement.forget(file)
  }

  close (): void {
    this.#files.close()
    this.#parts.close()
  }
}

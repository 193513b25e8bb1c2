/**
 * Incoming pieces until they are complete: each is written to its place in the draft of its file, or to a file of its
 * own in `work/`. Called by task-folder.ts, which turns them into stored pieces.
 */
import type { Result } from '../results/result.ts'
import type { Task } from '../task/task.ts'
import type { FolderGuard } from './files/folder-guard.ts'
import { removeFile } from './files/folders.ts'
import { openDraft, readAt, truncateDraft, writeAt } from '../system/file-io.ts'
import type { StoreLayout } from './files/layout.ts'
import { ioError } from '../system/io-errors.ts'
import { OpenFiles } from '../system/open-files.ts'
import type { PieceTable } from './piece-table.ts'
import { Placement } from './placement.ts'
import type { PieceDraft } from './types.ts'

/** The folder of the drafts. */
export interface DraftFolder { readonly layout: StoreLayout, readonly guard: FolderGuard, readonly table: PieceTable }

/** Turns complete drafts into stored pieces: TaskFolder. `commit` and `commitPlaced` resolve with the stored result. */
export interface DraftOwner {
  /** returns a path that nobody else uses */
  newWork (): string
  commit (index: number, path: string, result: Result, replace: boolean): Promise<Result>
  commitPlaced (index: number, position: number, result: Result): Promise<Result>
}

/** The place where an incoming piece is written. */
interface DraftPlace {
  readonly path: string
  /** of its first byte, in a draft of several pieces; null: `path` is a file of its own */
  readonly position: number | null
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
  receive (index: number, size: number, replace: boolean): PieceDraft {
    const { guard, table } = this.#folder
    guard.check('work', 'drafts')
    const place = this.#placement.reserve(index, size)
    if (place !== null) table.beginDraft(place.file)
    return new IncomingPiece(this, index, place ?? { path: `${this.#owner.newWork()}.put`, position: null }, replace)
  }

  /** @internal Uses the open file. */
  async use (place: DraftPlace, io: (fd: number) => Promise<void>): Promise<void> {
    const files = place.position === null ? this.#parts : this.#files
    await files.use(place.path, io).catch((err: unknown) => { throw ioError(err, place.path) })
  }

  /** @internal The piece is complete, and its digest was checked. */
  async commit (index: number, { path, position }: DraftPlace, result: Result, replace: boolean): Promise<Result> {
    if (position === null) {
      this.#parts.forget(path)
      return this.#owner.commit(index, path, result, replace)
    }
    this.#placement.release(index)
    return this.#owner.commitPlaced(index, position, result)
  }

  /** @internal The piece is given up: its bytes may have filled the disk. */
  discard (index: number, { path, position }: DraftPlace): void {
    if (position === null) {
      this.#parts.forget(path)
      removeFile(path)
    } else if (this.#placement.giveUp(index) && this.#folder.guard.isSame('drafts')) truncateDraft(path, position)
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

/** The bytes of a piece on their way to disk, in any order and any number of writes: see `PieceDraft`. */
class IncomingPiece implements PieceDraft {
  readonly #drafts: Drafts
  readonly #index: number
  readonly #place: DraftPlace
  readonly #replace: boolean
  #isEnded = false

  constructor (drafts: Drafts, index: number, place: DraftPlace, replace: boolean) {
    this.#drafts = drafts
    this.#index = index
    this.#place = place
    this.#replace = replace
  }

  async write (at: number, bytes: Uint8Array): Promise<void> {
    await this.#drafts.use(this.#place, fd => writeAt(fd, (this.#place.position ?? 0) + at, bytes))
  }

  async hashInto (digest: { update (bytes: Uint8Array): unknown }, at: number, length: number): Promise<void> {
    await this.#drafts.use(this.#place, async fd => {
      digest.update(await readAt(fd, (this.#place.position ?? 0) + at, length))
    })
  }

  async commit (result: Result): Promise<Result> {
    this.#isEnded = true
    return this.#drafts.commit(this.#index, this.#place, result, this.#replace)
      .catch((err: unknown) => { throw ioError(err, this.#place.path) })
  }

  discard (): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#drafts.discard(this.#index, this.#place)
  }
}

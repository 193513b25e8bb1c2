/**
 * A task's folder on disk while it is open: which pieces are stored and where; reads and stores them. Used by
 * ComputeStore, generate() and finishFile(). Does not decide what to compute or when.
 */
import { lstatSync, renameSync } from 'node:fs'
import path from 'node:path'
import { equalBytes, sha256 } from '../base/digest.ts'
import { traceOf } from '../base/trace.ts'
import type { Result } from '../results/result.ts'
import { errnoOf, ioError } from '../system/io-errors.ts'
import { acquireLock } from '../system/lock.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { Drafts } from './drafts.ts'
import type { DraftOwner } from './drafts.ts'
import { FolderGuard } from './files/folder-guard.ts'
import {
  lstatOrNull, makeFolders, removeFile, removeFinal, removeTraces, removeTree, writeTaskFile
} from './files/folders.ts'
import { StoreLayout } from './files/layout.ts'
import type { FileMark } from './files/marks.ts'
import { Pacer } from './files/pacer.ts'
import { ScratchFolders } from './files/scratch.ts'
import {
  FILE_FINISHED, Journal, PIECE_COMPUTED, PIECE_DROPPED, PIECE_PLACED, PIECE_STORED, PIECE_VERIFIED
} from './journal.ts'
import { PieceReader } from './piece-reader.ts'
import type { PieceTable, Place, StoredPieces } from './piece-table.ts'
import { restore } from './restore.ts'
import type { PieceDraft } from './types.ts'

const trace = traceOf('store')

/** A finished file as it is recorded, and as it was when that was compared. */
export interface AdoptedFile extends Result { mark: FileMark }

/** Options of TaskFolder.open. */
export interface FolderOptions {
  task: Task
  /** the output folder */
  path: string
  /** overwrite files that BitWorker did not write; default false */
  force?: boolean
  /** a stored piece was found to be gone or damaged */
  onLost?: (index: number) => void
  /** aborts the opening */
  signal?: AbortSignal
}

/** An open folder, which is locked by this process until it is closed. */
export class TaskFolder implements DraftOwner {
  readonly task: Task
  readonly layout: StoreLayout
  /** to be checked before every write by path */
  readonly guard: FolderGuard
  readonly force: boolean
  /** the folders that work items run in */
  readonly scratch = new ScratchFolders(() => this.newWork())
  readonly #table: PieceTable
  readonly #journal: Journal
  readonly #release: () => void
  readonly #onLost: (index: number) => void
  readonly reader: PieceReader
  readonly #drafts: Drafts
  #count = 0

  private constructor (
    guard: FolderGuard, layout: StoreLayout, { task, force = false, onLost = () => {} }: FolderOptions,
    journal: Journal, table: PieceTable, release: () => void
  ) {
    this.task = task
    this.layout = layout
    this.guard = guard
    this.force = force
    this.#table = table
    this.#journal = journal
    this.#release = release
    this.#onLost = onLost
    this.reader = new PieceReader(task, { layout, table }, (index, place, cause) => {
      this.#onDamage(index, place, cause)
    })
    this.#drafts = new Drafts(task, { layout, guard, table }, this)
  }

  /** The stored pieces, and their places. */
  get table (): StoredPieces { return this.#table }

  /**
   * Creates or opens a task's folder, and determines its content by names and sizes. Throws BW_ERR_OUTPUT_FOLDER,
   * BW_ERR_DISK_FULL, BW_ERR_LOCKED, BW_ERR_FILE_EXISTS, BW_ERR_SYMLINK, BW_ERR_ABORTED.
   */
  static async open (opts: FolderOptions): Promise<TaskFolder> {
    const { task, force = false, signal } = opts
    const layout = new StoreLayout(opts.path, task.infoHash)
    const isNew = lstatOrNull(layout.root) === null
    makeFolders(layout)
    const release = acquireLock(layout.lock)
    let journal: Journal | undefined
    try {
      await removeTree(layout.work)
      makeFolders(layout)
      const guard = new FolderGuard(layout)
      writeTaskFile(layout, task)
      const opened = Journal.open(layout.journal, { ...task, fileCount: task.files.length })
      journal = opened.journal
      const table = await restore({ task, layout, force, ...opened, ...(signal !== undefined && { signal }) })
      return new TaskFolder(guard, layout, opts, journal, table, release)
    } catch (err) {
      journal?.close()
      release()
      if (isNew) await removeTraces(layout)
      throw ioError(err, layout.folder)
    }
  }

  /** Stores a piece's bytes, replacing the stored ones. */
  async put (index: number, bytes: Uint8Array): Promise<void> {
    const incoming = this.receive(index, bytes.length, true)
    try {
      await incoming.write(0, bytes)
      await incoming.commit({ size: bytes.length, digest: sha256(bytes) })
    } catch (err) {
      incoming.discard()
      throw ioError(err, this.layout.folder)
    }
  }

  /** Starts writing a piece of `size` bytes: to its place in the file if that is known, otherwise to a part. */
  receive (index: number, size: number, replace = false): PieceDraft {
    return this.#drafts.receive(index, size, replace)
  }

  /**
   * Turns a complete, hashed file into a stored piece. If the piece is already stored, that result is kept (unless
   * `replace`), so that nobody's view of it changes. Resolves with the stored result.
   */
  async commit (index: number, draft: string, result: Result, replace = false): Promise<Result> {
    const known = this.#table.results.get(index)
    if (known !== undefined && (!replace || equalBytes(known.digest, result.digest))) {
      removeFile(draft)
      return known
    }
    const part = this.layout.part(index)
    this.guard.check('work', 'parts')
    this.reader.forgetFile(part)
    renameSync(draft, part)
    this.reader.forgetPiece(index)
    this.#table.setPart(index, result)
    this.#table.setChecked(index, lstatSync(part).mtimeMs)
    try {
      await this.#journal.append({ type: PIECE_STORED, index, ...result })
    } catch (err) {
      if (this.#table.results.matches(index, result)) this.#remove(index)
      throw err
    }
    trace('piece %d is stored in a file of its own: %d bytes', index, result.size)
    return result
  }

  /**
   * Like `commit`, for a result that a work item gave, and that is recorded as such. If another result is stored,
   * `replaces` decides which one stays. One that goes is lost; both changes are one write of the journal.
   */
  async commitComputed (
    index: number, draft: string, own: Result, replaces: (stored: Result) => boolean | Promise<boolean>
  ): Promise<Result> {
    for (;;) {
      const stored = this.#table.results.get(index)
      if (stored === undefined || equalBytes(stored.digest, own.digest)) break
      const isReplaced = await replaces(stored)
      if (!this.#table.results.matches(index, stored)) continue
      if (!isReplaced) return this.commit(index, draft, own)
      this.lose(index)
    }
    const [result] = await Promise.all([this.commit(index, draft, own), this.setComputed(index, own)])
    return result
  }

  /** A work item here gave this result, or the user says that it is as good. Only the first one of a piece counts. */
  async setComputed (index: number, own: Result): Promise<void> {
    await this.#journal.append({ type: PIECE_COMPUTED, index, ...own })
    this.#table.setComputed(index, own)
  }

  /** Like `commit`, for a piece that was written to its place in its file's draft. */
  async commitPlaced (index: number, position: number, result: Result): Promise<Result> {
    const known = this.#table.results.get(index)
    if (known !== undefined) return known
    this.#table.setMerged(index, result, position)
    this.#table.setChecked(index, 0)
    try {
      await Promise.all([
        this.#journal.append({ type: PIECE_STORED, index, ...result }),
        this.#journal.append({ type: PIECE_PLACED, index, size: position, digest: result.digest })
      ])
    } catch (err) {
      if (this.#table.results.matches(index, result)) this.#table.delete(index)
      throw err
    }
    return result
  }

  /** The piece is gone or damaged: it is missing from now on, and `onLost` is called. */
  lose (index: number): void {
    const result = this.#table.results.get(index)
    if (result === undefined) return
    this.#remove(index)
    // if that fails, the next start finds out by itself
    this.#journal.append({ type: PIECE_DROPPED, index, ...result }).catch(() => {})
    this.#onLost(index)
  }

  /** The stored result is right. If that cannot be recorded, the next run finds out again. */
  setVerified (index: number): void {
    const result = this.#table.results.get(index)
    if (result === undefined || this.#table.isVerified(index)) return
    this.#table.setVerified(index)
    this.#journal.append({ type: PIECE_VERIFIED, index, ...result }).catch(() => {})
  }

  /**
   * A path below `work/` that nobody else uses, for a new file or folder. Throws BW_ERR_SYMLINK, BW_ERR_OUTPUT_FOLDER.
   */
  newWork (): string {
    this.guard.check('work')
    return path.join(this.layout.work, (this.#count++).toString(36))
  }

  /** Records a finished file in the journal, synced to disk, before it is renamed. */
  async announceFile (file: number, { size, digest }: Result): Promise<void> {
    await this.#journal.append({ type: FILE_FINISHED, index: file, size, digest })
    await this.#journal.sync()
  }

  /**
   * A finished file has its name. With `offsets`, its pieces are served from it from now on, and their parts are
   * removed.
   */
  async adoptFile (file: number, content: AdoptedFile, offsets: Float64Array | null): Promise<void> {
    const { firstPiece, parts } = this.task.files[file]!
    this.reader.forgetFile(this.layout.final(this.task.files[file]!))
    this.#forgetDraft(file)
    this.#table.finish(file, content.size)
    this.#table.recognise(file, content)
    this.#table.setFileChecked(file, content.mark)
    if (this.guard.isSame('drafts')) removeFile(this.layout.draft(file)) // a draft that could not be used
    if (offsets === null) return
    const { mtimeMs } = content.mark
    const merged: number[] = []
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      if (!this.#table.isMerged(index)) merged.push(index)
      this.#table.moveToFile(index, offsets[index - firstPiece]!)
      this.#table.setChecked(index, mtimeMs) // each piece was compared on the way
    }
    const pacer = new Pacer()
    for (const index of merged) {
      if (this.#table.isMerged(index)) this.#removePart(index)
      await pacer.step()
    }
  }

  /** The finished file is not as recorded: it will be made again. */
  reopenFile (file: number): void { this.#table.reopen(file) }

  /** The finished file is as recorded: as long as it has this mark, it need not be checked again. */
  confirmFile (file: number, mark: FileMark): void { this.#table.setFileChecked(file, mark) }

  /** Closes the draft, which is no longer used. */
  #forgetDraft (file: number): void {
    const draft = this.layout.draft(file)
    this.reader.forgetFile(draft)
    this.#drafts.forget(file)
  }

  /** Closes the journal, and unlocks the folder. */
  close (): void {
    this.reader.close()
    this.#drafts.close()
    this.#journal.close()
    this.#release()
  }

  /** Removes everything of the task from the disk. The folder must be closed. */
  async destroy (): Promise<void> {
    if (this.guard.isSame('folder')) {
      for (const file of this.#table.finished.keys()) removeFinal(this.layout, this.task.files[file]!)
    }
    if (this.guard.isSame('root')) await removeTraces(this.layout)
  }

  #onDamage (index: number, place: Place, cause: unknown): void {
    // it may have been moved or replaced while it was read
    if (this.#table.results.matches(index, place.result) && this.#table.where(index)?.path === place.path) {
      this.lose(index)
    }
    if (errnoOf(cause) === 'ENOENT') this.#loseFile(locate(this.task, index).file)
  }

  /** The finished file was removed: everything in it is lost, not only the next requested piece. */
  #loseFile (file: number): void {
    const { firstPiece, parts } = this.task.files[file]!
    const at = this.#table.isDraft(file) ? this.layout.draft(file) : this.layout.final(this.task.files[file]!)
    if (lstatOrNull(at) !== null) return
    this.#forgetDraft(file)
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      if (this.#table.isMerged(index)) this.lose(index)
    }
  }

  #remove (index: number): void {
    this.reader.forgetPiece(index)
    if (!this.#table.delete(index)) this.#removePart(index)
  }

  #removePart (index: number): void {
    const part = this.layout.part(index)
    this.reader.forgetFile(part)
    if (this.guard.isSame('parts')) removeFile(part)
  }
}

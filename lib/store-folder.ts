/**
 * A task's folder on disk while it is open: which pieces are stored and where, reading and storing them.
 * Used by ComputeStore, generate() and finish; makes no decision about what to compute or when.
 */
import { renameSync, statfsSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { BitWorkerError } from './errors.ts'
import { diskFull, errnoOf, ioError } from './io-errors.ts'
import { FILE_FINISHED, Journal, PIECE_DROPPED, PIECE_STORED } from './journal.ts'
import type { Result } from './results.ts'
import { OpenFiles, Pacer, hashRegion, isGone, isSameDigest, readAt, sha256, writeNew } from './store-io.ts'
import { StoreLayout, lstatOrNull, makeFolders, removeFile, removeFinal, removeIfEmpty, removeTree, writeTaskFile } from './store-layout.ts'
import { acquireLock } from './store-lock.ts'
import { restore } from './store-restore.ts'
import type { PieceTable } from './store-table.ts'
import type { Place } from './store-table.ts'
import { locate } from './task.ts'
import type { Task } from './task.ts'

/** What a folder is opened with. */
export interface FolderOptions {
  task: Task
  /** the output folder */
  path: string
  /** overwrite files that are not ours; default false */
  force?: boolean
  /** a stored piece turned out to be gone or damaged */
  onLost?: (index: number) => void
  /** ends the check of what is stored */
  signal?: AbortSignal
}

/** How a piece is stored. */
export interface PutOptions {
  /** SHA-256, if it was checked already */
  digest?: Uint8Array
  /** in place of another result that is stored; default false */
  replace?: boolean
}

/** An open folder; it belongs to this process until it is closed. */
export class TaskFolder {
  readonly task: Task
  readonly layout: StoreLayout
  readonly force: boolean
  /** read it, but let this class write it */
  readonly table: PieceTable
  readonly #journal: Journal
  readonly #release: () => void
  readonly #onLost: (index: number) => void
  readonly #files = new OpenFiles()
  #count = 0

  private constructor (layout: StoreLayout, { task, force = false, onLost = () => {} }: FolderOptions,
    journal: Journal, table: PieceTable, release: () => void) {
    this.task = task
    this.layout = layout
    this.force = force
    this.table = table
    this.#journal = journal
    this.#release = release
    this.#onLost = onLost
  }

  /**
   * Makes or opens a task's folder and checks what is in it. Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL,
   * BW_ERR_LOCKED, BW_ERR_FILE_EXISTS, BW_ERR_SYMLINK, BW_ERR_ABORTED.
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
      writeTaskFile(layout, task)
      const opened = Journal.open(layout.journal, { ...task, fileCount: task.files.length })
      journal = opened.journal
      const table = await restore({ task, layout, force, ...opened, ...(signal !== undefined && { signal }) })
      return new TaskFolder(layout, opts, journal, table, release)
    } catch (err) {
      journal?.close()
      release()
      if (isNew) await removeTraces(layout)
      throw ioError(err, layout.folder)
    }
  }

  /** Bytes of a stored piece. Rejects with BW_ERR_PIECE_MISSING, BW_ERR_PIECE_RANGE, BW_ERR_PIECE_LOST (after telling `onLost`) … */
  async read (index: number, offset = 0, length?: number): Promise<Buffer> {
    const place = this.table.where(index)
    if (place === null) throw new BitWorkerError('BW_ERR_PIECE_MISSING', 'usage', `piece ${index} is not stored; download or compute it first`)
    const { size } = place.result
    const bytes = length ?? size - offset
    if (!Number.isInteger(offset) || !Number.isInteger(bytes) || offset < 0 || bytes < 0 || offset + bytes > size) {
      throw new BitWorkerError('BW_ERR_PIECE_RANGE', 'usage', `piece ${index} has ${size} bytes; ${bytes} from ${offset} leave it`)
    }
    const data = await this.#using(index, place, fd => readAt(fd, place.position + offset, bytes))
    if (data.length < bytes) throw this.#losing(index, place, 'it is shorter than it was')
    return data
  }

  /** Reads a piece and compares it with its digest; false, after telling `onLost`, if it does not match. */
  async verify (index: number): Promise<boolean> {
    const place = this.table.where(index)
    if (place === null) return false
    try {
      const digest = await this.#using(index, place, fd => hashRegion(fd, place.position, place.result.size))
      if (digest !== null && isSameDigest(digest, place.result.digest)) return true
      this.#losing(index, place, 'its content changed')
      return false
    } catch (err) {
      if (err instanceof BitWorkerError && err.code === 'BW_ERR_PIECE_LOST') return false
      throw err
    }
  }

  /** Stores a piece's bytes; resolves with what is stored, see `commit`. */
  async put (index: number, bytes: Uint8Array, { digest = sha256(bytes), replace = false }: PutOptions): Promise<Result> {
    const draft = path.join(this.layout.work, `put-${this.#count++}`)
    try {
      await writeNew(draft, bytes)
      return await this.commit(index, draft, { size: bytes.length, digest: Uint8Array.from(digest) }, replace)
    } catch (err) {
      removeFile(draft)
      throw ioError(err, this.layout.folder)
    }
  }

  /**
   * Makes a complete, hashed file a stored piece. If the piece is stored already, that one stays (unless `replace`),
   * so that nobody's view of it changes; resolves with the result that is stored.
   */
  async commit (index: number, draft: string, result: Result, replace = false): Promise<Result> {
    const known = this.table.results.get(index)
    if (known !== undefined && (!replace || isSameDigest(known.digest, result.digest))) {
      removeFile(draft)
      return known
    }
    const part = this.layout.part(index)
    this.#files.forget(part)
    renameSync(draft, part)
    this.table.setPart(index, result)
    try {
      await this.#journal.append({ type: PIECE_STORED, index, ...result })
    } catch (err) {
      if (this.table.results.get(index) === result) this.#remove(index)
      throw err
    }
    return result
  }

  /** The piece is gone or damaged: it counts as missing from now on, and `onLost` is told. */
  lose (index: number): void {
    const result = this.table.results.get(index)
    if (result === undefined) return
    this.#remove(index)
    this.#journal.append({ type: PIECE_DROPPED, index, ...result }).catch(() => {}) // the next start finds out by itself
    this.#onLost(index)
  }

  /** A path below `work/` that nobody else uses, for a folder to be made. */
  newWork (): string {
    return path.join(this.layout.work, (this.#count++).toString(36))
  }

  /** Throws BW_ERR_DISK_FULL if there is no room at all: then what a command wrote just now may have been cut short, whatever it says. */
  checkRoom (cause?: unknown): void {
    const { blocks, bavail, bfree } = statfsSync(this.layout.work)
    const room = process.getuid?.() === 0 ? bfree : bavail
    if (blocks > 0 && room === 0) throw diskFull(this.layout.folder, cause)
  }

  /** Writes down, safe from a power cut, what a finished file will be, before it gets its name. */
  async announceFile (file: number, { size, digest }: Result): Promise<void> {
    await this.#journal.append({ type: FILE_FINISHED, index: file, size, digest })
    this.#journal.sync()
  }

  /** A finished file has its name. With `offsets` its pieces are served from it from now on, and their parts are removed. */
  async adoptFile (file: number, length: number, offsets: Float64Array | null): Promise<void> {
    const { firstPiece, parts } = this.task.files[file]!
    this.#files.forget(this.layout.final(this.task.files[file]!))
    this.table.setFinished(file, length)
    if (offsets === null) return
    for (let part = 0; part < parts; part++) this.table.moveToFile(firstPiece + part, offsets[part]!)
    const pacer = new Pacer()
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      if (this.table.isMerged(index)) this.#removePart(index)
      await pacer.step()
    }
  }

  /** Closes the journal and gives the folder back. */
  close (): void {
    this.#files.close()
    this.#journal.close()
    this.#release()
  }

  /** Removes everything the task has on disk; the folder must be closed. */
  async destroy (): Promise<void> {
    for (const file of this.table.finished.keys()) removeFinal(this.layout, this.task.files[file]!)
    await removeTraces(this.layout)
  }

  async #using<T> (index: number, place: Place, use: (fd: number) => Promise<T>): Promise<T> {
    try {
      return await this.#files.use(place.path, use)
    } catch (err) {
      if (isGone(err)) throw this.#losing(index, place, errnoOf(err), err)
      throw ioError(err, place.path)
    }
  }

  #losing (index: number, place: Place, why: string, cause?: unknown): BitWorkerError {
    // it may have moved, or have been replaced, while it was read
    if (this.table.results.get(index) === place.result && this.table.where(index)?.path === place.path) this.lose(index)
    if (errnoOf(cause) === 'ENOENT') this.#loseFile(locate(this.task, index).file)
    return new BitWorkerError('BW_ERR_PIECE_LOST', 'system', `piece ${index} cannot be read from ${place.path} (${why}); it will be fetched or computed again`, { cause })
  }

  /** The finished file was removed: everything in it is lost, not only what is asked for next. */
  #loseFile (file: number): void {
    const { firstPiece, parts } = this.task.files[file]!
    if (lstatOrNull(this.layout.final(this.task.files[file]!)) !== null) return
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      if (this.table.isMerged(index)) this.lose(index)
    }
  }

  #remove (index: number): void {
    if (!this.table.delete(index)) this.#removePart(index)
  }

  #removePart (index: number): void {
    const part = this.layout.part(index)
    this.#files.forget(part)
    removeFile(part)
  }
}

/** What we keep beside the finished files. */
async function removeTraces (layout: StoreLayout): Promise<void> {
  await removeTree(layout.root)
  removeIfEmpty(path.dirname(layout.root))
}

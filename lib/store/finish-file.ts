/**
 * Finishes a file whose parts are all stored: joins the parts, or runs the task's complete command. Either way, the
 * file is written elsewhere, recorded in the journal, and only then renamed. A half-written file therefore never has
 * the final name, and a file with the final name is always recognised as ours.
 */
import { closeSync, constants, fsync, ftruncate, mkdirSync, openSync, renameSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { equalBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { ioError } from '../system/io-errors.ts'
import { writeAll } from '../system/write-all.ts'
import { runCompleteCommand } from './complete-command.ts'
import type { Draft } from './complete-command.ts'
import { lstatOrNull, makeParents, removeTree } from './files/folders.ts'
import { isSameMark, markAt } from './files/marks.ts'
import { copyRegion, hashFile, isGone, openDraft, openRegular } from '../system/file-io.ts'
import { Pacer, checkAborted } from './files/pacer.ts'
import type { RunOptions } from './generate.ts'
import { NO_DIGEST } from './journal.ts'
import type { Place } from './piece-table.ts'
import { foreign, offsetsOf } from './restore.ts'
import type { TaskFolder } from './task-folder.ts'
import type { FinishOptions, FinishedFile } from './types.ts'

/** Bytes per write, so that a file of many tiny parts is not written in tiny steps. */
const WRITE_BYTES = 1024 * 1024

const syncAsync = promisify(fsync)
const truncateAsync = promisify(ftruncate)

/**
 * Finishes a file; null if its complete command may not run. Rejects with BW_ERR_PART_MISSING, BW_ERR_PART_CORRUPT
 * (after `onLost`), BW_ERR_FILE_EXISTS, BW_ERR_SYMLINK, BW_ERR_ABORTED, BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER; for a
 * complete command also with the errors of RunningItem and BW_ERR_COMPLETE_NO_FILE.
 */
export async function finishFile (
  folder: TaskFolder, file: number, opts: FinishOptions, run: RunOptions
): Promise<FinishedFile | null> {
  const { task, layout } = folder
  const description = task.files[file]
  if (description === undefined)
    throw new BitWorkerError(
      'BW_ERR_TASK_PIECE', 'usage', `There is no file ${file}. The task has ${task.files.length} files.`
    )
  const final = layout.final(description)
  const length = folder.table.finished.get(file)
  if (length !== undefined && await isAsWritten(folder, file, opts.signal)) return { path: final, length }
  checkParts(folder, file)
  const changes = folder.table.changes(file)
  // the parts of a task that this version does not understand stay parts: joining them may not be how the file is made
  if (task.unsupported !== undefined || (task.completeCommand !== undefined && !opts.run)) return null
  checkAborted(opts.signal)
  refuseForeign(folder, file)
  const work = folder.newWork()
  try {
    mkdirSync(work, { mode: 0o700 })
    const out = task.completeCommand === undefined
      ? await concatenate(folder, file, work, opts.signal)
      : await completeFrom(folder, file, work, run, opts.signal)
    await install(folder, file, out, changes)
    return { path: final, length: out.size }
  } catch (err) {
    throw ioError(err, layout.folder)
  } finally {
    await removeTree(work)
  }
}

/** The complete command receives only parts that match their digests. */
async function completeFrom (
  folder: TaskFolder, file: number, work: string, run: RunOptions, signal?: AbortSignal
): Promise<Draft> {
  folder.guard.check('parts')
  await arePartsIntact(folder, file, signal)
  return runCompleteCommand(folder, file, work, run, signal)
}

/** Throws BW_ERR_PART_MISSING. */
function checkParts ({ task, table: { results } }: TaskFolder, file: number): void {
  const { firstPiece, parts, path: name } = task.files[file]!
  for (let part = 0; part < parts; part++) {
    if (!results.has(firstPiece + part))
      throw new BitWorkerError(
        'BW_ERR_PART_MISSING', 'usage', `${name} cannot be finished yet, because its part ${part} is not stored.`
      )
  }
}

/**
 * Compares a file that was finished by an earlier run, or has changed since, with its record. Throws
 * BW_ERR_PART_CORRUPT (after `onLost`).
 */
async function isAsWritten (folder: TaskFolder, file: number, signal: AbortSignal | undefined): Promise<boolean> {
  const { task, table, layout } = folder
  // before reading, so that a later change is detected
  const mark = markAt(layout.final(task.files[file]!))
  if (isSameMark(mark, table.checkedMark(file))) return true
  const isIntact =
    task.completeCommand === undefined ? await arePartsIntact(folder, file, signal) : await isFileIntact(folder, file)
  if (isIntact && mark !== null) folder.confirmFile(file, mark)
  else folder.reopenFile(file)
  return isIntact
}

async function arePartsIntact (folder: TaskFolder, file: number, signal: AbortSignal | undefined): Promise<boolean> {
  const { firstPiece, parts } = folder.task.files[file]!
  const pacer = new Pacer(signal)
  let damaged = -1
  for (let index = firstPiece; index < firstPiece + parts; index++) {
    if (!await folder.reader.verifyOnce(index)) damaged = index
    await pacer.step()
  }
  if (damaged !== -1) throw corrupt(damaged)
  return true
}

async function isFileIntact ({ task, layout, table }: TaskFolder, file: number): Promise<boolean> {
  try {
    const { digest } = await hashFile(layout.final(task.files[file]!))
    return equalBytes(digest, table.digestOf(file)!)
  } catch (err) {
    if (isGone(err)) return false
    throw err
  }
}

function corrupt (index: number, cause?: unknown): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_PART_CORRUPT',
    'system',
    `Piece ${index} was damaged on disk. It will be downloaded or computed again.`,
    { cause }
  )
}

/** Joins the parts: in the draft if its pieces are in their final places, otherwise in a new file. */
async function concatenate (
  folder: TaskFolder, file: number, work: string, signal: AbortSignal | undefined
): Promise<Draft> {
  const { task, table, layout } = folder
  const { firstPiece, parts } = task.files[file]!
  const offsets = offsetsOf(task, file, piece => table.results.sizeOf(piece))!
  const isInPlace = (index: number): boolean => table.position(index) === offsets[index - firstPiece]
  const isDraft = table.isDraft(file) && isEvery(firstPiece, parts, index => !table.isMerged(index) || isInPlace(index))
  const out = isDraft ? layout.draft(file) : path.join(work, 'out')
  const pacer = new Pacer(signal)
  folder.guard.check('work', 'drafts')
  const fd = openDraft(out)
  try {
    const writer = new BatchWriter(fd)
    for (let index = firstPiece; index < firstPiece + parts; index++) {
      if (!isDraft || !isInPlace(index)) await copyPart(folder, index, writer.at(offsets[index - firstPiece]!))
      else if (!await folder.reader.verifyOnce(index)) throw corrupt(index)
      await pacer.step()
    }
    await writer.end()
    // a discarded piece may have left bytes after the last part
    await truncateAsync(fd, offsets[parts])
    await syncAsync(fd)
    return { path: out, size: offsets[parts]!, digest: NO_DIGEST }
  } finally {
    closeSync(fd)
  }
}

function isEvery (from: number, count: number, test: (index: number) => boolean): boolean {
  for (let index = from; index < from + count; index++) if (!test(index)) return false
  return true
}

async function copyPart (folder: TaskFolder, index: number, writer: BatchWriter): Promise<void> {
  let cause: unknown
  try {
    if (await copyIntact(folder.table.where(index), writer)) return
  } catch (err) {
    if (!isGone(err)) throw err
    cause = err
  }
  folder.lose(index)
  throw corrupt(index, cause)
}

/** Copies a piece. Returns false if it does not match its digest; the copy is then invalid. */
export async function copyIntact (place: Place | null, writer: BatchWriter): Promise<boolean> {
  if (place === null) return false
  const { position, result } = place
  const fd = openRegular(place.path)
  try {
    const digest = await copyRegion({ fd, position, size: result.size }, chunk => writer.write(chunk))
    return digest !== null && equalBytes(digest, result.digest)
  } finally {
    closeSync(fd)
  }
}

/** Combines small chunks into large writes. */
export class BatchWriter {
  readonly #fd: number
  #chunks: Buffer[] = []
  #pending = 0
  /** position of the first pending byte */
  #position = 0
  #next: number | undefined

  constructor (fd: number) {
    this.#fd = fd
  }

  /** Sets the position of the next write. */
  at (position: number): this {
    this.#next = position
    return this
  }

  async write (chunk: Buffer): Promise<void> {
    const at = this.#next ?? this.#position + this.#pending
    this.#next = undefined
    if (at !== this.#position + this.#pending) {
      await this.end()
      this.#position = at
    }
    this.#chunks.push(chunk)
    this.#pending += chunk.length
    if (this.#pending >= WRITE_BYTES) await this.end()
  }

  /** Writes pending bytes. */
  async end (): Promise<void> {
    const bytes = Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#pending = 0
    await writeAll(this.#fd, bytes, this.#position)
    this.#position += bytes.length
  }
}

/**
 * In this order: journal, rename, removal of parts. After a crash at any point, the next start finds either all parts
 * or a recorded file.
 */
async function install (folder: TaskFolder, file: number, draft: Draft, changes: number): Promise<void> {
  const { task, layout } = folder
  const { path: relative } = task.files[file]!
  const final = layout.final(task.files[file]!)
  folder.guard.check('folder')
  makeParents(layout.folder, relative)
  await folder.announceFile(file, draft)
  if (folder.table.changes(file) !== changes) {
    throw new BitWorkerError(
      'BW_ERR_PART_MISSING', 'usage', `${relative} cannot be finished yet, because one of its parts was lost.`
    )
  }
  folder.guard.check('folder', 'work', 'drafts')
  makeParents(layout.folder, relative) // checked again, because writing the journal took time
  refuseForeign(folder, file)
  const mark = markAt(draft.path)!
  renameSync(draft.path, final)
  await syncFolder(path.dirname(final))
  const offsets = offsetsOf(task, file, piece => folder.table.results.sizeOf(piece))
  await folder.adoptFile(file, { ...draft, mark }, offsets)
}

/**
 * Throws BW_ERR_FILE_EXISTS or BW_ERR_OUTPUT_FOLDER if the final name belongs to a file that may not be overwritten.
 */
function refuseForeign ({ task, layout, force, table }: TaskFolder, file: number): void {
  const final = layout.final(task.files[file]!)
  const stats = lstatOrNull(final)
  if (stats === null || (force && !stats.isDirectory())) return
  if (!stats.isFile() || stats.size !== table.ownLength(file)) throw foreign(final, stats)
}

/** The rename must be on disk before the parts are removed. */
async function syncFolder (dir: string): Promise<void> {
  const fd = openSync(dir, constants.O_RDONLY)
  try {
    await syncAsync(fd)
  } catch {} // some file systems cannot sync folders
  closeSync(fd)
}

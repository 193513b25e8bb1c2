/**
 * Reads the finished files of a task's folder, whether or not the folder is open. A file is as the journal says, or it
 * is rejected: each byte that is returned was compared with its digest.
 */
import { closeSync, fstatSync } from 'node:fs'
import { equalBytes } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import type { PackedResults } from '../results/packed-results.ts'
import type { Result } from '../results/result.ts'
import { ioError } from '../system/io-errors.ts'
import { locate, unsupportedProblem } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { isConcatenation } from '../task/unsupported.ts'
import { checkParents, checkReadable, lstatOrNull } from './files/folders.ts'
import { copyRegion, isGone, openRegular, readAt } from '../system/file-io.ts'
import { StoreLayout } from './files/layout.ts'
import { isSameMark } from './files/marks.ts'
import type { FileMark } from './files/marks.ts'
import { Pacer } from './files/pacer.ts'
import { readJournal } from './journal.ts'
import { replay } from './restore.ts'
import type { Claims } from './restore.ts'

export { isSameMark, markAt } from './files/marks.ts'
export type { FileMark }

/** A finished file as it was recorded. */
export interface FinishedContent {
  /** components joined by '/', as in the task */
  name: string
  /** absolute */
  path: string
  /** bytes */
  length: number
  /** its regions in order: size and SHA-256 of each */
  regions: () => Iterable<Result>
}

/** Files that lack a piece that was stored after they were made. */
const NONE: ReadonlySet<number> = new Set()

/** What the journal of a task in `folder` lists, also while a run uses it. Throws BW_ERR_NOT_FINISHED without one. */
export function keptResults (task: Task, folder: string): Pick<Claims, 'pieces' | 'files'> {
  return readClaims(task, new StoreLayout(folder, task.infoHash))
}

/** The paths of files that belong to a task's folder as such, and its scratch folder. */
export function keptFiles (folder: string, infoHash: string): Pick<
  StoreLayout, 'taskFile' | 'sealed' | 'control' | 'lock' | 'work'
> {
  const { taskFile, sealed, control, lock, work } = new StoreLayout(folder, infoHash)
  return { taskFile, sealed, control, lock, work }
}

/**
 * The files of a task that is finished in `folder`. Throws BW_ERR_NOT_FINISHED, BW_ERR_TASK_REQUIRES,
 * BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK.
 */
export function finishedFiles (task: Task, folder: string): FinishedContent[] {
  const problem = unsupportedProblem(task)
  if (problem !== null) throw problem
  const layout = new StoreLayout(folder, task.infoHash)
  const claims = readClaims(task, layout)
  const missing = task.pieceCount - claims.pieces.size
  // a file made by a complete command no longer needs its parts
  if (missing > 0 && isConcatenation(task)) {
    throw notFinished(task, `${missing} of its ${task.pieceCount} pieces ${missing === 1 ? 'is' : 'are'} missing`)
  }
  const reopened = isConcatenation(task) ? new Set(Array.from(claims.newer, piece => locate(task, piece).file)) : NONE
  return task.files.map((file, index) => {
    checkParents(layout.folder, file.path)
    const record = claims.files.get(index)
    const path = layout.final(file)
    const stats = lstatOrNull(path)
    if (record === undefined || reopened.has(index)) {
      throw notFinished(task, `${file.path} has not been made yet`)
    }
    if (stats?.isFile() !== true || stats.size !== record.size) throw changed(path)
    const regions = (): Iterable<Result> => isConcatenation(task) ? partsOf(claims.pieces, file) : [record]
    return { name: file.path, path, length: record.size, regions }
  })
}

/** A file that a complete command made, as it was recorded then. */
export interface MadeFile extends Result {
  /** index in the task */
  file: number
  /** absolute */
  path: string
}

/** The files of a folder that its complete command made, whether or not they have changed since. As `finishedFiles`. */
export function madeFiles (task: Task, folder: string): MadeFile[] {
  if (isConcatenation(task)) return []
  const layout = new StoreLayout(folder, task.infoHash)
  const { files } = readClaims(task, layout)
  return task.files.flatMap((description, file) => {
    const { size, digest } = files.get(file) ?? {}
    return size === undefined || digest === undefined ? [] : [{ file, path: layout.final(description), size, digest }]
  })
}

function readClaims (task: Task, layout: StoreLayout): Claims {
  const records = readJournal(layout.journal, { ...task, fileCount: task.files.length })
  if (records === null) throw notFinished(task, `${layout.folder} contains nothing of it`)
  return replay(task, records)
}

function * partsOf (pieces: PackedResults, { firstPiece, parts }: Task['files'][number]): Iterable<Result> {
  for (let index = firstPiece; index < firstPiece + parts; index++) yield pieces.get(index)!
}

/**
 * Reads a finished file, and passes its bytes to `sink` in order, chunk by chunk. They are valid only if the promise
 * resolves. Rejects with BW_ERR_NOT_FINISHED if the file has changed, BW_ERR_ABORTED, BW_ERR_OUTPUT_FOLDER.
 */
export async function readFinished (
  { path, regions }: FinishedContent, sink: (chunk: Uint8Array) => void | Promise<void>, signal?: AbortSignal
): Promise<FileMark> {
  const pacer = new Pacer(signal)
  return useFinished(path, async fd => {
    const { size, mtimeMs, ino } = fstatSync(fd)
    let position = 0
    for (const { size: length, digest } of regions()) {
      const actual = await copyRegion({ fd, position, size: length }, async chunk => {
        await sink(chunk)
        await pacer.step()
      })
      if (actual === null || !equalBytes(actual, digest)) throw changed(path)
      position += length
      await pacer.step()
    }
    return { size, mtimeMs, ino }
  })
}

/**
 * Reads bytes of a finished file that has not changed since `mark` was taken. Rejects with BW_ERR_NOT_FINISHED if it
 * has.
 */
export async function readUnchanged (
  { folder, path }: { folder: string, path: string }, mark: FileMark, at: number, length: number
): Promise<Uint8Array> {
  return useFinished(path, async fd => {
    const bytes = await readAt(fd, at, length)
    // after reading, so that a change during the read is detected
    if (!isSameMark(fstatSync(fd), mark) || bytes.length < length) throw changed(path)
    return bytes
  }, new StoreLayout(folder, ''))
}

/** Opens a finished file for `use`. @param layout where its folders are checked for symbolic links first */
async function useFinished<T> (path: string, use: (fd: number) => Promise<T>, layout?: StoreLayout): Promise<T> {
  try {
    if (layout !== undefined) checkReadable(layout, path)
    const fd = openRegular(path)
    try {
      return await use(fd)
    } finally {
      closeSync(fd)
    }
  } catch (err) {
    if (isGone(err)) throw changed(path, err)
    throw ioError(err, path)
  }
}

function notFinished ({ name }: Task, why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_NOT_FINISHED', 'usage', `${name} is not finished here: ${why}.`, { remedy: 'finish' })
}

function changed (path: string, cause?: unknown): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NOT_FINISHED',
    'usage',
    `${path} has changed since it was finished. Move it away and run the task again, which restores it.`,
    { cause }
  )
}

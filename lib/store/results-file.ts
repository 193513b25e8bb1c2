/**
 * NAME.results.json beside the files of a finished task: which result each piece has, and how it was accepted. For
 * people and for programs that check the files later or elsewhere, with or without the task's folder. A line for each
 * piece, so that it is written and read in little memory.
 */
import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { hexOf } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { ioError } from '../system/io-errors.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { lstatOrNull, removeFile } from './files/folders.ts'
import type { TaskFolder } from './task-folder.ts'
import type { KnownKey } from './types.ts'

/** How a result came to be accepted, and the keys that attest it. */
export interface Acceptance { accepted: string, by?: readonly string[] }

/** The same by index. */
export type HowAccepted = (index: number) => Acceptance

const FORMAT = 'bitworker results 1'
/** Characters that are written at a time. */
const WRITE_CHARS = 64 * 1024
/** Enough for the format and the info-hash. */
const HEAD_BYTES = 128

/** The path for the results of a task whose files are in `folder`. */
export function resultsFileOf ({ name }: Pick<Task, 'name'>, folder: string): string {
  return path.join(folder, `${name}.results.json`)
}

/**
 * Writes the results of a task that is finished in the folder, atomically. Resolves with the path. `keys` are those
 * that `accepted` has named by then. Rejects with
 * BW_ERR_FILE_EXISTS if there is another file of that name, BW_ERR_NOT_FINISHED, and the errors of the file system.
 */
export async function writeResultsFile (
  folder: TaskFolder, accepted: HowAccepted, keys: () => Iterable<KnownKey> = () => []
): Promise<string> {
  const { task, layout, table } = folder
  const target = resultsFileOf(task, layout.folder)
  if (table.finished.size < task.files.length || table.results.size < task.pieceCount) {
    throw notFinished(task)
  }
  try {
    if (lstatOrNull(target) !== null && !folder.force && !await isOurs(target, task)) {
      throw new BitWorkerError(
        'BW_ERR_FILE_EXISTS',
        'usage',
        `${target} already exists and was not written by BitWorker for this task, so the results of its pieces are not written there. Move it away.`
      )
    }
    folder.guard.check('folder')
    const draft = folder.newWork()
    await write(draft, inChunks(linesOf(folder, accepted, keys)))
    folder.guard.check('folder', 'work')
    await rename(draft, target)
    return target
  } catch (err) {
    throw ioError(err, target)
  }
}

/** Whether there is such a file of the task. */
export async function hasResultsFile (task: Task, folder: string): Promise<boolean> {
  return isOurs(resultsFileOf(task, folder), task)
}

/** Removes the file, if it is one of the task. */
export async function removeResultsFile (task: Task, folder: string): Promise<void> {
  const target = resultsFileOf(task, folder)
  if (await isOurs(target, task)) removeFile(target)
}

async function isOurs (target: string, { infoHash }: Task): Promise<boolean> {
  if (lstatOrNull(target)?.isFile() !== true) return false
  const file = await open(target)
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(HEAD_BYTES), position: 0 })
    return buffer.toString('utf8', 0, bytesRead).startsWith(headOf(infoHash))
  } finally {
    await file.close()
  }
}

function notFinished ({ name }: Task): BitWorkerError {
  return new BitWorkerError('BW_ERR_NOT_FINISHED', 'usage', `${name} is not finished here. Run it to its end.`)
}

function headOf (infoHash: string): string { return `{"format":"${FORMAT}","infoHash":"${infoHash}"` }

async function write (draft: string, chunks: Iterable<string>): Promise<void> {
  const file = await open(draft, 'wx')
  try {
    await file.writeFile(chunks)
    await file.sync()
  } catch (err) {
    await rm(draft, { force: true })
    throw err
  } finally {
    await file.close()
  }
}

function * linesOf (
  { task, table }: TaskFolder, accepted: HowAccepted, keys: () => Iterable<KnownKey>
): Iterable<string> {
  yield `${headOf(task.infoHash)},"name":${JSON.stringify(task.name)},"files":[\n`
  for (const [index, { path: at, parts }] of task.files.entries()) {
    const digest = task.completeCommand === undefined ? undefined : table.digestOf(index)
    const file = {
      path: at, parts, length: table.finished.get(index), ...(digest !== undefined && { sha256: hexOf(digest) })
    }
    yield `${JSON.stringify(file)}${index + 1 < task.files.length ? ',' : ''}\n`
  }
  yield '],"pieces":[\n'
  for (let index = 0; index < task.pieceCount; index++) {
    const result = table.results.get(index)
    if (result === undefined) throw notFinished(task)
    const { size, digest } = result
    const { file, part } = locate(task, index)
    const piece = { piece: index, file, part, size, sha256: hexOf(digest), ...accepted(index) }
    yield `${JSON.stringify(piece)}${index + 1 < task.pieceCount ? ',' : ''}\n`
  }
  // they are known when all pieces have been written
  const named = [...keys()]
  yield named.length === 0 ? ']}\n' : `],"keys":[\n${named.map(key => JSON.stringify(key)).join(',\n')}\n]}\n`
}

function * inChunks (lines: Iterable<string>): Iterable<string> {
  let chunk = ''
  for (const line of lines) {
    chunk += line
    if (chunk.length < WRITE_CHARS) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}

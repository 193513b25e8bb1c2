/**
 * Makes files of the stored parts when a task has ended early: the parts of an unfinished file are joined under a name
 * of their own, which no finished file has. The task's folder must not be open anywhere.
 */
import { closeSync, ftruncateSync, lstatSync, readFileSync, renameSync } from 'node:fs'
import path from 'node:path'
import { replace } from '../system/atomic-file.ts'
import { ioError } from '../system/io-errors.ts'
import type { Task } from '../task/task.ts'
import { isConcatenation } from '../task/unsupported.ts'
import { lstatOrNull, makeParents, removeFile } from './files/folders.ts'
import { isGone, openDraft } from '../system/file-io.ts'
import { BatchWriter, copyIntact } from './finish-file.ts'
import { foreign } from './restore.ts'
import { TaskFolder } from './task-folder.ts'

/** The stored content of an unfinished file. */
export interface PartialFile {
  /** path of the file in the task */
  file: string
  /**
   * absolute; null if none was made, because a complete command makes the file of all its parts, or because no part is
   * stored
   */
  path: string | null
  /** bytes */
  length: number
  /** parts of the file that are missing in it, ascending */
  missing: number[]
}

/** The partial files made before, by name: only these are overwritten. */
type Made = Record<string, { size: number, mtimeMs: number }>

/**
 * Makes a file NAME.partial for each unfinished file of a task, and removes those of files that have been finished
 * since. Rejects with BW_ERR_FILE_EXISTS, BW_ERR_DISK_FULL, BW_ERR_LOCKED, BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK.
 */
export async function makePartialFiles (
  task: Task, { path: at, force = false }: { path: string, force?: boolean }
): Promise<PartialFile[]> {
  const folder = await TaskFolder.open({ task, path: at, force })
  try {
    const list = path.join(folder.layout.root, 'partial.json')
    const made = readMade(list)
    const partials: PartialFile[] = []
    for (const [file, name] of partialNames(task).entries()) {
      if (folder.table.finished.has(file)) removeOld(folder, name, made)
      else partials.push(await makePartial(folder, file, name, made))
    }
    await replace(list, JSON.stringify(made))
    return partials
  } catch (err) {
    throw ioError(err, folder.layout.folder)
  } finally {
    await folder.scratch.close()
    folder.close()
  }
}

/** By file: none is the name of another file of the task, or of another partial file. */
function partialNames ({ files }: Task): string[] {
  const taken = new Set(files.map(file => file.path))
  return files.map(({ path: name }) => {
    let partial = `${name}.partial`
    while (taken.has(partial)) partial += '.partial'
    taken.add(partial)
    return partial
  })
}

async function makePartial (folder: TaskFolder, file: number, target: string, made: Made): Promise<PartialFile> {
  const { task, layout, table } = folder
  const { path: name, firstPiece, parts } = task.files[file]!
  const missing: number[] = []
  for (let part = 0; part < parts; part++) if (!table.results.has(firstPiece + part)) missing.push(part)
  if (!isConcatenation(task) || missing.length === parts) return { file: name, path: null, length: 0, missing }
  const final = path.join(layout.folder, target)
  makeParents(layout.folder, target)
  refuseForeign(folder, final, made[target])
  const draft = folder.newWork()
  const fd = openDraft(draft)
  let length = 0
  try {
    const writer = new BatchWriter(fd)
    missing.length = 0
    for (let part = 0; part < parts; part++) {
      const index = firstPiece + part
      const size = table.results.sizeOf(index)
      if (size !== undefined && await isCopied(folder, index, writer.at(length))) length += size
      else missing.push(part)
    }
    await writer.end()
    // a damaged part may have left bytes after the last one
    ftruncateSync(fd, length)
  } finally {
    closeSync(fd)
  }
  folder.guard.check('folder', 'work')
  renameSync(draft, final)
  made[target] = markOf(final)
  return { file: name, path: final, length, missing }
}

async function isCopied (folder: TaskFolder, index: number, writer: BatchWriter): Promise<boolean> {
  try {
    if (await copyIntact(folder.table.where(index), writer)) return true
  } catch (err) {
    if (!isGone(err)) throw err
  }
  folder.lose(index)
  return false
}

function refuseForeign ({ force }: TaskFolder, at: string, known: Made[string] | undefined): void {
  const stats = lstatOrNull(at)
  if (stats === null || (force && !stats.isDirectory())) return
  if (!stats.isFile() || stats.size !== known?.size || stats.mtimeMs !== known.mtimeMs) throw foreign(at, stats)
}

function removeOld ({ layout }: TaskFolder, name: string, made: Made): void {
  const at = path.join(layout.folder, name)
  const stats = lstatOrNull(at)
  const known = made[name]
  delete made[name]
  if (stats?.isFile() === true && stats.size === known?.size && stats.mtimeMs === known.mtimeMs) removeFile(at)
}

function markOf (at: string): Made[string] {
  const { size, mtimeMs } = lstatSync(at)
  return { size, mtimeMs }
}

function readMade (list: string): Made {
  try {
    const made: unknown = JSON.parse(readFileSync(list, 'utf8'))
    return typeof made === 'object' && made !== null ? { ...made } : {}
  } catch {
    return {}
  }
}

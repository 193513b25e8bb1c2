/** Makes, checks and removes files and folders in an output folder. No state. */
import {
  lstatSync, mkdirSync, readFileSync, renameSync, rmdirSync, statSync, statfsSync, unlinkSync, writeFileSync
} from 'node:fs'
import type { Stats } from 'node:fs'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { equalBytes } from '../../base/digest.ts'
import { BitWorkerError } from '../../base/errors.ts'
import { removeByForce } from '../../executor/remove-tree.ts'
import { diskFull, errnoOf, ioError } from '../../system/io-errors.ts'
import { encodeTask } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import type { StoreLayout } from './layout.ts'

/** Stats without following a symbolic link; null if the path does not exist. */
export function lstatOrNull (at: string): Stats | null {
  try {
    return lstatSync(at, { throwIfNoEntry: false }) ?? null
  } catch (err) {
    if (errnoOf(err) === 'ENOTDIR') return null
    throw ioError(err, at)
  }
}

/**
 * Makes the folders of a task. Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL, and BW_ERR_SYMLINK if one of them is a
 * link.
 */
export function makeFolders (layout: StoreLayout): void {
  try {
    makeAll(layout.folder)
  } catch (err) {
    throw ioError(err, layout.folder)
  }
  for (const dir of [path.dirname(layout.root), layout.root, layout.parts, layout.drafts, layout.work]) {
    makeRealFolder(dir, 0o700)
  }
}

/** Node's `recursive` never returns where a folder cannot be made in an existing one (/proc). */
function makeAll (dir: string): void {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() === true) return
  const parent = path.dirname(dir)
  if (parent !== dir) makeAll(parent)
  try {
    mkdirSync(dir)
  } catch (err) {
    if (errnoOf(err) !== 'EEXIST' || !statSync(dir).isDirectory()) throw err
  }
}

/**
 * Makes the parent folders of `relative` within the output folder. Throws BW_ERR_SYMLINK if one of them is a symbolic
 * link: it could lead anywhere.
 */
export function makeParents (folder: string, relative: string): void {
  let at = folder
  for (const name of relative.split('/').slice(0, -1)) {
    at = path.join(at, name)
    makeRealFolder(at, 0o777)
  }
}

/**
 * Throws BW_ERR_SYMLINK if a folder on the path to `relative` is a symbolic link, BW_ERR_OUTPUT_FOLDER if it is a file.
 */
export function checkParents (folder: string, relative: string): void {
  let at = folder
  for (const name of relative.split('/').slice(0, -1)) {
    at = path.join(at, name)
    if (!isRealFolder(at)) return
  }
}

/**
 * Throws ELOOP if a folder on the path to a finished file is a symbolic link. Other paths of the layout have their own
 * checks.
 */
export function checkReadable ({ folder, root }: StoreLayout, at: string): void {
  if (at.startsWith(root + path.sep)) return
  for (let dir = path.dirname(at); dir.length > folder.length; dir = path.dirname(dir)) {
    if (lstatOrNull(dir)?.isSymbolicLink() === true) {
      throw Object.assign(new Error(`${dir} is a symbolic link`), { code: 'ELOOP' })
    }
  }
}

function makeRealFolder (dir: string, mode: number): void {
  if (isRealFolder(dir)) return
  try {
    mkdirSync(dir, { mode })
  } catch (err) {
    if (errnoOf(err) !== 'EEXIST' || !isRealFolder(dir)) throw ioError(err, dir)
  }
}

function isRealFolder (dir: string): boolean {
  const stats = lstatOrNull(dir)
  if (stats === null) return false
  if (stats.isDirectory()) return true
  if (!stats.isSymbolicLink()) throw ioError(Object.assign(new Error('not a folder'), { code: 'ENOTDIR' }), dir)
  throw new BitWorkerError(
    'BW_ERR_SYMLINK',
    'system',
    `${dir} is a symbolic link, and BitWorker does not write through one. Remove it, or choose another folder.`,
    { remedy: 'another-folder' }
  )
}

/** Stored so that the folder says which task it belongs to, and the task can be started again from it. */
export function writeTaskFile ({ taskFile, work }: StoreLayout, task: Task): void {
  const bytes = encodeTask(task)
  try {
    if (lstatOrNull(taskFile)?.isFile() === true && equalBytes(readFileSync(taskFile), bytes)) return
  } catch {}
  const draft = path.join(work, 'task')
  writeFileSync(draft, bytes, { flag: 'wx' })
  renameSync(draft, taskFile)
}

/**
 * Removes a folder with anything that commands left in it. Never follows a link. Never throws: the next start tries
 * again.
 */
export async function removeTree (dir: string): Promise<void> {
  try {
    rmdirSync(dir) // most scratch folders are empty
    return
  } catch {}
  try {
    await rm(dir, { recursive: true, force: true })
  } catch {
    await removeByForce(dir)
  }
}

/** Removes a file if it exists. Never throws. */
export function removeFile (at: string): void {
  try { unlinkSync(at) } catch {}
}

/** Removes a finished file, and its parent folders if they are empty. Never throws. */
export function removeFinal (layout: StoreLayout, file: Task['files'][number]): void {
  try {
    checkParents(layout.folder, file.path)
  } catch {
    return // a file behind a link is not ours
  }
  removeFile(layout.final(file))
  for (let dir = path.dirname(file.path); dir !== '.'; dir = path.dirname(dir)) {
    removeIfEmpty(path.join(layout.folder, dir))
  }
}

/**
 * Throws BW_ERR_DISK_FULL if the disk is full: the output of a command may then be truncated, whatever its exit code.
 */
export function checkRoom ({ folder, work }: StoreLayout, cause?: unknown): void {
  const { blocks, bavail, bfree } = statfsSync(work)
  const room = process.getuid?.() === 0 ? bfree : bavail
  if (blocks > 0 && room === 0) throw diskFull(folder, cause)
}

/** Removes everything of a task beside its finished files. */
export async function removeTraces (layout: StoreLayout): Promise<void> {
  await removeTree(layout.root)
  removeIfEmpty(path.dirname(layout.root))
}

/** Removes a folder if it is empty. Never throws. */
function removeIfEmpty (dir: string): void {
  try { rmdirSync(dir) } catch {} // it is not empty
}

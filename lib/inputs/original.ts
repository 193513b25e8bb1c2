/**
 * The author's own files as an input: read in place, while they are unchanged. Called by
 * lib/webtorrent/shared-input.ts.
 */
import { constants, statSync } from 'node:fs'
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { BitWorkerError } from '../base/errors.ts'
import { quote } from '../task/names.ts'
import { filePath } from './file-store.ts'
import type { InputLayout } from './metainfo.ts'

/** An input that is already on this machine. */
export interface FoundInput {
  /** its info dictionary, unchecked */
  info: Uint8Array
  /** absolute: the file or folder */
  path: string
  /** their state when they were hashed, in the torrent's order; if present, the data need not be hashed again */
  files?: ReadonlyArray<{ length: number, mtimeMs: number }>
}

/** The first file that has changed since it was hashed; null: none. */
export function changedFile (found: FoundInput, layout: InputLayout): string | null {
  for (const i of layout.files.keys()) if (!isSame(found, layout, i)) return filePath(found.path, layout, i)
  return null
}

/** True if the file is unchanged since it was hashed. */
export function isSame ({ path: root, files }: FoundInput, layout: InputLayout, file: number): boolean {
  const found = statSync(filePath(root, layout, file), { throwIfNoEntry: false })
  const { length } = layout.files[file]!
  const known = files?.[file] ?? { length, mtimeMs: found?.mtimeMs }
  return found?.isFile() === true && found.size === length && known.length === length && known.mtimeMs === found.mtimeMs
}

/** Adds the current state of the files, if none was recorded. */
export function stamped (found: FoundInput, layout: InputLayout): FoundInput {
  const mtimeOf = (file: number): number =>
    statSync(filePath(found.path, layout, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return { ...found, files: found.files ?? layout.files.map(({ length }, i) => ({ length, mtimeMs: mtimeOf(i) })) }
}

/** Makes BW_ERR_INPUT for an input with this name, of which a file has changed. */
export function changed (name: string, at: string): BitWorkerError {
  const there = statSync(at, { throwIfNoEntry: false }) === undefined ? 'is not there any more' : 'has changed'
  return new BitWorkerError(
    'BW_ERR_INPUT', 'system', `The input ${quote(name)} is not shared: ${at} ${there} since the task was made.`
  )
}

/**
 * Whether commands may see the files in place: nothing else is in the folder, and the user that commands run as may
 * read them.
 */
export async function canBeShown (root: string, layout: InputLayout): Promise<boolean> {
  // if we are root, commands run as another user
  const needed = process.getuid?.() === 0 ? 0o004 : 0o400
  if (!layout.isFolder) return isReadable(root, needed)
  const own = new Set(layout.files.map(file => file.path))
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const at = path.join(entry.parentPath, entry.name)
    if (entry.isDirectory()) {
      if (!await isReadable(at, needed)) return false
    } else if (!entry.isFile() || !own.has(path.relative(root, at)) || !await isReadable(at, needed)) return false
  }
  return await isReadable(root, needed)
}

async function isReadable (at: string, needed: number): Promise<boolean> {
  const stats = await stat(at)
  const all = stats.isDirectory() ? needed | (needed >> 2) : needed
  return (stats.mode & all) === all
}

/** Copies the files. That takes no space if the file system can share blocks. */
export async function copyFiles (from: string, to: string, layout: InputLayout): Promise<void> {
  for (const i of layout.files.keys()) {
    const target = filePath(to, layout, i)
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 })
    await copyFile(filePath(from, layout, i), target, constants.COPYFILE_FICLONE)
  }
}

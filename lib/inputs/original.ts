/**
 * The author's own files as an input: served from where they lie, as long as they are what they were. Called by
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

/** Where an input is on this machine already. */
export interface FoundInput {
  /** its info dictionary, unchecked */
  info: Uint8Array
  /** absolute: the file or folder */
  path: string
  /** in the torrent's order, when it was hashed: with these its data need not be hashed again */
  files?: ReadonlyArray<{ length: number, mtimeMs: number }>
}

/** The first of its files that is not what it was when it was hashed; null: none. */
export function changedFile (found: FoundInput, layout: InputLayout): string | null {
  for (const i of layout.files.keys()) if (!isSame(found, layout, i)) return filePath(found.path, layout, i)
  return null
}

/** One of its files is what it was when it was hashed. */
export function isSame ({ path: root, files }: FoundInput, layout: InputLayout, file: number): boolean {
  const found = statSync(filePath(root, layout, file), { throwIfNoEntry: false })
  const { length } = layout.files[file]!
  const known = files?.[file] ?? { length, mtimeMs: found?.mtimeMs }
  return found?.isFile() === true && found.size === length && known.length === length && known.mtimeMs === found.mtimeMs
}

/** As it is found now, if it does not say what it was. */
export function stamped (found: FoundInput, layout: InputLayout): FoundInput {
  const mtimeOf = (file: number): number =>
    statSync(filePath(found.path, layout, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  return { ...found, files: found.files ?? layout.files.map(({ length }, i) => ({ length, mtimeMs: mtimeOf(i) })) }
}

/** BW_ERR_INPUT for an input of the name, of which a file is not what it was. */
export function changed (name: string, at: string): BitWorkerError {
  const there = statSync(at, { throwIfNoEntry: false }) === undefined ? 'is not there any more' : 'has changed'
  return new BitWorkerError(
    'BW_ERR_INPUT', 'system', `The input ${quote(name)} is not shared: ${at} ${there} since the task was made.`
  )
}

/**
 * Whether commands may be shown the files as they lie there: nothing else is beside them in the folder, and whoever
 * commands run as may read them.
 */
export async function canBeShown (root: string, layout: InputLayout): Promise<boolean> {
  // as root commands run as somebody else
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

/** Copies the files, which takes no room where the file system can share their blocks. */
export async function copyFiles (from: string, to: string, layout: InputLayout): Promise<void> {
  for (const i of layout.files.keys()) {
    const target = filePath(to, layout, i)
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 })
    await copyFile(filePath(from, layout, i), target, constants.COPYFILE_FICLONE)
  }
}

/**
 * The author's own files as an input: served from where they lie, as long as they are what they were. Called by
 * lib/webtorrent/shared-input.ts.
 */
import { constants, statSync } from 'node:fs'
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
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
export function changedFile ({ path: root, files }: FoundInput, layout: InputLayout): string | null {
  for (const [i, { length }] of layout.files.entries()) {
    const at = filePath(root, layout, i)
    const found = statSync(at, { throwIfNoEntry: false })
    const known = files?.[i]
    if (found?.isFile() !== true || found.size !== length) return at
    if (known !== undefined && (known.length !== length || known.mtimeMs !== found.mtimeMs)) return at
  }
  return null
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

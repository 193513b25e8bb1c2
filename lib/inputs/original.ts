/**
 * The author's own files as an input: served from where they lie, as long as they are what they were. Called by
 * lib/inputs/places.ts.
 */
import { constants, copyFile, mkdir } from 'node:fs/promises'
import path from 'node:path'
import { BitWorkerError } from '../base/errors.ts'
import { quote } from '../task/names.ts'
import { filePath } from './file-store.ts'
import type { InputLayout } from './metainfo.ts'
import { isUntouched, statsOf } from './stamps.ts'
import type { FileMark } from './stamps.ts'

/** An input that is already on this machine. */
export interface FoundInput {
  /** its info dictionary, unchecked */
  info: Uint8Array
  /** absolute: the file or folder */
  path: string
  /** in the torrent's order, when it was hashed: as long as they are so, they need not be hashed again */
  files?: readonly FileMark[]
}

/** The first of its files that cannot be what was hashed: it is gone, or of another length; null: none. */
export function unlikeFile ({ path: root }: Pick<FoundInput, 'path'>, layout: InputLayout): string | null {
  for (const [i, { length }] of layout.files.entries()) {
    const at = filePath(root, layout, i)
    const stats = statsOf(at)
    if (stats?.isFile() !== true || stats.size !== length) return at
  }
  return null
}

/** Nobody has touched any of its files since they were hashed. */
export function isAsHashed ({ path: root, files }: FoundInput, layout: InputLayout): boolean {
  return layout.files.every((_, i) => isUntouched(filePath(root, layout, i), files?.[i]))
}

/** Makes BW_ERR_INPUT for an input with this name, of which a file has changed. */
export function changed (name: string, at: string): BitWorkerError {
  const there = statsOf(at) === undefined ? 'no longer exists' : 'has changed'
  return new BitWorkerError(
    'BW_ERR_INPUT',
    'system',
    `The input ${quote(name)} is not shared: ${at} ${there} since the task was made. Put it back as it was, or name another copy of it.`
  )
}

/** Copies the files, which takes no room where the file system can share their blocks. */
export async function copyFiles (from: string, to: string, layout: InputLayout): Promise<void> {
  for (const i of layout.files.keys()) {
    const target = filePath(to, layout, i)
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 })
    await copyFile(filePath(from, layout, i), target, constants.COPYFILE_FICLONE)
  }
}

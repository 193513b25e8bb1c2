/** The state of a finished file when its bytes were compared, by which a later change is detected. */
import type { Stats } from 'node:fs'
import { lstatOrNull } from './folders.ts'

/** A file as it was. */
export type FileMark = Pick<Stats, 'size' | 'mtimeMs' | 'ino'>

/** The mark of the regular file at a path; null if there is none. Throws errors of the file system. */
export function markAt (at: string): FileMark | null {
  const stats = lstatOrNull(at)
  return stats?.isFile() === true ? { size: stats.size, mtimeMs: stats.mtimeMs, ino: stats.ino } : null
}

/** Both are there and the same. */
export function isSameMark (one: FileMark | null | undefined, other: FileMark | null | undefined): boolean {
  return one != null && other != null &&
    one.size === other.size && one.mtimeMs === other.mtimeMs && one.ino === other.ino
}

/** Detects whether a file has changed since it was read. */
import { statSync } from 'node:fs'
import type { Stats } from 'node:fs'

/** The state of a file when it was hashed. */
export interface FileMark {
  /** bytes */
  length: number
  mtimeMs: number
  /** time of any change, even if `mtimeMs` was set back afterwards; absent: not recorded */
  ctimeMs?: number
}

/** A text that changes with a file's content, even if someone tries to hide the change; '' if there is no file. */
function stampOf (stats: Stats | undefined): string {
  if (stats?.isFile() !== true) return ''
  const { dev, ino, size, mtimeMs, ctimeMs } = stats
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
}

/** The stamp of the file at a path. Never throws. */
export function stampAt (at: string): string { return stampOf(statsOf(at)) }

/** True if the file has not changed since. If it has, its content may still be the same. */
export function isUntouched (at: string, mark: FileMark | undefined): boolean {
  const stats = statsOf(at)
  return mark !== undefined && stats?.isFile() === true && mark.length === stats.size &&
    mark.mtimeMs === stats.mtimeMs && mark.ctimeMs === stats.ctimeMs
}

/** The stats of a path; undefined if it is not accessible. Never throws. */
export function statsOf (at: string): Stats | undefined {
  try {
    return statSync(at, { throwIfNoEntry: false })
  } catch {
    return undefined // a part of its path is not a folder
  }
}

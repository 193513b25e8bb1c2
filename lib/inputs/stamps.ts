/** Whether anybody has touched a file since it was looked at. */
import { statSync } from 'node:fs'
import type { Stats } from 'node:fs'

/** How a file was when it was hashed. */
export interface FileMark {
  /** bytes */
  length: number
  mtimeMs: number
  /** of any change, also of one whose `mtimeMs` was set back; absent: not written down */
  ctimeMs?: number
}

/** What changes with a file's content, whatever is done to hide it; '': there is no file. */
function stampOf (stats: Stats | undefined): string {
  if (stats?.isFile() !== true) return ''
  const { dev, ino, size, mtimeMs, ctimeMs } = stats
  return `${dev} ${ino} ${size} ${mtimeMs} ${ctimeMs}`
}

/** `stampOf` of what is at a path. Never throws. */
export function stampAt (at: string): string { return stampOf(statsOf(at)) }

/** Nothing has touched the file since. Otherwise its content may be the same all the same. */
export function isUntouched (at: string, mark: FileMark | undefined): boolean {
  const stats = statsOf(at)
  return mark !== undefined && stats?.isFile() === true && mark.length === stats.size &&
    mark.mtimeMs === stats.mtimeMs && mark.ctimeMs === stats.ctimeMs
}

/** What is at a path; undefined: nothing that can be seen. Never throws. */
export function statsOf (at: string): Stats | undefined {
  try {
    return statSync(at, { throwIfNoEntry: false })
  } catch {
    return undefined // a part of its path is no folder
  }
}

/** The space that is free on a disk. */
import { statfsSync } from 'node:fs'

/** Left for everything else: a disk that is full to the last byte harms more than a download. */
const RESERVE_BYTES = 16 * 1024 * 1024

/** Whether so many bytes more can be written where a path is; true where that cannot be known. */
export function hasRoom (at: string, bytes: number): boolean {
  try {
    const { bavail, bsize } = statfsSync(at)
    return bavail * bsize >= bytes + (bytes > 0 ? RESERVE_BYTES : 0)
  } catch {
    return true
  }
}

/** The space that is free on a disk. */
import { statfsSync } from 'node:fs'

/** Left for everything else: a disk that is full to the last byte harms more than a download. */
const RESERVE_BYTES = 16 * 1024 * 1024

/** Whether so many bytes more can be written where a path is; true where that cannot be known. */
export function hasRoom (at: string, bytes: number): boolean {
  return roomAt(at).bytes >= bytes + (bytes > 0 ? RESERVE_BYTES : 0)
}

/** What is free on a disk. */
export interface Room {
  bytes: number
  /** number of files that can be made */
  files: number
}

/** What is free where a path is; no limit where that cannot be known. */
export function roomAt (at: string): Room {
  try {
    const { bavail, bsize, ffree } = statfsSync(at)
    return { bytes: bavail * bsize, files: ffree }
  } catch {
    return { bytes: Infinity, files: Infinity }
  }
}

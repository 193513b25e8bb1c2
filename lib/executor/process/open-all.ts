/** Opens several files: either all of them are open, or none is. */
import { closeSync } from 'node:fs'

/** Throws the error of the first file that cannot be opened (EMFILE, for example), after closing the others. */
export function openAll (openers: ReadonlyArray<() => number>): number[] {
  const fds: number[] = []
  try {
    for (const open of openers) fds.push(open())
    return fds
  } catch (err) {
    closeAll(fds)
    throw err
  }
}

/** Closes the descriptors that are open here. */
export function closeAll (fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd)
}

/** Several files at once: all of them are open, or none is. */
import { closeSync } from 'node:fs'

/** Throws what the first that cannot be opened throws (EMFILE, for one); those before it are closed then. */
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

/** Closes what is open here. */
export function closeAll (fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd)
}

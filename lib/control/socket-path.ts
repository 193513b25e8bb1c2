/** The path of a Unix socket, which may have about a hundred bytes only, while folders may be deeper. */
import { closeSync, constants, openSync } from 'node:fs'
import path from 'node:path'

/** `sun_path` of Linux has 108 bytes, of other systems 104; one is the end. */
const MAX_PATH_BYTES = 103

/**
 * Calls `use` with a path of the socket that is short enough; it must be done with it when it returns. The folder of a
 * longer one is opened and named by its descriptor, where the system has /proc. Throws errors of the file system.
 */
export function withShortPath<T> (file: string, use: (shortPath: string) => T): T {
  if (Buffer.byteLength(file) <= MAX_PATH_BYTES) return use(file)
  const fd = openSync(path.dirname(file), constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return use(`/proc/self/fd/${fd}/${path.basename(file)}`)
  } finally {
    closeSync(fd)
  }
}

/** write(2) may write fewer bytes than requested: these functions repeat it until all bytes are written. */
import { write, writeSync } from 'node:fs'
import { promisify } from 'node:util'

const writeAsync = promisify(write)

/**
 * Writes all bytes at `position`, or at the file's current position if it is null. Rejects with errors of the file
 * system.
 */
export async function writeAll (fd: number, bytes: Uint8Array, position: number | null): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await writeAsync(
      fd, bytes, at, bytes.length - at, position === null ? null : position + at
    )
    at += bytesWritten
  }
}

/** Like `writeAll`, synchronously. Throws errors of the file system. */
export function writeAllSync (fd: number, bytes: Uint8Array, position: number | null): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at)
  }
}

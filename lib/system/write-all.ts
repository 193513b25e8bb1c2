/** write(2) may take fewer bytes than it was given: these go on until all are written. */
import { write, writeSync } from 'node:fs'
import { promisify } from 'node:util'

const writeAsync = promisify(write)

/** Writes all bytes; `position` null: where the file stands. Rejects with errors of the file system. */
export async function writeAll (fd: number, bytes: Uint8Array, position: number | null): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await writeAsync(
      fd, bytes, at, bytes.length - at, position === null ? null : position + at
    )
    at += bytesWritten
  }
}

/** As `writeAll`, at once. */
export function writeAllSync (fd: number, bytes: Uint8Array, position: number | null): void {
  for (let at = 0; at < bytes.length;) {
    at += writeSync(fd, bytes, at, bytes.length - at, position === null ? null : position + at)
  }
}

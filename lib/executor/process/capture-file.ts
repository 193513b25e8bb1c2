/**
 * A file without a name that a program of ours, never a command, says something in: a warm shell about its jobs.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** What is kept: the end. */
const KEEP_BYTES = 64 * 1024
/** It is emptied beyond this. */
const MOST_BYTES = 1024 * 1024

/** Hand its `fd` to the process. */
export class CaptureFile {
  readonly fd: number

  /** Creates the file, and takes its name away: nothing is left over whatever happens. */
  constructor (at: string) {
    // O_APPEND: after the file was emptied, a writer goes on at its new end, not behind a hole
    const { O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants
    this.fd = openSync(at, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600)
    unlinkSync(at)
  }

  /** Empties it if it has grown large. */
  trim (): void {
    if (fstatSync(this.fd).size > MOST_BYTES) ftruncateSync(this.fd, 0)
  }

  /** What is in it; it is empty afterwards. */
  take (): string {
    const { size } = fstatSync(this.fd)
    if (size === 0) return ''
    const bytes = Buffer.alloc(Math.min(size, KEEP_BYTES))
    const n = readSync(this.fd, bytes, 0, bytes.length, size - bytes.length)
    ftruncateSync(this.fd, 0)
    return bytes.subarray(0, n).toString('utf8')
  }

  close (): void { closeSync(this.fd) }
}

/** Files that are used again: creating one costs as much as starting a small command on some disks. */
export class CaptureFiles {
  readonly #free: CaptureFile[] = []

  /** Made in the system's temporary folder, or else in `beside`; throws if neither works. */
  get (beside: string): CaptureFile {
    const free = this.#free.pop()
    if (free !== undefined) return free
    const name = `bitworker-${randomUUID()}`
    try {
      return new CaptureFile(path.join(tmpdir(), name))
    } catch {
      return new CaptureFile(path.join(beside, name))
    }
  }

  /** Nothing writes to it any more. */
  giveBack (file: CaptureFile): void {
    this.#free.push(file)
  }

  /** Closes those that are not in use. */
  close (): void {
    for (const file of this.#free.splice(0)) file.close()
  }
}

/** A file without a name to which our own programs write, never a command: a warm shell reports about its jobs. */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, unlinkSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Only the end is kept. */
const KEEP_BYTES = 64 * 1024
/** The file is emptied beyond this size. */
const MOST_BYTES = 1024 * 1024

/** Pass its `fd` to the process. */
export class CaptureFile {
  readonly fd: number

  /** Creates the file and removes its name: nothing is left behind, whatever happens. */
  constructor (at: string) {
    // O_APPEND: after the file has been emptied, a writer continues at its new end, not after a hole
    const { O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants
    this.fd = openSync(at, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600)
    unlinkSync(at)
  }

  /** Empties the file if it has grown large. */
  trim (): void {
    if (fstatSync(this.fd).size > MOST_BYTES) ftruncateSync(this.fd, 0)
  }

  /** Returns the content, and empties the file. */
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

/** Keeps files for reuse: on some disks, creating one takes as long as starting a small command. */
export class CaptureFiles {
  readonly #free: CaptureFile[] = []

  /** Creates the file in the system's temporary folder, or else in `beside`. Throws if neither works. */
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

  /** No process writes to it any more. */
  giveBack (file: CaptureFile): void {
    this.#free.push(file)
  }

  /** Closes the files that are not in use. */
  close (): void {
    for (const file of this.#free.splice(0)) file.close()
  }
}

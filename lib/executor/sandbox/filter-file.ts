/**
 * A file without a name that every command's launcher reads from the beginning: the filter of system calls, and others.
 */
import { closeSync, constants, openSync, unlinkSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import os from 'node:os'
import path from 'node:path'

/** A file that nobody else can open. */
export class FilterFile {
  readonly #fd: number
  #isClosed = false

  constructor (bytes: Uint8Array | string) {
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
    const at = path.join(os.tmpdir(), `bitworker-${randomUUID()}`)
    this.#fd = openSync(at, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      unlinkSync(at)
      writeFileSync(this.#fd, bytes)
    } catch (err) {
      closeSync(this.#fd)
      throw err
    }
  }

  /** Opens a separate descriptor for each reader, because readers of the same one would share its position. */
  open (): number {
    return openSync(`/proc/self/fd/${this.#fd}`, constants.O_RDONLY)
  }

  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    closeSync(this.#fd)
  }
}

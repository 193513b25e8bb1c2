/** Open files of pieces. */
import { close, closeSync } from 'node:fs'

/** Enough for the pieces that a swarm reads at a time, few beside the usual limit of 1024. */
const MAX_OPEN_FILES = 64

/** Open files that were used lately: pieces come and go block by block. */
export class OpenFiles {
  readonly #files = new Map<string, { fd: number, users: number, isForgotten: boolean }>()
  readonly #open: (path: string) => number

  /** @param opener opens a file that is not open yet */
  constructor (opener: (path: string) => number) {
    this.#open = opener
  }

  /** Opens, or takes the one that is open, for as long as `use` takes. Errors are the opening function's. */
  async use<T> (path: string, use: (fd: number) => Promise<T>): Promise<T> {
    const file = this.#files.get(path) ?? { fd: this.#open(path), users: 0, isForgotten: false }
    this.#files.delete(path)
    this.#files.set(path, file) // to the end: the least recently used stands first
    file.users++
    this.#trim()
    try {
      return await use(file.fd)
    } finally {
      file.users--
      if (file.isForgotten && file.users === 0) close(file.fd)
    }
  }

  /** The path has, or will have, other content. */
  forget (path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    file.isForgotten = true
    if (file.users === 0) closeSync(file.fd)
  }

  /** Forgets all. */
  close (): void {
    for (const path of this.#files.keys()) this.forget(path)
  }

  #trim (): void {
    if (this.#files.size <= MAX_OPEN_FILES) return
    const [oldest] = this.#files.keys()
    if (oldest !== undefined) this.forget(oldest)
  }
}

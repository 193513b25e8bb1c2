/** Open files that contain pieces. */
import { close, closeSync } from 'node:fs'

/** Enough for the pieces that a swarm reads at a time, and few compared to the usual limit of 1024. */
const MAX_OPEN_FILES = 64

/** Recently used open files: pieces are read and written block by block. */
export class OpenFiles {
  readonly #files = new Map<string, { fd: number, users: number, isForgotten: boolean }>()
  readonly #open: (path: string) => number

  /** @param opener opens a file that is not open yet */
  constructor (opener: (path: string) => number) {
    this.#open = opener
  }

  /** Keeps the file open while `use` runs, opening it if necessary. Rejects with the errors of `opener` and `use`. */
  async use<T> (path: string, use: (fd: number) => Promise<T>): Promise<T> {
    const file = this.#files.get(path) ?? { fd: this.#open(path), users: 0, isForgotten: false }
    this.#files.delete(path)
    this.#files.set(path, file) // moves it to the end: the least recently used file comes first
    file.users++
    this.#trim()
    try {
      return await use(file.fd)
    } finally {
      file.users--
      if (file.isForgotten && file.users === 0) close(file.fd)
    }
  }

  /** The content of the path has changed, or will change. */
  forget (path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    file.isForgotten = true
    if (file.users === 0) closeSync(file.fd)
  }

  /** Forgets all files. */
  close (): void {
    for (const path of this.#files.keys()) this.forget(path)
  }

  #trim (): void {
    if (this.#files.size <= MAX_OPEN_FILES) return
    const [oldest] = this.#files.keys()
    if (oldest !== undefined) this.forget(oldest)
  }
}

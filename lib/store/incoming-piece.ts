/** The bytes of a piece on their way to disk, in any order and any number of writes. */
import type { Result } from '../results/result.ts'
import { ioError } from '../system/io-errors.ts'
import { readAt, writeAt } from '../system/file-io.ts'
import type { OpenFiles } from '../system/open-files.ts'
import type { PieceDraft } from './types.ts'

/** The destination of the bytes. */
export interface Destination {
  path: string
  position: number
  /** the piece is complete, and its digest was checked; resolves with the stored result */
  commit (result: Result): Promise<Result>
  /** the piece is given up */
  discard (): void
}

/** A piece that is being written: see `PieceDraft`. */
export class IncomingPiece implements PieceDraft {
  readonly #to: Destination
  readonly #files: OpenFiles
  #isEnded = false

  constructor (to: Destination, files: OpenFiles) {
    this.#to = to
    this.#files = files
  }

  async write (at: number, bytes: Uint8Array): Promise<void> {
    const { position } = this.#to
    await this.#use(fd => writeAt(fd, position + at, bytes))
  }

  async hashInto (digest: { update (bytes: Uint8Array): unknown }, at: number, length: number): Promise<void> {
    const { position } = this.#to
    await this.#use(async fd => { digest.update(await readAt(fd, position + at, length)) })
  }

  async commit (result: Result): Promise<Result> {
    this.#isEnded = true
    return this.#to.commit(result).catch((err: unknown) => { throw ioError(err, this.#to.path) })
  }

  discard (): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#to.discard()
  }

  async #use (io: (fd: number) => Promise<void>): Promise<void> {
    const { path } = this.#to
    await this.#files.use(path, io).catch((err: unknown) => { throw ioError(err, path) })
  }
}

/**
 * A plain chunk store: chunks of one length in a temporary folder, without a task.
 */
import { mkdtempSync, renameSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { BitWorkerError } from '../base/errors.ts'
import { ioError } from '../system/io-errors.ts'
import { removeFile, removeTree } from './files/folders.ts'
import { openRegular, readAt, writeNew } from './files/io.ts'
import { partName } from './files/layout.ts'
import { OpenFiles } from './files/open-files.ts'

/** Keeps chunks until it is closed. */
export class PlainStore {
  readonly #chunkLength: number
  readonly #files = new OpenFiles(openRegular)
  #folder: string | null = null
  #count = 0

  constructor (chunkLength: number) {
    this.#chunkLength = chunkLength
  }

  /** Rejects with BW_ERR_PIECE_RANGE if the chunk does not have exactly the chunk length. */
  async put (index: number, bytes: Uint8Array): Promise<void> {
    if (bytes.length !== this.#chunkLength) throw range(`chunk ${index} has ${bytes.length} bytes instead of ${this.#chunkLength}`)
    this.#folder ??= mkdtempSync(path.join(os.tmpdir(), 'bitworker-'))
    const draft = path.join(this.#folder, `put-${this.#count++}`)
    try {
      await writeNew(draft, bytes)
      this.#files.forget(path.join(this.#folder, partName(index)))
      renameSync(draft, path.join(this.#folder, partName(index)))
    } catch (err) {
      removeFile(draft)
      throw ioError(err, this.#folder)
    }
  }

  /** Rejects with BW_ERR_PIECE_MISSING or BW_ERR_PIECE_RANGE. */
  async read (index: number, offset = 0, length = this.#chunkLength - offset): Promise<Buffer> {
    if (offset < 0 || length < 0 || offset + length > this.#chunkLength) throw range(`${length} bytes from ${offset} leave chunk ${index}`)
    try {
      return await this.#files.use(path.join(this.#folder ?? '', partName(index)), fd => readAt(fd, offset, length))
    } catch (cause) {
      throw new BitWorkerError('BW_ERR_PIECE_MISSING', 'usage', `chunk ${index} is not stored; put it first`, { cause })
    }
  }

  /** Removes the chunks. */
  async close (): Promise<void> {
    this.#files.close()
    if (this.#folder !== null) await removeTree(this.#folder)
    this.#folder = null
  }
}

function range (what: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_PIECE_RANGE', 'usage', `${what}; see chunkLength`)
}

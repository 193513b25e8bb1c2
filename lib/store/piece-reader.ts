/** Reads stored pieces, and compares each with its digest before its first byte is returned. Called by TaskFolder. */
import { fstatSync } from 'node:fs'
import { equalBytes, sha256 } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf, ioError } from '../system/io-errors.ts'
import { hashRegion, isGone, openRegular, readAt } from '../system/file-io.ts'
import { OpenFiles } from '../system/open-files.ts'
import { PieceCache, WINDOW_BYTES } from '../base/piece-cache.ts'
import type { Task } from '../task/task.ts'
import { checkReadable } from './files/folders.ts'
import type { StoreLayout } from './files/layout.ts'
import type { Place, ReadPieces } from './piece-table.ts'

/** Called with a piece that is gone or damaged. */
export type OnDamage = (index: number, place: Place, cause: unknown) => void

/** Attempts to read a window of a piece whose file is being changed by others. */
const MAX_ATTEMPTS = 3

/** The reading side of an open folder. */
export class PieceReader {
  readonly #table: ReadPieces
  readonly #onDamage: OnDamage
  readonly #files: OpenFiles
  readonly #cache: PieceCache
  /** running operations that others can share: checks of pieces, and reads of windows, by piece and number */
  readonly #checks = new Map<number, Promise<boolean>>()
  readonly #reads = new Map<string, Promise<Buffer>>()

  constructor (
    { pieceLength }: Pick<Task, 'pieceLength'>, { layout, table }: { layout: StoreLayout, table: ReadPieces },
    onDamage: OnDamage
  ) {
    this.#table = table
    this.#files = new OpenFiles(at => {
      checkReadable(layout, at)
      return openRegular(at)
    })
    this.#cache = new PieceCache(pieceLength)
    this.#onDamage = onDamage
  }

  /**
   * Returns bytes of a stored piece, after all its bytes were compared with the digest; read-only. Rejects with
   * BW_ERR_PIECE_MISSING, BW_ERR_PIECE_RANGE, BW_ERR_PIECE_LOST (after calling `onLost`) …
   */
  async read (index: number, offset = 0, length?: number): Promise<Buffer> {
    const place = this.#table.where(index)
    if (place === null)
      throw new BitWorkerError(
        'BW_ERR_PIECE_MISSING', 'usage', `Piece ${index} is not stored. Download or compute it first.`
      )
    const { size } = place.result
    const bytes = length ?? size - offset
    if (!Number.isInteger(offset) || !Number.isInteger(bytes) || offset < 0 || bytes < 0 || offset + bytes > size) {
      throw new BitWorkerError(
        'BW_ERR_PIECE_RANGE', 'usage', `Piece ${index} has ${size} bytes, so ${bytes} bytes cannot be read at offset ${offset}.`
      )
    }
    const window = Math.floor(offset / WINDOW_BYTES)
    const start = window * WINDOW_BYTES
    const isInWindow = bytes > 0 && offset + bytes <= start + WINDOW_BYTES
    if (size > WINDOW_BYTES || !isInWindow) await this.#check(index, place)
    if (!isInWindow) return this.#readExactly(index, place, offset, bytes)
    return (await this.#window(index, place, window)).subarray(offset - start, offset - start + bytes)
  }

  /** Returns what `read` would if it is cached. */
  readCached (index: number, offset: number, length: number): Buffer | undefined {
    return this.#cache.slice(index, offset, length)
  }

  /** Reads a piece and compares it with its digest. Returns false, after calling `onLost`, if it does not match. */
  async verify (index: number): Promise<boolean> {
    const place = this.#table.where(index)
    return place !== null && this.#matches(index, place)
  }

  /** The same without a word about damage: the piece stays stored. */
  async isIntact (index: number): Promise<boolean> {
    const place = this.#table.where(index)
    if (place === null) return false
    try {
      const digest = await this.#files.use(place.path, fd => hashRegion(fd, place.position, place.result.size))
      return digest !== null && equalBytes(digest, place.result.digest)
    } catch (err) {
      if (isGone(err)) return false
      throw ioError(err, place.path)
    }
  }

  /** Like `verify`, unless the piece was checked since the start and since the last change of its file. */
  async verifyOnce (index: number): Promise<boolean> {
    if (this.#table.isSurelyChecked(index)) return true
    const known = this.#checks.get(index)
    if (known !== undefined) return known
    const check = this.#verifyChanged(index).finally(() => this.#checks.delete(index))
    this.#checks.set(index, check)
    return check
  }

  async #verifyChanged (index: number): Promise<boolean> {
    const place = this.#table.where(index)
    return place !== null && this.#matches(index, place, true)
  }

  /** The content of the file has changed, or will change. */
  forgetFile (at: string): void { this.#files.forget(at) }

  /** The bytes of the piece have changed, or will change. */
  forgetPiece (index: number): void { this.#cache.forget(index) }

  /** Closes all files. */
  close (): void {
    this.#files.close()
    this.#cache.clear()
  }

  async #check (index: number, place: Place): Promise<void> {
    if (!await this.verifyOnce(index)) throw lost(index, place, 'its content changed')
  }

  /**
   * Reads a window of a piece, once for all callers. A window that covers the whole piece is checked at the same time.
   */
  async #window (index: number, place: Place, window: number): Promise<Buffer> {
    const key = `${index}.${window}`
    const known = this.#reads.get(key)
    if (known !== undefined) return known
    const read = this.#readIntact(index, place, window).finally(() => this.#reads.delete(key))
    this.#reads.set(key, read)
    return read
  }

  async #readIntact (index: number, place: Place, window: number): Promise<Buffer> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { bytes, mtimeMs } = await this.#readWindow(index, place, window * WINDOW_BYTES)
      const isWhole = bytes.length === place.result.size
      const isIntact =
        this.#table.isChecked(index, mtimeMs) || (isWhole && equalBytes(sha256(bytes), place.result.digest))
      if (isIntact) {
        if (this.#table.results.matches(index, place.result)) {
          if (isWhole) this.#table.setChecked(index, mtimeMs)
          this.#cache.set(index, window, bytes)
        }
        return bytes
      }
      if (isWhole) throw this.#losing(index, place, 'its content changed')
      // its file has changed since the whole piece was compared
      await this.#check(index, place)
    }
    throw this.#losing(index, place, 'it keeps changing')
  }

  async #readWindow (index: number, place: Place, start: number): Promise<{ bytes: Buffer, mtimeMs: number }> {
    let mtimeMs = 0
    const bytes = await this.#readExactly(
      index,
      place,
      start,
      Math.min(WINDOW_BYTES, place.result.size - start),
      fd => {
        mtimeMs = fstatSync(fd).mtimeMs // before reading, so that a later change is detected
      }
    )
    return { bytes, mtimeMs }
  }

  async #readExactly (
    index: number, place: Place, offset: number, length: number, before = (_fd: number): void => {}
  ): Promise<Buffer> {
    const data = await this.#using(index, place, fd => {
      before(fd)
      return readAt(fd, place.position + offset, length)
    })
    if (data.length < length) throw this.#losing(index, place, 'it is shorter than it was')
    return data
  }

  async #matches (index: number, place: Place, onlyIfChanged = false): Promise<boolean> {
    try {
      let mtimeMs = 0
      let isKnown = false
      const digest = await this.#using(index, place, fd => {
        ({ mtimeMs } = fstatSync(fd))
        isKnown = onlyIfChanged && this.#table.isChecked(index, mtimeMs)
        return isKnown ? Promise.resolve(null) : hashRegion(fd, place.position, place.result.size)
      })
      if (isKnown) return true
      if (digest !== null && equalBytes(digest, place.result.digest)) {
        if (this.#table.results.matches(index, place.result)) this.#table.setChecked(index, mtimeMs)
        return true
      }
      this.#losing(index, place, 'its content changed')
      return false
    } catch (err) {
      if (err instanceof BitWorkerError && err.code === 'BW_ERR_PIECE_LOST') return false
      throw err
    }
  }

  async #using<T> (index: number, place: Place, use: (fd: number) => Promise<T>): Promise<T> {
    try {
      return await this.#files.use(place.path, use)
    } catch (err) {
      if (isGone(err)) throw this.#losing(index, place, errnoOf(err), err)
      throw ioError(err, place.path)
    }
  }

  #losing (index: number, place: Place, why: string, cause?: unknown): BitWorkerError {
    this.#onDamage(index, place, cause)
    return lost(index, place, why, cause)
  }
}

function lost (index: number, { path: at }: Place, why: string, cause?: unknown): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_PIECE_LOST',
    'system',
    `Piece ${index} cannot be read from ${at} (${why}). It will be downloaded or computed again.`,
    { cause }
  )
}

/**
 * Writes a task's log, in `log/` of its folder:
 *
 *   pieces.jsonl     every attempt at a piece (log-entries.ts)
 *   failures.jsonl   those of them that failed, here or elsewhere
 *   *.old.jsonl      what was there before the file had its largest size: the two together are what is kept
 *
 * Append-only. Lines are collected for a moment, so that a million pieces cost little; a crash loses that moment, and
 * may leave a torn line, which readers skip. The folder must be locked by an open ComputeStore.
 */
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs'
import path from 'node:path'
import { ioError } from '../system/io-errors.ts'
import { makeParents } from './files/folders.ts'
import { StoreLayout } from './files/layout.ts'
import { encodeEntry, isFailure } from './log-entries.ts'
import type { LogEvent } from './log-entries.ts'

/** The largest size of pieces.jsonl: with the old one, some two hundred thousand attempts. */
const MAX_PIECES_BYTES = 32 << 20
/** The largest size of failures.jsonl. */
const MAX_FAILURES_BYTES = 8 << 20
/** How long lines are collected, and how many characters of them. */
const COLLECT_MS = 200
const COLLECT_CHARACTERS = 64 * 1024

/** Options of PieceLog. */
export interface PieceLogOptions {
  /** the output folder */
  path: string
  /** 40 hex digits */
  infoHash: string
  /** Called at most once: nothing is logged from now on. BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER, BW_ERR_SYMLINK. */
  onError: (err: Error) => void
  /** largest sizes of the files, for tests */
  maxBytes?: number
}

/** The log of one task. Makes its files with the first entry. */
export class PieceLog {
  readonly #pieces: LogFile
  readonly #failures: LogFile
  readonly #onError: (err: Error) => void
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor ({ path: folder, infoHash, onError, maxBytes }: PieceLogOptions) {
    const { root, log } = new StoreLayout(folder, infoHash)
    this.#pieces = new LogFile(root, log, 'pieces', maxBytes ?? MAX_PIECES_BYTES)
    this.#failures = new LogFile(root, log, 'failures', maxBytes ?? MAX_FAILURES_BYTES)
    this.#onError = onError
  }

  /** Adds an entry. Never throws. */
  add (event: LogEvent, payload: object): void {
    if (this.#isClosed) return
    const line = encodeEntry(Date.now(), event, payload)
    this.#pieces.collect(line)
    if (isFailure(event)) this.#failures.collect(line)
    if (this.#pieces.collected >= COLLECT_CHARACTERS) this.#write()
    else this.#timer ??= setTimeout(() => { this.#write() }, COLLECT_MS).unref()
  }

  /** Writes what was collected, and ends. A second call does nothing. */
  close (): void {
    if (!this.#isClosed) this.#write()
    this.#isClosed = true
    this.#pieces.close()
    this.#failures.close()
  }

  #write (): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#isClosed) return
    try {
      this.#pieces.write()
      this.#failures.write()
    } catch (err) {
      this.#isClosed = true
      this.close()
      this.#onError(err as Error)
    }
  }
}

/** One of the files, with its predecessor. */
class LogFile {
  readonly #root: string
  readonly #path: string
  readonly #old: string
  readonly #maxBytes: number
  #text = ''
  #fd = -1
  #size = 0

  constructor (root: string, log: string, name: string, maxBytes: number) {
    this.#root = root
    this.#path = path.join(log, `${name}.jsonl`)
    this.#old = path.join(log, `${name}.old.jsonl`)
    this.#maxBytes = maxBytes
  }

  /** number of characters that wait to be written */
  get collected (): number { return this.#text.length }

  collect (line: string): void { this.#text += line }

  /** Throws errors of the file system. */
  write (): void {
    if (this.#text === '') return
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    try {
      if (this.#fd === -1) this.#open()
      if (this.#size > 0 && this.#size + bytes.length > this.#maxBytes) {
        this.close()
        renameSync(this.#path, this.#old)
        this.#open()
      }
      this.#append(bytes)
    } catch (err) {
      throw ioError(err, this.#path)
    }
  }

  close (): void {
    if (this.#fd !== -1) closeSync(this.#fd)
    this.#fd = -1
  }

  #append (bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at)
    this.#size += bytes.length
  }

  #open (): void {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants
    makeParents(this.#root, path.relative(this.#root, this.#path))
    const fd = openSync(this.#path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    const stats = fstatSync(fd)
    if (!stats.isFile() || stats.nlink > 1) {
      closeSync(fd)
      throw Object.assign(new Error(`${this.#path} is not a file of its own`), { code: 'EINVAL' })
    }
    this.#fd = fd
    this.#size = stats.size
    // a crash may have torn the last line
    if (stats.size > 0) this.#append(Buffer.from('\n'))
  }
}

/**
 * The stdout of a running command: what a reader of a pipe gets until its end, hashed as it comes and written to the
 * part file. Not complete before the end was read: whoever still has the other end open is waited for.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs'
import { incrementalSha256, sha256 } from '../../base/digest.ts'
import type { IncrementalDigest } from '../../base/digest.ts'
import { writeAll, writeAllSync } from '../../system/write-all.ts'
import { outputChanged } from '../failures.ts'
import type { Fifo } from './fifos.ts'
import { PipeReader } from './pipe-reader.ts'

/**
 * Up to here it is kept, and written by one call at the end; of what is longer no more than twice this is in memory.
 */
const KEEP_BYTES = 128 * 1024

/** Each costs more than its bytes. */
const MOST_CHUNKS = 256

/** What a command's stdout was. */
export interface Printed {
  size: number
  /** SHA-256, 32 bytes */
  digest: Uint8Array
}

/** Where it goes. */
export interface OutputOptions {
  /** the part file to make, which must not exist; null: it is only counted */
  path: string | null
  maxBytes: number
  /** it is more than `maxBytes`; nothing more is read */
  onTooMuch: () => void
  /** it cannot be read, or not be written; nothing more is read */
  onError: (err: Error) => void
}

/** One command's stdout. */
export class Output {
  readonly #opts: OutputOptions
  readonly #file: number
  readonly #reader: PipeReader
  #write: number
  #size = 0
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** of what was written, once writing began */
  #hash: IncrementalDigest | null = null
  #writing: Promise<void> | null = null
  #error: Error | null = null
  #isClosed = false

  /**
   * Makes the part file; throws what stands in the way, and leaves the pipe alone then.
   * @param fifo closed here; its `write` may be -1 if it was closed already
   */
  constructor (fifo: Fifo, opts: OutputOptions) {
    this.#opts = opts
    this.#file = opts.path === null ? -1 : createPartFile(opts.path)
    this.#write = fifo.write
    this.#reader = new PipeReader(fifo.read, {
      onData: chunk => this.#take(chunk),
      onError: err => {
        this.#fail(err)
      }
    })
  }

  /** The end to write to, for a command that is started. */
  get write (): number { return this.#write }

  /** Bytes that were read. */
  get size (): number { return this.#size }

  /** Resolves when the end was read. */
  get ended (): Promise<void> { return this.#reader.ended }

  /** The command has its end: without ours, the last one to close it makes the end. */
  release (): void {
    if (this.#write !== -1) closeSync(this.#write)
    this.#write = -1
  }

  /** It is read as it comes. For what is not expected to be short. */
  flow (): void { this.#reader.flow() }

  /** The command has ended: as a rule all is there, and the end with it. */
  drain (): void {
    this.release()
    if (this.#hash === null) this.#reader.drain()
    this.#reader.flow()
  }

  /** Once the end was read: size and digest of what is now in the part file. Throws what could not be written. */
  async finish (): Promise<Printed> {
    if (this.#hash === null && this.#error === null) return this.#finishShort()
    while ((this.#waiting.length > 0 || this.#writing !== null) && this.#error === null) await this.#startWriting()
    try {
      if (this.#error !== null) throw this.#error
      this.#check()
      return { size: this.#size, digest: this.#hash!.digest() }
    } finally {
      this.close()
    }
  }

  /** Nothing of it is needed any more: it need not have ended. */
  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.release()
    this.#reader.close()
    const file = this.#file
    const closeFile = (): void => { if (file !== -1) closeSync(file) }
    if (this.#writing === null) closeFile()
    else void this.#writing.then(closeFile)
  }

  #finishShort (): Printed {
    try {
      const bytes = Buffer.concat(this.#waiting)
      if (this.#file !== -1) writeAllSync(this.#file, bytes, null)
      this.#check()
      return { size: this.#size, digest: sha256(bytes) }
    } finally {
      this.close()
    }
  }

  /** Without a sandbox the file is in reach of the command. */
  #check (): void {
    if (this.#opts.path === null) return
    const { ino, size } = fstatSync(this.#file)
    const there = lstatSync(this.#opts.path, { throwIfNoEntry: false })
    if (there?.ino !== ino || size !== this.#size) throw outputChanged()
  }

  #take (chunk: Buffer): boolean {
    this.#size += chunk.length
    if (this.#size > this.#opts.maxBytes) {
      this.#opts.onTooMuch()
      return false
    }
    if (this.#error !== null) return false
    if (this.#file === -1) return true
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    if (this.#waiting.length > MOST_CHUNKS) this.#waiting = [Buffer.concat(this.#waiting)]
    if (this.#waitingBytes <= KEEP_BYTES) return true
    if (this.#writing !== null) return false
    void this.#startWriting()
    return true
  }

  #startWriting (): Promise<void> | null {
    if (this.#writing !== null || this.#waiting.length === 0) return this.#writing
    const bytes = Buffer.concat(this.#waiting.splice(0))
    this.#waitingBytes = 0
    this.#hash ??= incrementalSha256()
    this.#hash.update(bytes)
    this.#writing = writeAll(this.#file, bytes, null).catch((err: unknown) => {
      this.#fail(err instanceof Error ? err : new Error(String(err)))
    }).then(() => {
      this.#writing = null
      this.#reader.flow()
    })
    return this.#writing
  }

  #fail (err: Error): void {
    this.#error ??= err
    this.#opts.onError(err)
  }
}

/** Creates a part file, which must not exist; nobody else can read it. */
function createPartFile (at: string): number {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  return openSync(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
}

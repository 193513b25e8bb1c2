/**
 * The stdout of a running command: the bytes of a pipe until its end, hashed on the way and written to the part file.
 * It is complete only when the end has been read: any process that has the other end open is waited for.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync } from 'node:fs'
import { incrementalSha256, sha256 } from '../../base/digest.ts'
import type { IncrementalDigest } from '../../base/digest.ts'
import { writeAll, writeAllSync } from '../../system/write-all.ts'
import { outputChanged } from '../failures.ts'
import type { Fifo } from './fifos.ts'
import { PipeReader } from './pipe-reader.ts'

/**
 * Output up to this size is kept in memory, and written by one call at the end. Of longer output, at most twice this is
 * in memory.
 */
const KEEP_BYTES = 128 * 1024

/** Each chunk costs more than its bytes. */
const MOST_CHUNKS = 256

/** The result of a command's stdout. */
export interface Printed {
  size: number
  /** SHA-256, 32 bytes */
  digest: Uint8Array
}

/** Options of Output. */
export interface OutputOptions {
  /** the part file to create, which must not exist; null: the output is only counted */
  path: string | null
  maxBytes: number
  /** it is longer than `maxBytes`; nothing more is read */
  onTooMuch: () => void
  /** it cannot be read or written; nothing more is read */
  onError: (err: Error) => void
}

/** The stdout of one command. */
export class Output {
  readonly #opts: OutputOptions
  readonly #file: number
  readonly #reader: PipeReader
  #write: number
  #size = 0
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** hash of what has been written; null until the first write */
  #hash: IncrementalDigest | null = null
  #writing: Promise<void> | null = null
  #error: Error | null = null
  #isClosed = false

  /**
   * Creates the part file. If that fails, throws the error and leaves the pipe open.
   * @param fifo is closed here; its `write` may be -1 if it is already closed
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

  /** The writing end, for a command that is started. */
  get write (): number { return this.#write }

  /** The number of bytes that were read. */
  get size (): number { return this.#size }

  /** Resolves when the end has been read. */
  get ended (): Promise<void> { return this.#reader.ended }

  /** The command has its writing end. Closes ours, so that the last process to close it ends the output. */
  release (): void {
    if (this.#write !== -1) closeSync(this.#write)
    this.#write = -1
  }

  /** Reads the output as it arrives: for commands that are not expected to be short. */
  flow (): void { this.#reader.flow() }

  /** The command has ended: normally, all output is there, including its end. */
  drain (): void {
    this.release()
    if (this.#hash === null) this.#reader.drain()
    this.#reader.flow()
  }

  /** To be called when the end has been read. Returns size and digest of the part file. Throws write errors. */
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

  /** The output is no longer needed; it need not have ended. */
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

  /** Without a sandbox, the command could have changed the file. */
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

/** Creates a part file, which must not exist. Nobody else can read it. */
function createPartFile (at: string): number {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  return openSync(at, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
}

/**
 * Reads a pipe as data arrives. Short output is read by one call when it is complete: a stream for each command would
 * cost a quarter of a small command.
 */
import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { errnoOf } from '../../system/io-errors.ts'

/** If the output has not ended after this time, it is read as it arrives. */
const FLOW_MS = 20
const CHUNK_BYTES = 64 * 1024
/**
 * The largest capacity of a pipe, except for root. After reading this much, other code runs before reading continues.
 */
const DRAIN_BYTES = 1024 * 1024
const scratch = Buffer.allocUnsafe(CHUNK_BYTES)

/** Callbacks of the reader. */
export interface ReaderOptions {
  /** receives a chunk, which it may keep; returns false to stop reading until `flow` is called */
  onData: (chunk: Buffer) => boolean
  /** the pipe cannot be read any more, and the end was not seen */
  onError?: (err: Error) => void
  /** keeps this process alive while reading as data arrives; default true */
  isKept?: boolean
}

/** The reading end of a pipe. */
export class PipeReader {
  /**
   * Resolves when the end has been read, i.e. no process has the other end open. Never resolves if it is closed before.
   */
  readonly ended: Promise<void>
  readonly #fd: number
  readonly #opts: ReaderOptions
  readonly #timer: NodeJS.Timeout
  #onEnd: () => void = () => {}
  #socket: Socket | null = null
  #isOver = false

  /** @param fd the reading end of a pipe, which never blocks; it is closed here */
  constructor (fd: number, opts: ReaderOptions) {
    this.#fd = fd
    this.#opts = opts
    this.ended = new Promise(resolve => { this.#onEnd = resolve })
    this.#timer = setTimeout(() => { this.flow() }, FLOW_MS).unref()
  }

  /** True if nothing more will be read. */
  get isOver (): boolean { return this.#isOver }

  /** Starts reading as data arrives; continues after `onData` returned false. */
  flow (): void {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    if (this.#socket === null) this.#open()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  /**
   * Reads what is there now. Not to be used if `onData` ever returns false, because a stream may then hold some of it.
   */
  drain (): void {
    for (let bytes = 0; bytes < DRAIN_BYTES && !this.#isOver;) {
      const chunk = this.#readNow()
      if (chunk === null) return
      if (chunk.length === 0) return this.#end()
      bytes += chunk.length
      if (!this.#opts.onData(chunk)) return
    }
  }

  /** Closes the pipe: a process that still writes to it is ended by SIGPIPE. */
  close (): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    if (this.#socket === null) closeSync(this.#fd)
    else this.#socket.destroy()
  }

  #open (): void {
    const socket = this.#socket = new Socket({ fd: this.#fd, readable: true, writable: false })
    socket.on('data', (chunk: Buffer) => { if (!this.#isOver && !this.#opts.onData(chunk)) socket.pause() })
    socket.on('end', () => { this.#end() })
    socket.on('error', err => {
      if (this.#isOver) return
      this.close()
      this.#opts.onError?.(err)
    })
    if (this.#opts.isKept === false) socket.unref()
  }

  /** null if nothing is there yet; empty at the end. */
  #readNow (): Buffer | null {
    try {
      return Buffer.from(scratch.subarray(0, readSync(this.#fd, scratch)))
    } catch (err) {
      if (errnoOf(err) === 'EAGAIN') return null
      throw err
    }
  }

  #end (): void {
    if (this.#isOver) return
    this.close()
    this.#onEnd()
  }
}

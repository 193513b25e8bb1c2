/**
 * Reads a pipe's end as it comes. What is short is read by one call when it is all there: a stream for each would cost
 * a quarter of what a small command does.
 */
import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { errnoOf } from '../../system/io-errors.ts'

/** A pipe holds less for longer than this: what goes on after it is read as it comes. */
const FLOW_MS = 20
const CHUNK_BYTES = 64 * 1024
/** The most that a pipe may hold, for anybody but root; who reads more goes on when others had their turn. */
const DRAIN_BYTES = 1024 * 1024
const scratch = Buffer.allocUnsafe(CHUNK_BYTES)

/** Who reads. */
export interface ReaderOptions {
  /** takes what was read, its own from then on; false: nothing more, until `flow` is called */
  onData: (chunk: Buffer) => boolean
  /** it cannot be read any more, and the end was not seen */
  onError?: (err: Error) => void
  /** keep this process alive once it is read as it comes; default true */
  isKept?: boolean
}

/** One reading end. */
export class PipeReader {
  /** Resolves when the end was read: nobody has the other end open. Never, if it is closed before. */
  readonly ended: Promise<void>
  readonly #fd: number
  readonly #opts: ReaderOptions
  readonly #timer: NodeJS.Timeout
  #onEnd: () => void = () => {}
  #socket: Socket | null = null
  #isOver = false

  /** @param fd a pipe's reading end, which never blocks; it is closed here */
  constructor (fd: number, opts: ReaderOptions) {
    this.#fd = fd
    this.#opts = opts
    this.ended = new Promise(resolve => { this.#onEnd = resolve })
    this.#timer = setTimeout(() => { this.flow() }, FLOW_MS).unref()
  }

  /** Nothing more comes. */
  get isOver (): boolean { return this.#isOver }

  /** From now on it is read as it comes; again, if somebody had enough. */
  flow (): void {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    if (this.#socket === null) this.#open()
    else if (this.#socket.isPaused()) this.#socket.resume()
  }

  /** Reads what is there, now; not for who ever had enough, as some of it may be waiting for that. */
  drain (): void {
    for (let bytes = 0; bytes < DRAIN_BYTES && !this.#isOver;) {
      const chunk = this.#readNow()
      if (chunk === null) return
      if (chunk.length === 0) return this.#end()
      bytes += chunk.length
      if (!this.#opts.onData(chunk)) return
    }
  }

  /** Nobody reads it any more: who still writes to it is ended by SIGPIPE. */
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

  /** Null if nothing is there yet, empty at the end. */
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

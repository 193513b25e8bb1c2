/**
 * The stderr of a running command: a pipe that is always read, so that a flood of text neither fills a disk nor blocks
 * the command. Only the end is kept. Processes that still have it open after the end of stdout are not waited for.
 */
import { closeSync } from 'node:fs'
import type { Fifo } from './fifos.ts'
import { PipeReader } from './pipe-reader.ts'

/**
 * The part of stderr that is kept: enough for a stack trace or the messages of a compiler, and little memory per slot.
 */
const STDERR_KEEP_BYTES = 64 * 1024
/** Each chunk costs more than its bytes. */
const MOST_CHUNKS = 1024
const STDERR_LINES = 20
const STDERR_LINE_CHARS = 2000

/** Receives the stderr of one command, or of several, one after the other. Pass `write` to the process. */
export class StderrTail {
  readonly #reader: PipeReader
  #write: number
  #kept: Buffer[] = []
  #bytes = 0
  #isCut = false

  /** @param fifo is closed here */
  constructor (fifo: Fifo) {
    this.#write = fifo.write
    this.#reader = new PipeReader(fifo.read, { onData: chunk => this.#keep(chunk), isKept: false })
  }

  /** The writing end, for a process that is started. */
  get write (): number { return this.#write }

  /** The process has its writing end. */
  release (): void {
    if (this.#write !== -1) closeSync(this.#write)
    this.#write = -1
  }

  /** Returns the last lines, cleaned, and forgets them: ready for the next command. */
  take (): string {
    this.#reader.drain()
    if (this.#bytes === 0) return ''
    const [all, isCut] = [Buffer.concat(this.#kept), this.#isCut || this.#bytes > STDERR_KEEP_BYTES]
    this.#kept = []
    this.#bytes = 0
    this.#isCut = false
    return lastLines(all.subarray(-STDERR_KEEP_BYTES).toString('utf8'), isCut)
  }

  /** Stops reading; what was received can still be taken. */
  close (): void {
    this.release()
    this.#reader.drain()
    this.#reader.close()
  }

  #keep (chunk: Buffer): boolean {
    this.#kept.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes <= 2 * STDERR_KEEP_BYTES && this.#kept.length < MOST_CHUNKS) return true
    this.#isCut ||= this.#bytes > STDERR_KEEP_BYTES
    this.#kept = [Buffer.concat(this.#kept).subarray(-STDERR_KEEP_BYTES)]
    this.#bytes = this.#kept[0]!.length
    return true
  }
}

const ESCAPES =
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  /\u001B(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[ -/]*[0-~])|\u009B[0-?]*[ -/]*[@-~]/g
// C0 but tab and newline, DEL, C1, and the marks that turn the direction of text round
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g

/**
 * Makes text from a command safe for a terminal: removes escape sequences, and control characters except tab and
 * newline.
 */
export function cleanText (text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(ESCAPES, '').replace(CONTROLS, '')
}

/** The last lines of a command's stderr, cleaned. `isCut`: the first line may be incomplete. */
export function lastLines (text: string, isCut: boolean): string {
  let lines = cleanText(text).split('\n')
  if (isCut && lines.length > 1) lines = lines.slice(1)
  return lines.map(line => line.trimEnd()).filter(line => line !== '').slice(-STDERR_LINES)
    .map(line => line.length > STDERR_LINE_CHARS ? line.slice(0, STDERR_LINE_CHARS) + '…' : line).join('\n')
}

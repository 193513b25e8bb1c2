/**
 * The stderr of a running command. It goes to a file without a name, not to a pipe: Node's pipes are sockets, on which
 * `echo oops > /dev/stderr` fails, and a flood of text would pass through this process. Only the tail is kept.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, readSync, unlinkSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What is kept of stderr: enough for a stack trace or a compiler's complaint, and harmless to hold for every slot. */
const STDERR_KEEP_BYTES = 64 * 1024
/** The file is emptied beyond this, so a command that only writes to stderr cannot fill the disk; what it writes just then is lost. */
export const STDERR_FILE_BYTES = 16 * 1024 * 1024
/** Stands where something was left out. */
const GAP = Buffer.from('\n')
const STDERR_LINES = 20
const STDERR_LINE_CHARS = 2000

/** Takes a command's stderr; hand its `fd` to the process. */
export class StderrFile {
  readonly fd: number
  readonly #flags: string
  #kept: Buffer = Buffer.alloc(0)

  /** Creates and at once unlinks the file `path`, so nothing is left over whatever happens. */
  constructor (path: string) {
    // O_APPEND: after the file was emptied, a writer goes on at its new end, not behind a hole
    const { O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants
    this.fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600)
    unlinkSync(path)
    this.#flags = this.#readFlags()
  }

  /** Whether it is open as it was made: a command can change that for whoever has it after it. */
  get isAsMade (): boolean { return this.#readFlags() === this.#flags }

  /** Keeps the tail and empties the file when it has grown too large. */
  trim (): void {
    const { size } = fstatSync(this.fd)
    if (size <= STDERR_FILE_BYTES) return
    this.#kept = Buffer.concat([this.#tail(size), GAP])
    ftruncateSync(this.fd, 0)
  }

  /** The last lines, readable; the file is empty afterwards, ready for another command. */
  take (): string {
    const { size } = fstatSync(this.fd)
    if (size === 0 && this.#kept.length === 0) return ''
    const all = Buffer.concat([this.#kept, this.#tail(size)])
    const isCut = all.length > STDERR_KEEP_BYTES || size > STDERR_KEEP_BYTES || this.#kept.length > 0
    this.#kept = Buffer.alloc(0)
    ftruncateSync(this.fd, 0)
    return lastLines(all.subarray(-STDERR_KEEP_BYTES).toString('utf8'), isCut)
  }

  close (): void { closeSync(this.fd) }

  #readFlags (): string {
    try {
      return /^flags:.*/m.exec(readFileSync(`/proc/self/fdinfo/${this.fd}`, 'latin1'))?.[0] ?? ''
    } catch {
      return '' // not Linux
    }
  }

  #tail (size: number): Buffer {
    const buf = Buffer.alloc(Math.min(size, STDERR_KEEP_BYTES))
    const n = readSync(this.fd, buf, 0, buf.length, size - buf.length)
    return buf.subarray(0, n)
  }
}

/** Files that are used again: creating one costs as much as starting a small command on some disks. */
export class StderrFiles {
  readonly #free: StderrFile[] = []

  /** Made in the system's temporary folder, or else beside `path`; throws if neither works. */
  get (path: string): StderrFile {
    const free = this.#free.pop()
    if (free !== undefined) return free
    try {
      return new StderrFile(join(tmpdir(), `bitworker-${randomUUID()}`))
    } catch {
      return new StderrFile(`${path}.stderr`)
    }
  }

  /** Nothing writes to it any more. */
  giveBack (file: StderrFile): void {
    if (file.isAsMade) this.#free.push(file)
    else file.close()
  }

  /** Closes those that are not in use. */
  close (): void {
    for (const file of this.#free.splice(0)) file.close()
  }
}

// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const ESCAPES = /\u001B(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[ -/]*[0-~])|\u009B[0-?]*[ -/]*[@-~]/g
// C0 but tab and newline, DEL, C1, and the marks that turn the direction of text round
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROLS = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069]/g

/** Text from a command, safe to print on a terminal: without escape sequences and control characters but tab and newline. */
export function cleanText (text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(ESCAPES, '').replace(CONTROLS, '')
}

/** The last lines of a command's stderr, cleaned; `isCut` says that the first line may be a rest of one. */
export function lastLines (text: string, isCut: boolean): string {
  let lines = cleanText(text).split('\n')
  if (isCut && lines.length > 1) lines = lines.slice(1)
  return lines.map(line => line.trimEnd()).filter(line => line !== '').slice(-STDERR_LINES)
    .map(line => line.length > STDERR_LINE_CHARS ? line.slice(0, STDERR_LINE_CHARS) + '…' : line).join('\n')
}

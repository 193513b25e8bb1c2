/**
 * Pipes of the kind that shells use. Node offers none: its own are sockets, on which `> /dev/stdout` fails. mkfifo(1)
 * therefore makes named pipes, many at a time, which lose their names as soon as both ends are open: nothing is left
 * behind, whatever happens. Each is used once, because a process that had it may have kept an end, or changed its mode.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CommandError } from '../../base/errors.ts'

/** A pipe with both ends open. The receiver closes them. */
export interface Fifo {
  /** never blocks */
  read: number
  /** -1: closed here */
  write: number
}

/** Number made at a time: few at first, then more, because one run of mkfifo takes as long as 200 of its pipes. */
const [FIRST, MOST] = [8, 128]

/** The pipes of an executor. */
export class Fifos {
  readonly #free: Fifo[] = []
  #next = FIRST

  /**
   * Returns an unused pipe.
   * @param beside folder to make pipes in if neither shared memory nor the system's temporary folder is writable
   */
  take (beside: string): Fifo {
    if (this.#free.length === 0) this.#make(beside)
    return this.#free.pop()!
  }

  /** Makes `count` pipes ahead, so that `take` need not start mkfifo. */
  prepare (count: number, beside: string): void {
    while (this.#free.length < Math.min(count, MOST)) this.#make(beside)
  }

  /** Closes the unused pipes. */
  close (): void {
    for (const fifo of this.#free.splice(0)) closeFifo(fifo)
  }

  #make (beside: string): void {
    const folder = newFolder(beside)
    const paths = Array.from({ length: this.#next }, (_, i) => path.join(folder, String(i)))
    this.#next = Math.min(2 * this.#next, MOST)
    try {
      // others may open it again (/dev/stdout), including a command that runs as another user, who cannot enter the
      // folder
      const { error, status, stderr } = spawnSync('mkfifo', ['-m', '666', '--', ...paths], {
        encoding: 'utf8', env: { PATH: SYSTEM_PATH, LC_ALL: 'C' }
      })
      if (error !== undefined || status !== 0) throw noPipes(error ?? new Error(stderr.trim()))
      for (const at of paths) this.#free.push(openBoth(at))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Closes the ends that are open here. */
export function closeFifo ({ read, write }: Fifo): void {
  closeSync(read)
  if (write !== -1) closeSync(write)
}

const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'

function newFolder (beside: string): string {
  let cause: unknown
  for (const parent of ['/dev/shm', tmpdir(), beside]) {
    try {
      return mkdtempSync(path.join(parent, 'bitworker-'))
    } catch (err) {
      cause = err
    }
  }
  throw noPipes(cause)
}

function openBoth (at: string): Fifo {
  // in this order: the writing end cannot be opened before there is a reader
  const read = openSync(at, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return { read, write: openSync(at, constants.O_WRONLY) }
  } catch (err) {
    closeSync(read)
    throw err
  }
}

function noPipes (cause: unknown): CommandError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new CommandError(
    'BW_ERR_COMMAND_SPAWN',
    `The command could not be started: no pipe could be made for its output (${why}).`,
    { exitCode: null, signal: null, stderr: '' },
    { cause }
  )
}

/**
 * Pipes as shells have them. Node has none to give away: its own are sockets, on which `> /dev/stdout` fails. So
 * mkfifo(1) makes named ones, many at a time, and they lose their names as soon as both ends are open: nothing is left
 * over, whatever happens. Each is used once, as who has had one may have kept an end, or have changed its mode.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { CommandError } from '../../base/errors.ts'

/** A pipe, both ends open. Whoever takes it closes them. */
export interface Fifo {
  /** never blocks */
  read: number
  /** -1: it is closed here */
  write: number
}

/** Made at a time: few at first, then more, as one run of mkfifo takes as long as 200 of its pipes. */
const [FIRST, MOST] = [8, 128]

/** The pipes of an executor. */
export class Fifos {
  readonly #free: Fifo[] = []
  #next = FIRST

  /**
   * One that nobody else has.
   * @param beside folder to make them in where neither shared memory nor the system's temporary folder can be written
   * to
   */
  take (beside: string): Fifo {
    if (this.#free.length === 0) this.#make(beside)
    return this.#free.pop()!
  }

  /** So many are there, so that `take` need not start mkfifo then. */
  prepare (count: number, beside: string): void {
    while (this.#free.length < Math.min(count, MOST)) this.#make(beside)
  }

  /** Closes those that nobody took. */
  close (): void {
    for (const fifo of this.#free.splice(0)) closeFifo(fifo)
  }

  #make (beside: string): void {
    const folder = newFolder(beside)
    const paths = Array.from({ length: this.#next }, (_, i) => path.join(folder, String(i)))
    this.#next = Math.min(2 * this.#next, MOST)
    try {
      // others may open it again (/dev/stdout): a command that is run as another user, too, which cannot enter the
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

/** Closes what is open of it. */
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
  // in this order, as nobody can open the other end before there is a reader
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

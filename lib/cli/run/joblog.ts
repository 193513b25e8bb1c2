/**
 * `run --joblog FILE`: a line for each piece, in the columns of GNU parallel, so that programs which read its files
 * (`parallel --resume-failed`, `--retry-failed`) read this one, too. Seq is the piece, counted from 1.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { BitWorkerError } from '../../base/errors.ts'
import type { DownloadedEvent, FailedEvent } from '../../session/events.ts'
import { workItemEnv } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { explain } from '../output/failure.ts'

const HEADER = 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n'
/** What GNU parallel calls this machine. */
const HERE = ':'
/** Of a command that neither exited nor was killed by a signal, or whose output was refused. */
const NO_EXIT = -1

/** One line, as GNU parallel writes it. */
interface Job {
  piece: number
  /** `:` or the address of a peer */
  host: string
  /** milliseconds since 1970 */
  startedAt: number
  ms: number
  /** bytes of its result */
  size: number
  exitCode: number
  /** 0: none */
  signal: number
}

/** The line of a job. */
function jobLine (task: Task, { piece, host, startedAt, ms, size, exitCode, signal }: Job): string {
  return `${[
    piece + 1, host, seconds(startedAt), seconds(ms).padStart(10), 0, size, exitCode, signal, commandOf(task, piece)
  ].join('\t')}\n`
}

function seconds (ms: number): string { return (ms / 1000).toFixed(3) }

/** What a shell would run; line breaks are written as GNU parallel does. */
function commandOf (task: Task, piece: number): string {
  const env = task.unsupported === undefined ? workItemEnv(task, piece) : {}
  const words = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`)
  return [...words, 'bash', '-c', quoted(task.command)].join(' ').replaceAll('\n', '\0')
}

function quoted (text: string): string {
  return /^[\w./%+,:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** Opens the file, and has every piece of the torrent written to it. Lines are appended to those of earlier runs. */
export class JobLog {
  readonly #path: string
  /** pieces that have failed, and were to be tried again */
  readonly #failed = new Map<number, string>()
  #fd: number

  /** Throws BW_ERR_USAGE for a file that is something else, and errors of the file system. */
  constructor (path: string) {
    this.#path = path
    try {
      this.#fd = openSync(path, 'a+')
    } catch (err) {
      throw explain(err, path)
    }
    const start = Buffer.alloc(HEADER.length)
    const isFile = fstatSync(this.#fd).isFile()
    if (!isFile || readSync(this.#fd, start, 0, HEADER.length, 0) === 0) this.#write(HEADER)
    else if (start.toString('latin1') !== HEADER) {
      closeSync(this.#fd)
      throw new BitWorkerError('BW_ERR_USAGE', 'usage', `${path} exists and is no job log of GNU parallel. Choose another file for --joblog.`)
    }
  }

  /** @param warn called once if the file cannot be written any more */
  follow (torrent: Torrent, warn: (err: unknown) => void): void {
    const add = (job: Omit<Job, 'startedAt'>, isFinal = true): void => {
      if (torrent.task === null || this.#fd === -1) return
      const line = jobLine(torrent.task, { ...job, startedAt: Date.now() - job.ms })
      this.#failed.delete(job.piece)
      if (!isFinal) return void this.#failed.set(job.piece, line)
      try {
        this.#write(line)
      } catch (err) {
        closeSync(this.#fd)
        this.#fd = -1
        warn(explain(err, this.#path))
      }
    }
    torrent.on('computed', ({ piece, ms, size }) => {
      add({ piece, host: HERE, ms, size, exitCode: 0, signal: 0 })
    })
    torrent.on('downloaded', ({ piece, size, from }: DownloadedEvent) => {
      add({ piece, host: from[0] ?? HERE, ms: 0, size, exitCode: 0, signal: 0 })
    })
    torrent.on('failed', failure => {
      const { piece, final, ms } = failure
      if (piece !== null) add({ piece, host: HERE, ms: ms ?? 0, size: 0, ...endOf(failure) }, final)
    })
  }

  /** The run is over: what has failed is not tried again. Throws errors of the file system. */
  close (): void {
    if (this.#fd === -1) return
    for (const line of this.#failed.values()) this.#write(line)
    closeSync(this.#fd)
    this.#fd = -1
  }

  #write (line: string): void { writeSync(this.#fd, line) }
}

function endOf ({ exitCode, signal }: FailedEvent): { exitCode: number, signal: number } {
  if (signal !== null) return { exitCode: 0, signal: constants.signals[signal] }
  return { exitCode: exitCode === null || exitCode === 0 ? NO_EXIT : exitCode, signal: 0 }
}

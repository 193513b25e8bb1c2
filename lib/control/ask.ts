/** Asks a running client by its socket. What answers is read strictly: it may be anything that took its place. */
import { lstatSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import process from 'node:process'
import { BitWorkerError } from '../base/errors.ts'
import { errnoOf } from '../system/io-errors.ts'
import { MAX_ANSWER_BYTES, formatRequest, parseStatus } from './protocol.ts'
import type { LiveStatus, Request } from './protocol.ts'
import { receiveBytes } from './reading.ts'
import { withShortPath } from './socket-path.ts'

/** A client that is busy with its disk may take some seconds. */
const PATIENCE_MS = 10_000

/**
 * Connects to the client whose socket this is; null if none listens there. Throws BW_ERR_CONTROL if the socket is
 * another user's or cannot be connected to.
 */
export async function connectTo (file: string): Promise<ControlClient | null> {
  const socket = await connectSocket(file)
  return socket === null ? null : new ControlClient(socket, file)
}

/** Reads a file of the task of the client whose socket this is; null if none listens there. Throws as `connectTo`. */
export async function readFrom (file: string, index: number): Promise<AsyncGenerator<Uint8Array, boolean> | null> {
  const socket = await connectSocket(file)
  return socket === null ? null : receiveBytes(socket, index)
}

async function connectSocket (file: string): Promise<Socket | null> {
  const stats = statsOf(file)
  if (stats?.isSocket() !== true) return null
  if (process.getuid !== undefined && stats.uid !== process.getuid()) {
    throw problem(`${file} belongs to another user, who alone can ask the client. Run the command as that user.`)
  }
  try {
    return await open(file)
  } catch (err) {
    // ECONNREFUSED: it was killed, and its socket is left
    if (errnoOf(err) === 'ECONNREFUSED' || errnoOf(err) === 'ENOENT') return null
    throw problem(`${file} cannot be opened. Run the command as the user who started the client.`, err)
  }
}

/** undefined: there is no such file. Of a path that leads through a file, whoever needs the folder complains. */
function statsOf (file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false })
  } catch (err) {
    if (errnoOf(err) === 'ENOTDIR') return undefined
    throw problem(`${file} cannot be opened. Run the command as the user who started the client.`, err)
  }
}

async function open (file: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    withShortPath(file, shortPath => {
      const socket = connect(shortPath, () => {
        socket.off('error', reject)
        resolve(socket)
      })
      socket.once('error', reject)
    })
  })
}

/** A connection to a running client. */
export class ControlClient {
  readonly #socket: Socket
  readonly #file: string
  #kept = Buffer.alloc(0)
  #last: LiveStatus | null = null
  #answer: ((answer: LiveStatus | null) => void) | null = null

  constructor (socket: Socket, file: string) {
    this.#socket = socket
    this.#file = file
    socket.on('error', () => {})
    socket.on('close', () => this.#answer?.(null))
    socket.on('data', (chunk: Buffer) => { this.#onData(chunk) })
  }

  /** The status with which the client ended; null: it runs, was killed, or has closed this connection only. */
  get last (): LiveStatus | null { return this.#last }

  /**
   * Asks, and resolves with the status afterwards; null: the connection is closed, by the end of the client or to make
   * room for others. One request at a time. Throws BW_ERR_CONTROL if there is no answer, or one of another version.
   */
  async ask (what: Request): Promise<LiveStatus | null> {
    if (this.#socket.destroyed || this.#last !== null) return null
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise<LiveStatus | null>((resolve, reject) => {
        const fail = (why: string): void => {
          this.#socket.destroy()
          reject(problem(`The client of ${this.#file} ${why}`))
        }
        timer = setTimeout(() => { fail('does not answer. Stop it by its signal, or wait.') }, PATIENCE_MS)
        this.#answer = resolve
        this.#strange = () => { fail('gives an answer that this version does not understand. Use the version that it has.') }
        this.#socket.write(formatRequest(what))
      })
    } finally {
      clearTimeout(timer)
      this.#answer = null
    }
  }

  #strange = (): void => { this.#socket.destroy() }

  /** Ends the connection. */
  close (): void { this.#socket.destroy() }

  #onData (chunk: Buffer): void {
    if (this.#kept.length + chunk.length > MAX_ANSWER_BYTES) return this.#strange()
    this.#kept = Buffer.concat([this.#kept, chunk])
    for (let end; (end = this.#kept.indexOf('\n')) !== -1;) {
      const line = this.#kept.toString('utf8', 0, end)
      this.#kept = this.#kept.subarray(end + 1)
      this.#onLine(line)
    }
  }

  #onLine (line: string): void {
    const answer = this.#answer
    this.#answer = null
    this.#last ??= parseStatus(line, 'ended')
    if (this.#last !== null) return answer?.(null)
    const status = parseStatus(line)
    if (status === null || answer === null) this.#strange()
    else answer(status)
  }
}

function problem (message: string, cause?: unknown): BitWorkerError {
  return new BitWorkerError('BW_ERR_CONTROL', 'system', message, { cause })
}

/**
 * The socket of a running client, in the folder of its task: only its user can connect. Whatever connects can neither
 * block the client nor make it keep much: one short request at a time, few connections, and the oldest makes room.
 */
import { once } from 'node:events'
import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import path from 'node:path'
import { MAX_REQUEST_BYTES, formatRefusal, formatStatus, parseRequest } from './protocol.ts'
import type { LiveStatus, Request } from './protocol.ts'
import { parseReading, sendBytes } from './reading.ts'
import { withShortPath } from './socket-path.ts'

const MAX_CONNECTIONS = 8
/** Connections on which files are read: they are not closed to make room. */
const MAX_READERS = 4
/** A connection without a request for so long is closed. */
const IDLE_MS = 30_000
/** Between an answer and the next request of a connection. */
const PAUSE_MS = 20
/** Two lines beyond each other's end: the longest that is kept of a request. */
const MAX_KEPT_BYTES = MAX_REQUEST_BYTES + 1

/** What a client does when it is asked. */
export interface Handler {
  /** does what was asked for, and returns the status afterwards */
  answer: (request: Request) => LiveStatus
  /** the bytes of a file by its index in the task, also while it grows; null: there is no such file */
  read: (file: number) => AsyncIterable<Uint8Array> | null
}

/** Where the socket is. */
export interface ControlPlace {
  /** of the socket */
  file: string
  /** a folder on the same file system that only this user can enter, and whose contents the next start removes */
  scratch: string
}

/** A socket that is listened on. */
export class ControlServer {
  readonly #server: Server
  readonly #file: string
  readonly #ino: number
  /** the oldest first */
  readonly #connections = new Set<Socket>()
  readonly #readers = new Set<Socket>()

  private constructor (server: Server, file: string, ino: number) {
    this.#server = server
    this.#file = file
    this.#ino = ino
  }

  /**
   * Makes the socket. It gets its place when nobody else can open it any more, and replaces the one of a client that
   * was killed: whoever holds the lock of the folder may call this. Throws errors of the file system.
   */
  static async listen ({ file, scratch }: ControlPlace, handler: Handler): Promise<ControlServer> {
    const server = createServer()
    server.unref()
    const folder = mkdtempSync(path.join(scratch, 'control-'))
    try {
      const draft = path.join(folder, 's')
      withShortPath(draft, shortPath => { server.listen(shortPath) })
      // Node makes a Unix socket at once, and tells an error later
      if (!server.listening) await once(server, 'listening')
      server.on('error', () => {}) // EMFILE: this connection is lost, not the client
      chmodSync(draft, 0o600)
      const { ino } = lstatSync(draft)
      renameSync(draft, file)
      const control = new ControlServer(server, file, ino)
      server.on('connection', socket => { control.#accept(socket, handler) })
      return control
    } catch (err) {
      server.close()
      throw err
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  /** Tells all how it ended, ends their connections, and removes the socket unless it is another one by now. */
  close (last: LiveStatus): void {
    this.#server.close()
    const line = formatStatus(last, 'ended')
    // a Unix socket takes so short a line at once
    for (const socket of [...this.#connections, ...this.#readers]) socket.end(line, () => { socket.destroy() })
    try {
      if (lstatSync(this.#file).ino === this.#ino) rmSync(this.#file)
    } catch {} // somebody has removed it
  }

  #accept (socket: Socket, handler: Handler): void {
    const [oldest] = this.#connections
    if (this.#connections.size >= MAX_CONNECTIONS) oldest?.destroy()
    this.#connections.add(socket)
    let kept = Buffer.alloc(0)
    let timer: NodeJS.Timeout | undefined
    const refuse = (why: string): void => {
      socket.removeAllListeners('data')
      socket.end(formatRefusal(why), () => { socket.destroy() })
    }
    socket.unref()
    socket.setTimeout(IDLE_MS, () => { socket.destroy() })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      this.#connections.delete(socket)
      this.#readers.delete(socket)
    })
    socket.on('data', (chunk: Buffer) => {
      if (kept.length + chunk.length > MAX_KEPT_BYTES) return refuse('The request is too long.')
      kept = Buffer.concat([kept, chunk])
      const end = kept.indexOf('\n')
      if (end === -1) return
      if (end < kept.length - 1) return refuse('Wait for the answer before the next request.')
      const line = kept.toString('utf8', 0, end)
      kept = Buffer.alloc(0)
      const file = parseReading(line)
      if (file !== null) return this.#read(socket, file, handler, refuse)
      const request = parseRequest(line)
      if (request === null) return refuse('This is no request of this version.')
      // moved to the end: who asks is not the one that makes room
      this.#connections.delete(socket)
      this.#connections.add(socket)
      socket.pause()
      socket.write(formatStatus(handler.answer(request)), () => {
        timer = setTimeout(() => { socket.resume() }, PAUSE_MS).unref()
      })
    })
  }

  #read (socket: Socket, file: number, { read }: Handler, refuse: (why: string) => void): void {
    if (this.#readers.size >= MAX_READERS) return refuse('Too many commands read from this client.')
    this.#connections.delete(socket)
    this.#readers.add(socket)
    socket.removeAllListeners('data')
    socket.setTimeout(0)
    void sendBytes(socket, read(file))
  }
}

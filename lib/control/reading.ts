/**
 * The bytes of a file, as a running client sends them on its socket: frames of a header line and that many bytes. A
 * last header says that this was all; without it, the reading was broken off. Everything is read within bounds.
 */
import type { Socket } from 'node:net'
import { BitWorkerError } from '../base/errors.ts'

/** The most bytes of a frame: a slice of a file (lib/webtorrent/task-file-view.ts). */
const MAX_FRAME_BYTES = 1 << 20
/** A header has a number, or a message of at most so many characters. */
const MAX_HEADER_BYTES = 8_192
const MAX_MESSAGE = 1_000
const MAX_FILE = 10_000_000

/** The line that asks for a file, by its index in the task. */
function formatReading (file: number): string { return `${JSON.stringify({ read: file })}\n` }

/** The index of the file that a line asks for; null if it does not. */
export function parseReading (line: string): number | null {
  const file = /^\{"read":(\d{1,8})\}$/.exec(line)?.[1]
  return file === undefined || Number(file) > MAX_FILE ? null : Number(file)
}

/**
 * Sends all bytes, at the pace of the reader, then ends the connection. Without a file, or if reading fails, it says
 * so. Never rejects.
 */
export async function sendBytes (socket: Socket, bytes: AsyncIterable<Uint8Array> | null): Promise<void> {
  // whatever is sent meanwhile is no request; and a reader that leaves is noticed
  socket.on('data', () => { socket.destroy() })
  try {
    if (bytes === null) throw new Error('The task has no such file.')
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; at += MAX_FRAME_BYTES) {
        const frame = chunk.subarray(at, at + MAX_FRAME_BYTES)
        if (!await write(socket, Buffer.concat([Buffer.from(`{"bytes":${frame.length}}\n`), frame]))) return
      }
    }
    socket.end('{"end":true}\n')
  } catch (err) {
    const isOver = (err as Partial<BitWorkerError>).code === 'BW_ERR_DESTROYED'
    // the client ends: its last word says how
    if (!isOver) socket.end(`${JSON.stringify({ failed: (err as Error).message.slice(0, MAX_MESSAGE) })}\n`)
  }
}

/** Resolves when more can be written; with false when the connection is closed. */
async function write (socket: Socket, bytes: Uint8Array): Promise<boolean> {
  if (socket.destroyed || socket.writableEnded) return false
  if (socket.write(bytes)) return true
  await new Promise<void>(resolve => {
    const done = (): void => {
      socket.off('drain', done)
      socket.off('close', done)
      resolve()
    }
    socket.on('drain', done)
    socket.on('close', done)
  })
  return !socket.destroyed
}

/**
 * Asks a client for a file, and yields its bytes in order. Returns whether that was all; false: the client has ended,
 * or closed the connection. Throws BW_ERR_CONTROL if it cannot read the file, or what it sends is not understood.
 */
export async function * receiveBytes (socket: Socket, file: number): AsyncGenerator<Uint8Array, boolean> {
  socket.write(formatReading(file))
  let kept: Buffer = Buffer.alloc(0)
  let left = 0
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk])
      while (kept.length > 0) {
        if (left > 0) {
          const bytes = kept.subarray(0, left)
          left -= bytes.length
          kept = kept.subarray(bytes.length)
          yield bytes
          continue
        }
        const end = kept.indexOf('\n')
        if (end === -1 && kept.length <= MAX_HEADER_BYTES) break
        const header = end === -1 || end > MAX_HEADER_BYTES ? null : headerOf(kept.toString('utf8', 0, end))
        if (header === null) throw problem('The client that runs the task gives an answer that this version does not understand. Use the version that it has.')
        if (typeof header === 'boolean') return header
        if (typeof header === 'string') throw problem(header)
        left = header
        kept = kept.subarray(end + 1)
      }
    }
  } catch (err) {
    if (err instanceof BitWorkerError) throw err
    // the connection was reset
  } finally {
    socket.destroy()
  }
  return false
}

/** The length of the bytes that follow; true: the end; false: the client has ended; a text: why it cannot read on. */
function headerOf (line: string): number | string | boolean | null {
  const length = /^\{"bytes":(\d{1,8})\}$/.exec(line)?.[1]
  if (length !== undefined) return Number(length) > 0 && Number(length) <= MAX_FRAME_BYTES ? Number(length) : null
  if (line === '{"end":true}') return true
  if (line.startsWith('{"ended":')) return false
  try {
    const { failed, error = failed } = JSON.parse(line) as { failed?: unknown, error?: unknown }
    return typeof error === 'string' && error !== '' && error.length <= MAX_MESSAGE ? error : null
  } catch {
    return null
  }
}

function problem (message: string): BitWorkerError { return new BitWorkerError('BW_ERR_CONTROL', 'system', message) }

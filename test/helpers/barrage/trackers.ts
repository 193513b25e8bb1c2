/** Trackers that answer with whatever `source` makes, one transport each. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { readSocketMessage } from '../../../lib/discovery/tracker-answer.ts'
import type { Source } from './fire.ts'

/** A tracker that counts what it has answered. */
export interface HostileTracker { readonly url: string, close (): void }

/** `answered` is called after each answer. */
export async function overHttp (source: Source, answered: () => void): Promise<HostileTracker> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', () => {
      const body = source()
      // each eighth body is not what its head says
      const isShort = body.length % 8 === 0
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length + Number(isShort)}\r\n\r\n`)
      if (isShort) socket.once('close', answered).end(body)
      else socket.write(body, answered)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`, close: () => { server.close() } }
}

/** Two answers to each announcement: to the request to connect, and to what comes then. */
export async function overUdp (source: Source, answered: () => void): Promise<HostileTracker> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'listening')
  socket.on('message', (message, from) => {
    const body = source()
    const isConnecting = message.readUInt32BE(8) === 0
    const head = Buffer.alloc(8)
    head.writeUInt32BE(isConnecting ? 0 : 1)
    message.copy(head, 4, 12, 16)
    // one in eight is malformed as early as there, or for another request
    const connected = body.length % 8 === 0 ? Buffer.from(body) : Buffer.concat([head, Buffer.alloc(8, 7)])
    socket.send(isConnecting ? connected : Buffer.concat([head, body]), from.port, from.address)
    if (!isConnecting || body.length % 8 === 0) answered()
  })
  return { url: `udp://127.0.0.1:${socket.address().port}`, close: () => { socket.close() } }
}

/** A tracker that speaks when it is told to. */
export interface SpeakingTracker extends HostileTracker {
  /** sends its client so many messages that it hears, then one that makes it hang up; resolves when it has */
  fire (): Promise<void>
}

/** Of one client, which connects by itself. */
export async function overWebSocket (source: Source, messages: number): Promise<SpeakingTracker> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  const connection = once(server, 'connection') as Promise<[WebSocket]>
  await once(server, 'listening')
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fire: async () => {
      const [socket] = await connection
      socket.on('error', () => {})
      const closed = new Promise<void>(resolve => { socket.once('close', () => { resolve() }) })
      let last = '{'
      for (let sent = 0; sent < messages;) {
        // what is no UTF-8 is something else as text, and possibly in order
        const input = Buffer.from(source()).toString()
        if (!isHeard(input)) last = input
        else {
          socket.send(input)
          sent++
        }
      }
      socket.send(last)
      await closed
    },
    close: () => {
      for (const socket of server.clients) socket.terminate()
      server.close()
    }
  }
}

function isHeard (input: string): boolean {
  try {
    readSocketMessage(Buffer.from(input))
    return true
  } catch {
    return false
  }
}

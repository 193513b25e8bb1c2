// A web seed is a server of somebody's choosing: it gives exactly what was asked for, or the request fails.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import WebConn from 'webtorrent/lib/webconn.js'
import { gzipSync } from 'node:zlib'
import type { InternalWebConn } from '../../lib/connections/web-seed-guards.ts'
import { cleanUp, within } from '../helpers/disk.ts'

await import('../../lib/webtorrent/package-guards.ts')

const LENGTH = 16_384
const PIECE = Buffer.alloc(LENGTH, 'x')
const head = (status: string, fields: string[] = []): string =>
  `HTTP/1.1 ${status}\r\nConnection: close\r\n${fields.map(field => `${field}\r\n`).join('')}\r\n`

/** A server that answers as told, and what it was asked. */
async function serve (
  t: Test, answer: (socket: Socket, request: string) => void
): Promise<{ url: string, requests: string[] }> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (bytes: Buffer) => {
      requests.push(String(bytes))
      answer(socket, String(bytes))
    })
  }).listen(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => {
    for (const socket of sockets) socket.destroy()
    server.close(() => { resolve() })
  }))
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`, requests }
}

function ask (url: string, files = [{ path: 'x', offset: 0, length: 10 * LENGTH }]): Promise<Uint8Array> {
  const torrent = { pieceLength: LENGTH, files, path: '' }
  const seed = Object.assign(Object.create(WebConn.prototype) as InternalWebConn, { url, _torrent: torrent })
  return new Promise((resolve, reject) => {
    seed.httpRequest(1, 0, LENGTH, (err, bytes) => { if (err === null) resolve(bytes!); else reject(err) })
  })
}

/** Writes until the other side has had enough; resolves with how much that was. */
async function pour (socket: Socket): Promise<number> {
  const chunk = Buffer.alloc(65_536)
  while (!socket.destroyed && socket.bytesWritten < 2 ** 30) {
    if (!socket.write(chunk)) await new Promise(resolve => { socket.once('drain', resolve).once('close', resolve) })
  }
  return socket.bytesWritten
}

const ANSWERS: Array<[what: string, answer: (socket: Socket) => unknown, reason: RegExp]> = [
  ['nothing', socket => socket.end(), /./],
  ['no HTTP', socket => socket.end('hello\r\n\r\n'), /./],
  ['an error', socket => socket.end(head('404 No', ['Content-Length: 0'])), /HTTP 404/],
  [
    'an error with a body of the right length',
    socket => socket.end(Buffer.concat([Buffer.from(head('416 No')), PIECE])),
    /HTTP 416/
  ],
  [
    'less',
    socket => socket.end(Buffer.concat([Buffer.from(head('206 Partial')), PIECE.subarray(1)])),
    /16383 bytes instead of the 16384/
  ],
  [
    'less than it says',
    socket =>
      socket.end(Buffer.concat([Buffer.from(head('206 Partial', [`Content-Length: ${LENGTH}`])), PIECE.subarray(1)])),
    /./
  ],
  ['a length that is none', socket => socket.end(head('206 Partial', ['Content-Length: -1'])), /./],
  [
    'a byte more',
    socket => socket.end(Buffer.concat([Buffer.from(head('206 Partial')), PIECE, Buffer.of(1)])),
    /larger than 16384/
  ],
  [
    'the whole file',
    socket => socket.end(Buffer.concat([Buffer.from(head('200 OK')), Buffer.alloc(10 * LENGTH)])),
    /larger than 16384/
  ],
  [
    'a head without end',
    socket => {
      socket.write(`HTTP/1.1 206 Partial\r\nx: ${'x'.repeat(1 << 20)}`)
    },
    /./
  ],
  [
    'a gzip bomb',
    socket =>
      socket.end(
        Buffer.concat([Buffer.from(head('206 Partial', ['Content-Encoding: gzip'])), gzipSync(Buffer.alloc(64 << 20))])
      ),
    /larger than 16384/
  ],
  [
    'a redirect to a file',
    socket => socket.end(head('302 Found', ['Location: file:///etc/passwd', 'Content-Length: 0'])),
    /./
  ],
  ['a redirect to data', socket => socket.end(head('302 Found', ['Location: data:,x', 'Content-Length: 0'])), /./],
  ['a redirect to itself', socket => socket.end(head('302 Found', ['Location: /x', 'Content-Length: 0'])), /./]
]

for (const [what, answer, reason] of ANSWERS) {
  test(`a web seed sends ${what}`, async t => {
    const { url, requests } = await serve(t, answer)
    await ask(url).then(() => t.fail('it was taken'), (err: Error) => t.match(err.message, reason))
    t.ok(requests.length <= 21, `${requests.length} requests`)
  })
}

test('a web seed sends a body without end', async t => {
  let poured: Promise<number> = Promise.resolve(0)
  const { url } = await serve(t, socket => {
    socket.write(head('206 Partial'))
    poured = pour(socket)
  })
  await ask(url).then(() => t.fail('it was taken'), (err: Error) => t.match(err.message, /larger than/))
  t.ok(await poured < 2 ** 30, 'it is left')
})

test('a web seed sends the requested bytes', async t => {
  const { url, requests } = await serve(t, socket =>
    socket.end(Buffer.concat([Buffer.from(head('206 Partial')), PIECE]))
  )
  t.ok(PIECE.equals(await ask(url)))
  t.match(requests[0] ?? '', /range: bytes=16384-32767/i)
})

test('a block of many tiny files is asked for one by one', async t => {
  let [waiting, most] = [0, 0]
  const { url, requests } = await serve(t, (socket, request) => {
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(request)!.map(Number)
    most = Math.max(most, ++waiting)
    setTimeout(() => {
      waiting--
      socket.end(Buffer.concat([Buffer.from(head('206 Partial')), Buffer.alloc(to! - from! + 1)]))
    }, 2)
  })
  const size = LENGTH / 64
  const files = Array.from({ length: 128 }, (_, i) => ({ path: `x/${i}`, offset: i * size, length: size }))
  t.equal((await ask(url, files)).length, LENGTH)
  t.equal(requests.length, 64)
  t.equal(most, 1, 'at once')
})

test('a web seed that is no longer used hears nothing more', async t => {
  const asked = new EventEmitter()
  const { url } = await serve(t, socket => { asked.emit('request', socket) })
  const torrent = { pieceLength: LENGTH, files: [{ path: 'x', offset: 0, length: 2 * LENGTH }], path: '', pieces: [0, 1] }
  const Connection = WebConn as unknown as new (url: string, of: object) => InternalWebConn & EventEmitter
  const seed = new Connection(url, torrent)
  const answered = new Promise<Error | null>(resolve => { seed.emit('request', 1, 0, LENGTH, resolve) })
  const [socket] = await within(once(asked, 'request'), 'a request') as [Socket]
  const closed = once(socket, 'close')
  seed.destroy()
  t.match((await within(answered, 'an answer'))?.message ?? '', /closed/)
  await within(closed, 'the end of the connection')
})

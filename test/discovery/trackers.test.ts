// A tracker can say what it likes, over each transport: it makes a warning that names it and says why, and never more
// than that.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { EventEmitter } from 'node:events'
import bencode from 'bencode'
import { Client } from 'bittorrent-tracker'
import test from 'tape'
import type { Test } from 'tape'
import { WebSocketServer } from 'ws'
import { cleanUp } from '../helpers/disk.ts'
import { eventOf } from '../helpers/swarm.ts'

await import('../../lib/webtorrent/package-guards.ts')

const HASH = 'ab'.repeat(20)
const BINARY_HASH = Buffer.from(HASH, 'hex').toString('latin1')

interface TrackerClient extends EventEmitter {
  start (): void
  destroy (cb: () => void): void
  readonly _trackers: Array<{ interval: { _repeat: number } | null }>
}

function ask (t: Test, url: string): TrackerClient {
  const client = new Client({ infoHash: HASH, peerId: 'cd'.repeat(20), port: 6881, announce: [url] }) as TrackerClient
  cleanUp(t, () => new Promise<void>(resolve => { client.destroy(resolve) }))
  client.start()
  return client
}

async function warningOf (client: TrackerClient): Promise<string> {
  const [err] = await eventOf(client, 'warning')
  return err instanceof Error ? err.message : `no Error: ${String(err)}`
}

/** Milliseconds after which the tracker is asked again. */
function interval (client: TrackerClient): number | undefined { return client._trackers[0]?.interval?._repeat }

/** An HTTP server whose answers are written as they are. */
async function rawServer (t: Test, answer: (socket: Socket) => void): Promise<string> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => { answer(socket) })
  }).listen(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { server.close(() => { resolve() }) }))
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`
}

const HEAD = 'HTTP/1.1 200 OK\r\nConnection: close\r\n'
const body = (value: unknown): Buffer => {
  const bytes = bencode.encode(value)
  return Buffer.concat([Buffer.from(`${HEAD}Content-Length: ${bytes.length}\r\n\r\n`), bytes])
}

const HTTP: Array<[what: string, answer: Buffer | string, reason: RegExp]> = [
  ['a body shorter than said', `${HEAD}Content-Length: 100\r\n\r\nd8:`, /length|closed/],
  ['no gzip', `${HEAD}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nd0:e`, /header check/],
  ['a bad chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\nd\r\n`, /./],
  ['a length that is none', `${HEAD}Content-Length: x\r\n\r\n`, /./],
  ['nothing', '', /closed/],
  ['an empty body', `${HEAD}Content-Length: 0\r\n\r\n`, /malformed/],
  ['an error', 'HTTP/1.1 500 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', /HTTP 500/],
  ['a number', body(5), /malformed/],
  ['a list', body([]), /malformed/],
  ['a refusal', body({ 'failure reason': 'go away' }), /go away/],
  [
    'itself, for ever',
    'HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /announce\r\nContent-Length: 0\r\n\r\n',
    /redirect/
  ],
  [
    'a file',
    'HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n',
    /file:, which is not fetched/
  ]
]

for (const [what, answer, reason] of HTTP) {
  test(`an HTTP tracker answers with ${what}`, async t => {
    const url = await rawServer(t, socket => { socket.end(answer) })
    const message = await warningOf(ask(t, url))
    t.ok(message.startsWith(`${url}: `), message)
    t.match(message.slice(url.length + 2), reason)
  })
}

test('an HTTP tracker with an endless body is cut off after a mebibyte', async t => {
  let sent = 0
  const url = await rawServer(t, socket => {
    socket.write(`${HEAD}\r\n`)
    const more = (): void => {
      if (!socket.destroyed) socket.write(Buffer.alloc(65_536, 'd'), () => { sent += 65_536; more() })
    }
    more()
  })
  t.match(await warningOf(ask(t, url)), /larger than/)
  t.ok(sent < 64 << 20, `${sent} bytes were sent`)
})

test('values of wrong types from an HTTP tracker are ignored', async t => {
  for (const value of [
    { interval: 'x', peers: 5 },
    { interval: [], peers: { a: 1 } },
    { interval: -5, complete: 'x', peers: [1, 'a', { ip: 5, port: 'x' }] },
    { 'failure reason': {}, 'warning message': 7, 'tracker id': [], peers: '' },
    { peers: 'abc', peers6: 'abc' }
  ]) {
    const url = await rawServer(t, socket => {
      socket.end(body(value))
    })
    const client = ask(t, url)
    client.on('peer', () => {
      t.fail('a peer')
    })
    client.on('warning', err => {
      t.fail((err as Error).message)
    })
    await eventOf(client, 'update')
    t.equal(interval(client), 1_800_000, JSON.stringify(value))
  }
})

test('peers of an HTTP tracker arrive, in either form', async t => {
  const compact = Uint8Array.of(1, 2, 3, 4, 0, 80, 5, 6, 7, 8, 1, 0, 9)
  const peers6 = Uint8Array.from({ length: 19 }, (_, i) => i)
  for (const peers of [compact, [{ ip: '1.2.3.4', port: 80 }, { ip: 'x', port: 1 }, { ip: '5.6.7.8', port: 256 }]]) {
    const url = await rawServer(t, socket => { socket.end(body({ interval: 100, peers, peers6 })) })
    const found: unknown[] = []
    const client = ask(t, url)
    client.on('peer', peer => { found.push(peer) })
    await eventOf(client, 'update')
    t.same(found, ['1.2.3.4:80', '5.6.7.8:256', '[1:203:405:607:809:a0b:c0d:e0f]:4113'])
  }
})

test('a tracker is asked between once a minute and once a day, whatever interval it sets', async t => {
  for (const [said, after] of [
    [{ interval: 1 }, 60_000],
    [{ interval: 0 }, 1_800_000],
    [{ interval: 120 }, 120_000],
    [{ interval: 1e12 }, 86_400_000],
    [{ interval: 2 ** 31 }, 86_400_000],
    [{ interval: -1 }, 1_800_000],
    [{ interval: 120, 'min interval': 600 }, 600_000],
    [{ 'min interval': 600 }, 600_000]
  ] as const) {
    const client = ask(
      t,
      await rawServer(t, socket => {
        socket.end(body({ ...said, peers: '' }))
      })
    )
    await eventOf(client, 'update')
    t.equal(interval(client), after, JSON.stringify(said))
  }
  for (const [retry, after] of [
    [0, 60_000], [5, 300_000], ['10', 600_000], ['never', 86_400_000], [[], 1_800_000]
  ] as const) {
    const client = ask(
      t,
      await rawServer(t, socket => {
        socket.end(body({ 'failure reason': 'no', 'retry in': retry }))
      })
    )
    await warningOf(client)
    t.equal(interval(client), after, `retry in ${String(retry)}`)
  }
})

/** A UDP tracker that answers each datagram as it is told, and counts them. */
async function udpTracker (
  t: Test, answer: (message: Buffer, count: number) => Uint8Array | null
): Promise<{ url: string, received: () => number }> {
  let received = 0
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  socket.on('message', (message, { port, address }) => {
    const bytes = answer(message, received++)
    if (bytes !== null) socket.send(bytes, port, address)
  })
  cleanUp(t, () => new Promise<void>(resolve => { socket.close(() => { resolve() }) }))
  await once(socket, 'listening')
  return { url: `udp://127.0.0.1:${socket.address().port}`, received: () => received }
}

const transaction = (message: Buffer): Buffer => message.subarray(12, 16)
const u32 = (...values: number[]): Buffer =>
  Buffer.concat(values.map(value => Buffer.of(value >>> 24, value >> 16, value >> 8, value)))
const connected = (message: Buffer): Buffer => Buffer.concat([u32(0), transaction(message), Buffer.alloc(8, 7)])

test('a UDP tracker', async t => {
  const { url, received } = await udpTracker(t, (message, count) => {
    return count === 0
      ? connected(message)
      : Buffer.concat([u32(1), transaction(message), u32(1, 2, 3), Buffer.of(1, 2, 3, 4, 0, 80, 9)])
  })
  const client = ask(t, url)
  const [[update], [peer]] = await Promise.all([eventOf(client, 'update'), eventOf(client, 'peer')])
  t.same([(update as { complete: number }).complete, peer, received()], [3, '1.2.3.4:80', 2])
  t.equal(interval(client), 60_000)
})

for (const [what, answer, reason] of [
  ['a short answer', (m: Buffer) => Buffer.concat([u32(0), transaction(m)]), /malformed/],
  [
    'an answer to something else', (m: Buffer) => Buffer.concat([u32(2), transaction(m), Buffer.alloc(12)]), /malformed/
  ],
  ['a refusal', (m: Buffer) => Buffer.concat([u32(3), transaction(m), Buffer.from('go away')]), /go away/],
  ['connections without end', connected, /malformed/]
] as const) {
  test(`a UDP tracker sends ${what}`, async t => {
    const { url, received } = await udpTracker(t, answer)
    t.match(await warningOf(ask(t, url)), reason)
    t.ok(received() <= 2, `${received()} datagrams were sent to it`)
  })
}

test('a UDP tracker that nobody runs', async t => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const url = `udp://127.0.0.1:${socket.address().port}`
  await new Promise<void>(resolve => { socket.close(resolve) })
  t.equal(await warningOf(ask(t, url)), `${url}: connection refused`)
})

/** A WebSocket tracker that says these things to whoever connects. */
async function socketTracker (t: Test, messages: Array<string | Buffer>): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', socket => {
    socket.on('error', () => {})
    for (const message of messages) socket.send(message)
  })
  cleanUp(t, () => new Promise<void>(resolve => {
    for (const socket of server.clients) socket.terminate()
    server.close(() => { resolve() })
  }))
  await once(server, 'listening')
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
}

for (const [what, message, reason] of [
  ['null', 'null', /malformed/],
  ['no JSON', '{', /malformed/],
  ['a number', '5', /malformed/],
  ['a list', '[]', /malformed/],
  ['nothing', '{}', /malformed/],
  ['a refusal', '{"failure reason":"go away"}', /go away/],
  ['an action that is none', '{"action":{"toString":5}}', /malformed/],
  ['a message of 65 KiB', JSON.stringify({ action: 'announce', x: 'x'.repeat(66_000) }), /closed|payload|failed/i]
] as const) {
  test(`a WebSocket tracker sends ${what}`, async t => {
    const url = await socketTracker(t, [message])
    const warning = await warningOf(ask(t, url))
    t.ok(warning.startsWith(`${url}: `), warning)
    t.match(warning, reason)
  })
}

test('a WebSocket tracker sends what lacks this and that', async t => {
  const announce = { action: 'announce', info_hash: BINARY_HASH }
  const url = await socketTracker(
    t,
    [
      { action: 'announce' },
      { ...announce, info_hash: 5 },
      { ...announce, interval: 'x', complete: [] },
      { ...announce, answer: {}, peer_id: {} },
      { ...announce, offer: { type: 5, sdp: {} }, peer_id: 'x'.repeat(20) },
      { ...announce, offer: { type: 'offer', sdp: 'x' }, peer_id: 'x'.repeat(20) },
      { ...announce, offer: { type: 'offer', sdp: 'v=0\r\n' }, offer_id: 'x'.repeat(20), peer_id: 'x'.repeat(20) },
      { ...announce, answer: { type: 'answer', sdp: 'x' }, offer_id: 'x'.repeat(20), peer_id: 'x'.repeat(20) },
      { action: 'scrape', files: { x: 5 } },
      { ...announce, interval: 1, complete: 1, incomplete: 2 }
    ].map(message => JSON.stringify(message))
  )
  const client = ask(t, url)
  const [[warning]] = await Promise.all([eventOf(client, 'warning'), eventOf(client, 'update')])
  t.match((warning as Error).message, /a peer from this tracker/, 'of the one that might have been a peer')
  t.equal(interval(client), 60_000)
})

test('a WebSocket tracker that sends an empty message is left', async t => {
  // with another message before it, it would stay in the queue of the stream
  const other = JSON.stringify({ action: 'announce', info_hash: 'of another torrent' })
  t.match(await warningOf(ask(t, await socketTracker(t, [other, '', '']))), /an empty message/)
})

test('empty messages of a WebRTC peer do not pile up', async t => {
  const client = ask(t, await socketTracker(t, []))
  interface StreamPeer {
    _readableState: { queue: { length: number } }
    _onChannelMessage (event: { data: ArrayBuffer }): void
    destroy (): void
  }
  const [tracker] = (client as unknown as { _trackers: Array<{ _createPeer (opts: object): StreamPeer }> })._trackers
  const peer = tracker!._createPeer({ initiator: true })
  cleanUp(t, () => { peer.destroy() })
  for (let i = 0; i < 10; i++) peer._onChannelMessage({ data: new ArrayBuffer(0) })
  t.equal(peer._readableState.queue.length, 0)
  peer._onChannelMessage({ data: new ArrayBuffer(1) })
  t.equal(peer._readableState.queue.length, 1, 'others are queued')
})

test('a WebSocket tracker that floods is left', async t => {
  const message = JSON.stringify({ action: 'announce', info_hash: BINARY_HASH })
  t.match(
    await warningOf(
      ask(
        t,
        await socketTracker(
          t, Array.from({ length: 1100 }, () => message)
        )
      )
    ),
    /too many messages/
  )
})

test('a WebSocket tracker that has a new warning each time, of its own or of peers that it offers, is heard once a minute', async t => {
  const announce = { action: 'announce', info_hash: BINARY_HASH }
  const offer = { type: 'offer', sdp: 'v=0\r\n' }
  const client = ask(
    t,
    await socketTracker(
      t,
      [
        ...Array.from({ length: 100 }, (_, i) => ({ ...announce, 'failure reason': `reason ${i}` })),
        ...Array.from({ length: 100 }, (_, i) => ({ ...announce, 'warning message': `warning ${i}` })),
        ...Array.from({ length: 10 }, (_, i) => ({
          ...announce, offer, offer_id: String(i).padEnd(20), peer_id: 'x'.repeat(20)
        })),
        { ...announce, complete: 1, incomplete: 2 }
      ].map(message => JSON.stringify(message))
    )
  )
  const warnings: string[] = []
  client.on('warning', (err: Error) => {
    warnings.push(err.message)
  })
  await eventOf(client, 'update')
  t.equal(warnings.length, 1, warnings.join())
})

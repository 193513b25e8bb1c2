// `bitworker tracker` is asked by strangers, over each transport.
import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import bencode from 'bencode'
import test from 'tape'
import type { Test } from 'tape'
import { WebSocket } from 'ws'
import { TrackerServer } from '../../lib/discovery/tracker-server.ts'
import { cleanUp, within } from '../helpers/disk.ts'

async function start (t: Test): Promise<{ server: TrackerServer, port: number }> {
  const server = new TrackerServer()
  server.http.listen(0, '127.0.0.1')
  await once(server.http, 'listening')
  const { port } = server.http.address() as AddressInfo
  await once(server.udp4.bind(port, '127.0.0.1'), 'listening')
  cleanUp(t, () => new Promise<void>(resolve => { server.close(resolve) }))
  return { server, port }
}

const percent = (byte: string, count = 20): string => `%${byte}`.repeat(count)

async function announce (port: number, query: string, path = '/announce'): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${port}${path}?${query}`, { headers: { connection: 'close' } })
  return bencode.decode(new Uint8Array(await response.arrayBuffer())) as Record<string, unknown>
}

const GOOD = `info_hash=${percent('ab')}&peer_id=${percent('cd')}&port=6881&compact=1&event=started&left=1`
const reason = (answer: Record<string, unknown>): string =>
  Buffer.from((answer['failure reason'] ?? '') as Uint8Array).toString()

test('HTTP: what is malformed is refused, and the next one is answered', async t => {
  const { port, server } = await start(t)
  for (const query of [
    GOOD.replace('6881', '1.5'),
    GOOD.replace('6881', '0'),
    GOOD.replace('6881', '65536'),
    GOOD.replace('6881', 'x'),
    `${GOOD}&port=1`,
    `${GOOD}&event=x`,
    GOOD.replace('started', '__proto__'),
    `${GOOD}&info_hash=${percent('ab')}`,
    GOOD.replace(percent('ab'), 'x'),
    '',
    '&&&=&='
  ])
    t.match(reason(await announce(port, query)), /invalid/, query.slice(-40))
  t.match(
    reason(await announce(port, '', '/scrape')), /invalid info_hash/, 'a list of all torrents is nobody’s business'
  )
  t.match(reason(await announce(port, `info_hash=x&info_hash=${percent('ab')}`, '/scrape')), /invalid info_hash/)
  for (const extra of ['', '&compact=5', '&numwant=-1', '&numwant=1e9', '&left=-1', '&left=x', '&ip=5', '&compact=0']) {
    t.equal(reason(await announce(port, `${GOOD}${extra}`)), '', `good${extra}`)
  }
  t.same(server.stats, { torrents: 1, peers: 1 })
  const stats = await fetch(`http://127.0.0.1:${port}/stats.json`)
  t.same(await stats.json(), { torrents: 1, peers: 1 })
  t.equal((await fetch(`http://127.0.0.1:${port}/announce`, { method: 'POST', body: 'x' })).status, 405)
})

test('HTTP: a request that arrives byte by byte has a time limit', async t => {
  const { port, server } = await start(t)
  t.equal(server.http.headersTimeout, 10_000)
  t.equal(server.http.requestTimeout, 10_000)
  const socket = connect(port, '127.0.0.1').on('error', () => {}).resume()
  socket.write(`GET /${'x'.repeat(20_000)}`)
  await within(once(socket, 'close'), 'a long line')
  t.pass('a request line of 20 000 bytes')
})

const u32 = (...values: number[]): Buffer =>
  Buffer.concat(values.map(value => Buffer.of(value >>> 24, value >> 16, value >> 8, value)))

async function exchange (socket: Socket, port: number, message: Uint8Array): Promise<Buffer> {
  const answer = once(socket, 'message')
  socket.send(message, port, '127.0.0.1')
  return (await within(answer, 'an answer'))[0] as Buffer
}

test('UDP: a request needs a connection id, and the address in it is ignored', async t => {
  const { port, server } = await start(t)
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { socket.close(() => { resolve() }) }))
  await once(socket, 'listening')
  const protocol = Buffer.from('0000041727101980', 'hex')
  const body = Buffer.concat([
    Buffer.alloc(20, 1), Buffer.alloc(20, 2), Buffer.alloc(24), u32(2, 0x01020304, 0, 50), Buffer.of(26, 225)
  ])
  socket.send(Buffer.concat([protocol, u32(1, 7), body]), port, '127.0.0.1')
  for (let length = 0; length < 20; length++) socket.send(Buffer.alloc(length, 3), port, '127.0.0.1')
  const connected = await exchange(socket, port, Buffer.concat([protocol, u32(0, 8)]))
  t.same(
    [connected.readUInt32BE(0), connected.readUInt32BE(4), connected.length],
    [0, 8, 16],
    'the first answer is to the request to connect'
  )
  t.same(server.stats, { torrents: 0, peers: 0 })
  const id = connected.subarray(8)
  t.notSame(id, protocol)
  for (const cut of [0, 10, 40, 63, 81]) {
    socket.send(Buffer.concat([id, u32(1, 9), body.subarray(0, cut)]), port, '127.0.0.1')
  }
  const announced = await exchange(socket, port, Buffer.concat([id, u32(1, 10), body]))
  t.same([announced.readUInt32BE(0), announced.readUInt32BE(4)], [1, 10])
  t.equal(announced.subarray(20).toString('hex'), '7f0000011ae1', 'the address is where it came from')
  t.same(
    (await exchange(socket, port, Buffer.concat([id, u32(2, 11), Buffer.alloc(20, 1)]))).readUInt32BE(0), 2, 'scrape'
  )
})

interface Answer { interval?: number, 'failure reason'?: string }

/** Sends messages over one connection; the answers, or 'closed'. Refusals come first. */
async function say (port: number, messages: Array<string | Uint8Array>): Promise<Answer[] | 'closed'> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`)
  socket.on('error', () => {})
  await once(socket, 'open')
  const answers: Answer[] = []
  const ended = new Promise<Answer[] | 'closed'>(resolve => {
    socket.once('close', () => { resolve('closed') })
    socket.on('message', (data: Buffer) => {
      answers.push(JSON.parse(data.toString()) as Answer)
      if (answers.length === messages.length) resolve(answers)
    })
  })
  for (const message of messages) socket.send(message)
  const last = await within(ended, 'the last answer')
  socket.terminate()
  return last
}

const refusal = (answers: Answer[] | 'closed'): string =>
  answers === 'closed' ? answers : (answers.find(each => each['failure reason'])?.['failure reason'] ?? '')
const isAnswered = (answers: Answer[] | 'closed'): boolean =>
  answers !== 'closed' && answers.some(each => each.interval === 120)

test('WebSocket: what is malformed is refused, and the next one is answered', async t => {
  const { port, server } = await start(t)
  const good = {
    action: 'announce',
    info_hash: 'a'.repeat(20),
    peer_id: 'b'.repeat(20),
    event: 'started',
    left: 1,
    numwant: 5,
    offers: []
  }
  const offer = { offer: { type: 'offer', sdp: 'v=0' }, offer_id: 'c'.repeat(20) }
  for (const wrong of [
    null,
    5,
    [],
    {},
    { action: 'scrape' },
    { action: 'scrape', info_hash: 5 },
    { action: 'scrape', info_hash: {} },
    { action: 'scrape', info_hash: [5] },
    { ...good, info_hash: 5 },
    { ...good, info_hash: [] },
    { ...good, peer_id: {} },
    { ...good, event: {} },
    { ...good, offers: 5 },
    { ...good, offers: [5] },
    { ...good, offers: { length: 5 } },
    { ...good, offers: Array.from({ length: 11 }, () => offer) },
    { ...good, answer: {} },
    { ...good, answer: offer.offer },
    { ...good, answer: offer.offer, to_peer_id: 'x', offer_id: 'c' }
  ]) {
    const answers = await say(port, [JSON.stringify(wrong), JSON.stringify(good)])
    t.notEqual(refusal(answers), '', JSON.stringify(wrong).slice(0, 60))
    t.ok(isAnswered(answers), 'and the next one is answered')
  }
  t.ok(
    isAnswered(
      await say(port, [
        JSON.stringify({ action: 'scrape', info_hash: good.info_hash, offers: [offer], answer: 5 }),
        JSON.stringify(good)
      ])
    ),
    'a scrape with offers'
  )
  t.ok(isAnswered(await say(port, [Buffer.from([0xff, 0xfe]), JSON.stringify(good)])), 'bytes that are no text')
  // clients of one process share a connection
  t.equal(
    refusal(await say(port, [JSON.stringify(good), JSON.stringify({ ...good, peer_id: 'x'.repeat(20) })])),
    '',
    'another peer id'
  )
  t.equal(await say(port, ['x'.repeat(200_000)]), 'closed', 'a message of 200 000 bytes')
  t.equal(await say(port, Array.from({ length: 600 }, () => 'null')), 'closed', 'a flood')
  const torrents = Array.from({ length: 129 }, (_, i) =>
    JSON.stringify({ ...good, info_hash: String(i).padStart(20, '0') })
  )
  t.match(refusal(await say(port, torrents)), /too many peers/)
  t.ok(server.stats.torrents <= 129)
})

test('the number of entries is limited, and the oldest is dropped', async t => {
  const { server } = await start(t)
  const ask = (n: number, ip: string): Promise<Error | null> => new Promise(resolve => {
    const hash = n.toString(16).padStart(40, '0')
    server._onRequest(
      {
        action: 1,
        type: 'udp',
        compact: 1,
        numwant: 50,
        info_hash: hash,
        peer_id: hash,
        port: 1 + (n % 65_535),
        ip,
        addr: `${ip}:${n}`,
        left: 1
      },
      resolve
    )
  })
  let refused = 0
  for (let n = 0; n < 1500; n++) if (await ask(n, '192.0.2.1') !== null) refused++
  t.equal(refused, 500, 'one address makes a thousand')
  for (let n = 2000; n < 13_000; n++) await ask(n, `10.0.${n >> 8}.${n & 255}`)
  t.same(server.stats, { torrents: 10_000, peers: 10_000 })
})

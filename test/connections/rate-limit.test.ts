// The limits of a client: what did not come, or was not sent, is not counted, and who is gone does not wait.
import Protocol from 'bittorrent-protocol'
import test from 'tape'
import type { Test } from 'tape'
import type { Wire } from '../../lib/base/wire.ts'
import { queueBlocks } from '../../lib/connections/block-queues.ts'
import { RateLimit } from '../../lib/connections/rate-limit.ts'
import { frame, u32 } from '../helpers/hostile-peer.ts'

const BLOCK = 16_384

/** A limit whose bucket no time fills. */
function limitOf (rate: number): { limit: RateLimit, bucket: { content: number, drip: () => void } } {
  const bucket = { content: 1, drip: () => {} }
  return { bucket, limit: new RateLimit({ getEnabled: () => true, getRate: () => rate, bucket }) }
}

interface Raw {
  _parse (size: number, parser: (data: Uint8Array) => void): void
  _onMessageLength (data: Uint8Array): void
  _write (data: Uint8Array, cb: () => void): void
  _onTimeout (): void
  peerChoking: boolean
  amChoking: boolean
  hasFast: boolean
}

interface Limited {
  wire: Wire & Raw
  up: ReturnType<typeof limitOf>
  down: ReturnType<typeof limitOf>
  hear: (...frames: Uint8Array[]) => void
}

/** A wire after the handshake; both limits have room for one block at a time. */
function limited (t: Test, { hasFast = true, rate = 100_000 } = {}): Limited {
  const [up, down] = [limitOf(rate), limitOf(rate)]
  const wire = new Protocol('tcpOutgoing') as unknown as Wire & Raw
  queueBlocks(wire, { up: up.limit, down: down.limit })
  wire._parse(4, wire._onMessageLength.bind(wire))
  Object.assign(wire, { peerChoking: false, amChoking: false, hasFast })
  t.teardown(() => { wire.destroy() })
  return { wire, up, down, hear: (...frames) => { for (const each of frames) wire._write(each, () => {}) } }
}

const turn = async (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })
const block = frame(7, Buffer.concat([u32(0, 0), Buffer.alloc(BLOCK)]))

for (const [name, end, costs] of [
  ['has its block', ({ hear }) => { hear(block) }, block.length],
  ['is rejected', ({ hear }) => { hear(frame(16, u32(0, 0, BLOCK))) }, 17],
  ['is choked without BEP 6', ({ hear }) => { hear(frame(0)) }, 5],
  ['is cancelled', ({ wire }) => { wire.cancel(0, 0, BLOCK) }, 0],
  ['is cancelled and has its block', ({ wire, hear }) => { wire.cancel(0, 0, BLOCK); hear(block) }, block.length],
  ['times out', ({ wire }) => { wire._onTimeout() }, 0],
  ['is of a connection that ends', ({ wire }) => { wire.destroy() }, 0]
] as Array<[string, (each: Limited) => void, number]>) {
  test(`download limit: a request that ${name} costs what came in`, async t => {
    const each = limited(t, { hasFast: name !== 'is choked without BEP 6' })
    each.wire.request(0, 0, BLOCK, () => {})
    t.equal(each.down.bucket.content, 1 - BLOCK, 'sent, and counted')
    end(each)
    await turn()
    t.equal(each.down.bucket.content, 1 - costs)
  })
}

test('download limit: a block that was not asked for is counted', t => {
  const { down, hear } = limited(t)
  hear(block)
  t.equal(down.bucket.content, 1 - block.length)
  t.end()
})

test('download limit: two equal requests are counted, and taken back, one by one', t => {
  const { wire, down, hear } = limited(t)
  down.bucket.content = 10 * BLOCK
  for (let i = 0; i < 2; i++) wire.request(0, 0, BLOCK, () => {})
  return turn().then(() => {
    t.equal(down.bucket.content, 8 * BLOCK)
    for (const left of [9, 10]) {
      hear(frame(16, u32(0, 0, BLOCK)))
      t.equal(down.bucket.content, left * BLOCK - 17 * (left - 8))
    }
  })
})

test('upload limit: a choke takes back blocks that are being read', t => {
  const { wire, up, hear } = limited(t)
  hear(frame(6, u32(0, 0, BLOCK)))
  t.equal(up.bucket.content, 1 - BLOCK)
  wire.choke()
  // five bytes of choke, seventeen of reject
  t.equal(up.bucket.content, 1 - 22)
  t.end()
})

test('at a rate of 0 nobody waits whose connection has ended', t => {
  for (let i = 0; i < 3; i++) {
    const { wire, up, down, hear } = limited(t, { rate: 0 })
    wire.request(0, 0, BLOCK, () => {})
    hear(frame(6, u32(0, 0, BLOCK)))
    t.same([up.limit.waiting, down.limit.waiting], [1, 1])
    if (i === 0) wire.choke()
    else wire.destroy()
    if (i === 0) t.same([up.limit.waiting, down.limit.waiting], [0, 1], 'a choke ends what the peer asked for')
    else void turn().then(() => { t.same([up.limit.waiting, down.limit.waiting], [0, 0]) })
  }
  void turn().then(() => { t.end() })
})

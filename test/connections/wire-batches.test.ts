// What is said on a wire in one turn goes out as one chunk.
import { setImmediate as turn } from 'node:timers/promises'
import Wire from 'bittorrent-protocol'
import test from 'tape'
import type { Wire as WireType } from '../../lib/base/wire.ts'
import { WireBatches } from '../../lib/connections/wire-batches.ts'

type Pushing = WireType & { push(data: Uint8Array | null): boolean, handshake(infoHash: string, peerId: string): void }

/** A wire whose chunks are kept. */
function createWire (batches: WireBatches): { wire: Pushing, chunks: Uint8Array[] } {
  const wire = new Wire('tcpIncoming') as unknown as Pushing
  wire.handshake('11'.repeat(20), '22'.repeat(20))
  const chunks: Uint8Array[] = []
  const push = wire.push.bind(wire)
  wire.push = data => {
    if (data !== null) chunks.push(data)
    return push(data)
  }
  batches.add(wire)
  return { wire, chunks }
}

test('messages of a turn are one chunk for each wire, in their order', async t => {
  const batches = new WireBatches()
  const [a, b] = [createWire(batches), createWire(batches)]
  a.wire.have(1)
  b.wire.have(3)
  a.wire.have(2)
  t.same([a.chunks, b.chunks], [[], []])
  await turn()
  t.same(a.chunks.map(chunk => Buffer.from(chunk).toString('hex')), ['000000050400000001000000050400000002'])
  t.same(b.chunks.map(chunk => Buffer.from(chunk).toString('hex')), ['000000050400000003'])
  a.wire.have(4)
  await turn()
  t.equal(a.chunks.length, 2, 'and of the next turn the next one')
})

test('a chunk does not grow without bounds', async t => {
  const { wire, chunks } = createWire(new WireBatches())
  for (let index = 0; index < 20_000; index++) wire.have(index)
  t.equal(chunks.length, 2, 'sent within the turn')
  await turn()
  t.same(chunks.map(({ length }) => length), [65_538, 65_538, 48_924])
})

test('queued messages are sent before the end', async t => {
  const { wire, chunks } = createWire(new WireBatches())
  wire.have(1)
  wire.destroy()
  t.equal(chunks.length, 1)
  await new Promise<void>(resolve => { wire.once('close', resolve) })
  await turn()
  t.equal(chunks.length, 1)
})

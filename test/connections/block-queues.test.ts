// Requests: each is answered once (BEP 6), up to `reqq` (BEP 10) none is refused for lack of room, and limits of one
// direction leave the other one alone.
import { once } from 'node:events'
import bencode from 'bencode'
import test from 'tape'
import type { Test } from 'tape'
import { createTask } from '../../lib/index.ts'
import { within } from '../helpers/disk.ts'
import { HostilePeer, frame, u32 } from '../helpers/hostile-peer.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const BLOCK = 16_384
const task = createTask({
  name: 'out.bin', command: 'head -c 16777216 /dev/zero | tr "\\0" x', parts: 1, pieceLength: 16_777_216
})

/** A peer with a piece of 1024 blocks, and one that asks by hand and is not choked. */
async function asking (t: Test, client = {}): Promise<{ peer: Peer, asker: HostilePeer }> {
  const peer = await createPeer(t, task, { compute: true, client })
  await allDone([peer])
  const asker = await HostilePeer.connect(t, peer, task)
  await asker.introduce()
  asker.send(frame(2))
  await asker.until(() => asker.received(1).length > 0)
  return { peer, asker }
}

const request = (i: number): Buffer => u32(0, i * BLOCK, BLOCK)
const requests = (count: number, from = 0): Buffer[] =>
  Array.from({ length: count }, (_, i) => frame(6, request(from + i)))
const answers = (asker: HostilePeer): number => asker.received(7).length + asker.received(16).length

test('reqq is said, and true', async t => {
  const { asker } = await asking(t)
  const handshake = asker.received(20).find(payload => payload[0] === 0)!
  const { reqq } = bencode.decode(handshake.subarray(1)) as { reqq: number }
  t.equal(reqq, 500)
  asker.socket.pause()
  asker.send(...requests(reqq))
  asker.socket.resume()
  await within(asker.until(() => answers(asker) === reqq), 'answers')
  t.same([asker.received(7).length, asker.received(16).length], [reqq, 0], 'all at once are all served')
  asker.send(...requests(1024))
  await within(asker.until(() => answers(asker) === reqq + 1024), 'answers')
  t.pass('beyond it each has an answer, too')
})

test('a request that is cancelled has an answer: its block or a reject', async t => {
  const { asker } = await asking(t, { uploadLimit: 500_000 })
  asker.send(
    ...requests(300), ...Array.from({ length: 250 }, (_, i) => frame(8, request(50 + i))), frame(8, request(1000))
  )
  await within(asker.until(() => asker.received(16).length >= 200), 'rejects')
  await asker.heard()
  const rejected = asker.received(16).map(payload => payload.toString('hex'))
  t.equal(new Set(rejected).size, rejected.length, 'one each')
  t.notOk(rejected.includes(request(1000).toString('hex')), 'none for what was never asked')
  await within(asker.until(() => answers(asker) === 300), 'the others')
  t.equal(
    new Set([
      ...rejected,
      ...asker.received(7).map(payload => Buffer.concat([payload.subarray(0, 8), u32(BLOCK)]).toString('hex'))
    ]).size,
    300
  )
})

test('the same request twice has two answers, and a choke rejects what waits', async t => {
  const { peer, asker } = await asking(t, { uploadLimit: 500_000 })
  asker.send(...requests(2), ...requests(2))
  await within(asker.until(() => answers(asker) === 4), 'four answers')
  asker.send(...requests(200))
  await within(asker.until(() => answers(asker) > 4), 'the first')
  for (const wire of peer.torrent.wires) wire.choke()
  await within(asker.until(() => answers(asker) === 204), 'the rest')
  t.ok(asker.received(16).length > 100, `${asker.received(16).length} rejected`)
})

test('a request outside a piece is refused, and no violation', async t => {
  const { peer, asker } = await asking(t)
  const strikes: string[] = []
  peer.torrent.on('strike', ({ reason }) => { strikes.push(reason) })
  const outside = [u32(0, 16_777_215, 2), u32(7, 0, 16), u32(0, 2 ** 32 - 1, 16), u32(0, 0, 0)]
  for (let i = 0; i < 5; i++) asker.send(...outside.map(each => frame(6, each)))
  await within(asker.until(() => asker.received(16).length === 20), 'rejects')
  t.same(strikes, [])
  asker.send(frame(6, request(0)))
  await within(asker.until(() => asker.received(7).length === 1), 'a block')
  t.notOk(asker.isClosed)
})

/** Two peers with half a task each that fetch the other half from each other. */
async function twoHalves (
  t: Test, client: { uploadLimit?: number, downloadLimit?: number }
): Promise<[limited: Peer, other: Peer]> {
  const half = createTask({
    name: 'x.bin', command: 'head -c 500000 /dev/zero | tr "\\0" "$PIECE_IDX"', parts: 8, pieceLength: 524_288
  })
  const peers: [Peer, Peer] = [await createPeer(t, half, { client }), await createPeer(t, half)]
  for (const [at, peer] of peers.entries()) {
    const { torrent } = peer
    await ready(peer)
    torrent.deselect(0, 7)
    torrent.select(4 * at, 4 * at + 3)
    torrent.startComputing({ slots: 2 })
    while (torrent.stats().stored < 4) await within(once(torrent, 'verified'), 'a piece')
    await torrent.stopComputing()
    torrent.select(0, 7)
  }
  await connect(...peers)
  return peers
}

test('a limit of uploads does not slow down downloads, nor one of downloads uploads', async t => {
  // two megabytes take eight seconds
  const rate = 250_000
  const [uploader, slowed] = await twoHalves(t, { uploadLimit: rate })
  await allDone([uploader])
  t.ok(slowed.downloaded.length <= 1, `it has all, and the other one ${slowed.downloaded.length} of 4`)
  const [downloader, free] = await twoHalves(t, { downloadLimit: rate })
  await allDone([free])
  t.ok(downloader.downloaded.length <= 1, `the other one has all, and it has ${downloader.downloaded.length} of 4`)
})

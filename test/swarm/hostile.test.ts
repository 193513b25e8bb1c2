// One peer that lies, driven by hand: it costs the honest ones nothing but the connection.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import Wire from 'bittorrent-protocol'
import test from 'tape'
import type { Test } from 'tape'
import { utBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire as WireType } from '../../lib/base/wire.ts'
import { createTask } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'
import { HostilePeer, frame, u32 } from '../helpers/hostile-peer.ts'
import { allDone, connect, createPeer, digestOf, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

type Liar = WireType & NodeJS.ReadWriteStream & { ut_bitworker: UtBitworker }

const task = createTask({
  name: 'out.bin', command: 'head -c 1000 /dev/zero | tr "\\0" "$((PIECE_IDX % 10))"', parts: 10, pieceLength: 4096
})
const lie = { size: 1000, digest: createHash('sha256').update('never').digest() }

/** A connection to the peer that behaves as the test says. */
async function createLiar (
  t: Test, { client }: Peer, { speaks = true, peerId = randomBytes(20), of = task } = {}
): Promise<Liar> {
  const socket = connectSocket(client.torrentPort, '127.0.0.1')
  const wire = new Wire('tcpOutgoing') as Liar
  t.teardown(() => {
    socket.destroy()
  })
  socket.on('error', () => {})
  wire.on('error' as 'close', () => {})
  socket.pipe(wire).pipe(socket)
  if (speaks) wire.use(utBitworker({ task: local(of) }))
  wire.handshake(of.infoHash, peerId, { fast: true })
  const closed = once(socket, 'close').then(() => {
    throw new Error('closed')
  })
  closed.catch(() => {})
  await Promise.race([once(wire, 'handshake'), closed])
  wire.haveNone()
  if (speaks) {
    if (wire.ut_bitworker.state.status === 'waiting') await Promise.race([once(wire.ut_bitworker, 'matched'), closed])
    wire.unchoke()
  }
  return wire
}

function local ({ digest, pieceCount, pieceLength }: Task): {
  digest: Uint8Array
  pieceCount: number
  pieceLength: number
} {
  return { digest, pieceCount, pieceLength }
}

/** Answers every request with as many bytes of something else. */
function serveGarbage (wire: Liar): void {
  wire.on('request', (_index, _offset, length, respond) => { respond(null, randomBytes(length)) })
}

test('a peer that does not speak ut_bitworker is sent away', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const wire = await createLiar(t, peer, { speaks: false })
  if (!wire.destroyed) await once(wire, 'close')
  t.pass('the connection was closed')
})

test('wrong data: a strike, a ban, and the task is finished from others', async t => {
  const [honest, peer] = [await createPeer(t, task, { compute: true }), await createPeer(t, task)]
  await allDone([honest])
  const peerId = randomBytes(20)
  const wire = await createLiar(t, peer, { peerId })
  serveGarbage(wire)
  const misdeeds: string[] = []
  peer.torrent.on('strike', ({ reason }) => { misdeeds.push(`strike: ${reason}`) })
  peer.torrent.on('ban', ({ reason }) => { misdeeds.push(`ban: ${reason}`) })
  const closed = once(wire, 'close')
  const indices = Array.from({ length: 10 }, (_, index) => index)
  wire.ut_bitworker.announce(indices.map(index => ({ index, ...lie })), indices)
  await closed
  t.equal(misdeeds.length, 2)
  t.match(misdeeds[0]!, /^strike: sent data for piece \d which|^strike: sent data for piece \d that does not match/)
  t.match(misdeeds[1]!, /^ban: /)
  t.same(peer.downloaded, [], 'nothing of it was accepted')
  t.equal(await createLiar(t, peer, { peerId }).catch((err: Error) => err.message), 'closed', 'it may not come back')
  await connect(honest, peer)
  await allDone([peer])
  t.equal(await digestOf(peer, 'out.bin'), await digestOf(honest, 'out.bin'))
})

test('a peer that announces pieces and refuses to send them does not keep others from computing', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const wire = await createLiar(t, peer)
  wire.on('request', (_index, _offset, _length, respond) => { respond(new Error('no')) })
  wire.ut_bitworker.announce(
    Array.from({ length: 10 }, (_, index) => ({ index, ...lie })), Array.from({ length: 10 }, (_, index) => index)
  )
  await once(wire, 'interested')
  peer.torrent.startComputing({ slots: 2 })
  await allDone([peer])
  t.equal(peer.computed.length, 10)
})

test('a peer that claims everything and leaves', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const wire = await createLiar(t, peer)
  wire.ut_bitworker.claim(Array.from({ length: 10 }, (_, index) => ({ index, elapsedMs: 1_000_000, estimateMs: 0 })))
  while (peer.torrent.stats().claimed < 10) await new Promise(resolve => { setImmediate(resolve) })
  peer.torrent.startComputing({ slots: 2 })
  wire.destroy()
  await allDone([peer])
  t.equal(peer.computed.length, 10)
})

test('requests that leave the piece, and pieces that are not there', async t => {
  const peer = await createPeer(t, task, { compute: true })
  await allDone([peer])
  const strikes: string[] = []
  peer.torrent.on('strike', ({ reason }) => { strikes.push(reason) })
  const wire = await createLiar(t, peer)
  wire.interested()
  if (wire.peerChoking) await once(wire, 'unchoke')
  const ask = (index: number, offset: number, length: number): Promise<Error | null> => new Promise(resolve => {
    wire.request(index, offset, length, resolve)
  })
  t.ok(await ask(0, 0, 1001) instanceof Error)
  t.ok(await ask(10, 0, 16) instanceof Error)
  t.same(strikes, [], 'which is no misdeed: somebody may go by another result')
  t.equal(await ask(0, 0, 1000), null, 'what is in order is served')
})

test('a peer that requests without end and does not read: no more than 500 wait, the rest is rejected', async t => {
  const BLOCK = 16_384
  const most = 500
  const count = 3000
  const big = createTask({
    name: 'big.bin', command: 'head -c 1048576 /dev/zero | tr "\\0" x', parts: 1, pieceLength: 1_048_576
  })
  const peer = await createPeer(t, big, { compute: true })
  await allDone([peer])
  const hostile = await HostilePeer.connect(t, peer, big)
  await hostile.introduce()
  hostile.send(frame(2))
  await hostile.until(() => hostile.received(1).length > 0)

  const [wire] = peer.torrent.wires as Array<
    WireType & { push(data: Uint8Array): unknown, readonly _readableState: { buffered: number } }
  >
  let unsent = 0
  const { _readableState: state } = wire! // streamx has no other way to ask
  const push = wire!.push.bind(wire)
  wire!.push = data => {
    const isTaken = push(data)
    unsent = Math.max(unsent, state.buffered)
    return isTaken
  }
  hostile.socket.pause()
  // each of another place, so that each answer is to one of them
  hostile.send(...Array.from({ length: count }, (_, i) => frame(6, u32(0, i * 256, BLOCK))))
  hostile.socket.resume()
  await hostile.until(() => hostile.received(7).length + hostile.received(16).length === count)
  const [blocks, rejects] = [hostile.received(7), hostile.received(16)]
  t.ok(
    blocks.length >= most && rejects.length > 0,
    `${blocks.length} blocks, ${rejects.length} rejects: each has an answer`
  )
  t.ok(unsent <= 2 ** 20, `${unsent} bytes waited to be read`)
  t.ok(blocks.every(block => block.subarray(8).equals(Buffer.alloc(BLOCK, 'x'))), 'with the right bytes')
  hostile.send(frame(6, u32(0, 1, BLOCK)))
  await hostile.until(() => hostile.received(7).length === blocks.length + 1)
  t.notOk(hostile.isClosed, 'and once it has read, the next request is served')
})

test('a peer that repeatedly claims our pieces does not stop us', async t => {
  const slow = createTask({ name: 'slow.txt', command: 'sleep 0.3; echo $PIECE_IDX', parts: 3, pieceLength: 64 })
  const peer = await createPeer(t, slow)
  await ready(peer)
  const wire = await createLiar(t, peer, { of: slow })
  const elapsedMs = 2 ** 32 - 1
  peer.torrent.on('computing', ({ piece }) => {
    wire.ut_bitworker.claim([{ index: piece, elapsedMs, estimateMs: 0 }])
    wire.ut_bitworker.flush()
  })
  // a piece that we yielded is given back, to be claimed again
  peer.torrent.on('aborted', ({ piece }) => {
    wire.ut_bitworker.release([piece])
    wire.ut_bitworker.flush()
  })
  peer.torrent.startComputing({ slots: 1 })
  await allDone([peer])
  t.equal(peer.computed.length, 3)
})

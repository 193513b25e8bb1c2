// docs/ut_bitworker.md, the rules about what a peer sends: a peer driven by hand listens to a real one.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import { createTask, magnetOf } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'
import { within } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { HostilePeer, bitworkerMessage, frame, latin1, resultRecord, u32 } from '../helpers/hostile-peer.ts'
import { allDone, createPeer, noteEnd, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const PIECES = 100
const task = createTask({ name: 'out.bin', command: 'true', parts: PIECES, pieceLength: 40_000 })
const SIZE = 35_000
const never = (): Promise<{ stdout: string }> => new Promise(() => {})

async function seeder (t: Test): Promise<Peer> {
  const peer = await createPeer(t, task, {
    compute: { executor: new FakeExecutor(({ env }) => ({ stdout: Buffer.alloc(SIZE, Number(env['PIECE_IDX'])) })) }
  })
  await allDone([peer])
  return peer
}

async function meet (t: Test, peer: Peer, of: Task = task): Promise<HostilePeer> {
  return within((await HostilePeer.connect(t, peer, of)).introduce(), 'the handshakes')
}

/** The index of each record. */
function indices (records: Buffer | undefined, bytes: number): number[] {
  return Array.from({ length: (records?.length ?? 0) / bytes }, (_, i) => records!.readUInt32BE(i * bytes))
}

const haves = (peer: HostilePeer): number[] => peer.received(4).map(payload => payload.readUInt32BE(0))
const results = (peer: HostilePeer): number[] =>
  peer.bitworkerMessages.flatMap(message => indices(message['results'], 44))
const claimed = (peer: HostilePeer): number[] =>
  peer.bitworkerMessages.flatMap(message => indices(message['claims'], 12))
const released = (peer: HostilePeer): number[] =>
  peer.bitworkerMessages.flatMap(message => indices(message['releases'], 4))
const of = async (peer: HostilePeer, isSo: () => boolean, what: string): Promise<void> => {
  await within(peer.until(isSo), what)
}

test('the peer that opens a connection says its handshake in plaintext, and then waits', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const server = createServer()
  t.teardown(() => { server.close() })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  peer.torrent.addPeer(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  const [socket] = await once(server, 'connection') as [Socket]
  t.teardown(() => { socket.destroy() })
  let received = Buffer.alloc(0)
  socket.on('data', bytes => { received = Buffer.concat([received, bytes]) })
  while (received.length < 68) await once(socket, 'data')
  t.equal(received.subarray(0, 20).toString('latin1'), '\x13BitTorrent protocol')
  t.equal(received.subarray(28, 48).toString('hex'), task.infoHash)
  t.equal(received[25]! & 0x10, 0x10, 'with the extension bit')
  for (let i = 0; i < 20; i++) await new Promise(resolve => { setImmediate(resolve) })
  t.equal(received.length, 68, 'and nothing else before it has the answer')
  socket.write(Buffer.concat([received.subarray(0, 48), Buffer.alloc(20, 7)]))
  while (received.length < 74) await once(socket, 'data')
  t.deepEqual([received[72], received[73]], [20, 0], 'then the extended handshake')
})

test('the snapshot: results of all pieces, in messages that are not too long; bits once; no have before', async t => {
  const peer = await seeder(t)
  const silent = await HostilePeer.connect(t, peer, task)
  await within(silent.introduce({ bitworker: { v: 1 } }), 'the handshakes')
  await silent.heard()
  t.deepEqual(
    silent.bitworkerMessages.flatMap(Object.keys).filter(key => key !== 'task'),
    [],
    'nothing but the digest before the match'
  )
  silent.bitworker({ task: task.digest })
  await of(silent, () => results(silent).length === PIECES, 'the snapshot')
  t.deepEqual(results(silent).toSorted((a, b) => a - b), Array.from({ length: PIECES }, (_, index) => index))
  t.deepEqual(haves(silent), [])
  const first = silent.messages.find(({ id }) => id === 20)!
  t.equal(first.payload[0], 0, 'the extended handshake is the first extended message')
  t.equal(
    silent.messages.filter(({ id }) => [5, 14, 15].includes(id)).length, 1, 'one of bitfield, have-all, have-none'
  )
  t.ok(silent.received(20).every(payload => payload.length <= 65_537))

  silent.send(frame(2))
  await of(silent, () => silent.received(1).length > 0, 'unchoke')
  silent.send(frame(6, u32(7, 16_384, 16_384)))
  await of(silent, () => silent.received(7).length === 1, 'the block')
  t.ok(silent.received(7)[0]!.subarray(8).equals(Buffer.alloc(16_384, 7)), 'what is announced can be had')
})

test('without BEP 6 none of its messages is sent', async t => {
  const peer = await seeder(t)
  const plain = await HostilePeer.connect(t, peer, task)
  plain.send(latin1('\x13BitTorrent protocol\0\0\0\0\0\x10\0\0'), Buffer.from(task.infoHash, 'hex'), plain.peerId)
  plain.extended(0, encode({ m: { ut_bitworker: 1, ut_metadata: 2 }, bitworker: { v: 1, task: task.digest } }))
  await of(plain, () => results(plain).length === PIECES, 'the snapshot')
  plain.send(frame(2), frame(6, u32(0, SIZE, 1)), frame(6, u32(0, 0, 1)))
  await of(plain, () => plain.received(7).length === 1, 'the block')
  t.deepEqual(plain.messages.filter(({ id }) => id >= 13 && id <= 17), [], 'a refused request is answered by silence')
  t.equal(plain.received(5).length, 1)
})

test('with BEP 6 each request has one answer', async t => {
  const peer = await seeder(t)
  const hostile = await meet(t, peer)
  hostile.send(frame(2))
  await of(hostile, () => hostile.received(1).length > 0, 'unchoke')
  const asked = Array.from({ length: 40 }, (_, i) => u32(i % 20, 0, 16_384))
  hostile.send(
    ...asked.map(request => frame(6, request)),
    frame(8, asked[3]),
    frame(6, u32(0, SIZE - 1, 2)),
    frame(6, u32(99, 0, 0))
  )
  const answers = (): number => hostile.received(7).length + hostile.received(16).length
  await of(hostile, () => answers() >= 42, 'the answers')
  await hostile.heard()
  t.equal(answers(), 42)
  t.ok(hostile.received(16).some(payload => payload.equals(u32(99, 0, 0))), 'also what cannot be served')
})

test('the result of a piece comes before its have', async t => {
  const gate = new EventEmitter()
  const open = once(gate, 'open')
  const executor = new FakeExecutor(async () => {
    await open
    return { stdout: Buffer.alloc(SIZE) }
  })
  const peer = await createPeer(t, task, { compute: { executor } })
  const hostile = await meet(t, peer)
  gate.emit('open')
  await of(hostile, () => haves(hostile).length === PIECES, 'all haves')
  const told = new Set<number>()
  const early: number[] = []
  for (const { id, payload } of hostile.messages) {
    for (const index of indices(bitworkerMessage(id, payload)?.['results'], 44)) told.add(index)
    if (id === 4 && !told.has(payload.readUInt32BE(0))) early.push(payload.readUInt32BE(0))
  }
  t.deepEqual(early, [])
})

test('requests: within the size, in steps of 16 KiB, and no more than reqq', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const hostile = await within((await HostilePeer.connect(t, peer, task)).introduce({ reqq: 5 }), 'the handshakes')
  hostile.pretend(SIZE)
  await of(hostile, () => hostile.received(6).length === 5, 'requests')
  await hostile.heard()
  t.equal(hostile.received(6).length, 5, 'as many as reqq says')
  for (const request of hostile.received(6)) {
    const [begin, length] = [request.readUInt32BE(4), request.readUInt32BE(8)]
    t.ok(
      begin % 16_384 === 0 && begin + length <= SIZE && (length === 16_384 || begin + length === SIZE),
      `${begin}, ${length}`
    )
  }
})

test('bits may arrive at any time, and are added to the known ones', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const hostile = await meet(t, peer)
  hostile.bitworker({ results: Buffer.concat([resultRecord(0, SIZE), resultRecord(9, SIZE)]) })
  hostile.send(frame(15), frame(1))
  await hostile.heard()
  t.equal(hostile.received(6).length, 0)
  hostile.send(frame(5, Buffer.from([0x80, ...Array.from({ length: 12 }, () => 0)])))
  await of(hostile, () => hostile.received(6).length === 3, 'requests for piece 0')
  hostile.send(frame(5, Buffer.from([0, 0x40, ...Array.from({ length: 11 }, () => 0)])))
  await of(hostile, () => hostile.received(6).length === 6, 'requests for piece 9')
  t.deepEqual([...new Set(hostile.received(6).map(request => request.readUInt32BE(0)))], [0, 9])
})

test('handshakes: a higher v and unknown keys say nothing', async t => {
  const peer = await seeder(t)
  const hostile = await HostilePeer.connect(t, peer, task)
  await within(
    hostile.introduce({ bitworker: { can: ['download'], id: 'x', sig: 1, task: task.digest, v: 9 }, zzz: [] }),
    'the handshakes'
  )
  await of(hostile, () => results(hostile).length === PIECES, 'the snapshot')
  t.pass('matched')
})

test('metadata: what is not there is rejected; a link becomes a task for others, too', async t => {
  noteEnd(t)
  const peer = await seeder(t)
  const hostile = await meet(t, peer)
  hostile.extended('ut_metadata', encode({ msg_type: 0, piece: 1 }))
  await of(
    hostile,
    () => hostile.received(20).some(payload => payload[0] === 2 && payload.includes('8:msg_typei2e')),
    'a reject'
  )

  const link = await createPeer(t, task, { id: magnetOf(task) })
  while (!link.client.listening || link.torrent.infoHash === undefined)
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  const early = await meet(t, link)
  early.extended('ut_metadata', encode({ msg_type: 0, piece: 0 }))
  await of(
    early,
    () => early.received(20).some(payload => payload[0] === 2 && payload.includes('8:msg_typei2e')),
    'a reject while it has none'
  )
  link.torrent.addPeer(`127.0.0.1:${peer.client.torrentPort}`)
  const handshakes = (): Buffer[] => early.received(20).filter(payload => payload[0] === 0)
  await of(early, () => handshakes().length === 2, 'a second extended handshake')
  t.ok(
    handshakes()[1]!.includes('13:metadata_size') && handshakes()[1]!.includes(Buffer.from(task.digest)),
    'with the size and the digest'
  )
  await of(
    early, () => early.bitworkerMessages.some(message => message['task'] !== undefined), 'and the digest as a message'
  )
})

test('claims: made before, released when they end without a result, and when they lose', async t => {
  const executor = new FakeExecutor(never)
  const peer = await createPeer(t, task)
  await ready(peer)
  const [hostile, other] = [await meet(t, peer), await meet(t, peer)]
  peer.torrent.startComputing({ executor, slots: 1 })
  await of(hostile, () => claimed(hostile).length > 0, 'a claim')
  await of(other, () => claimed(other).length > 0, 'a claim, to all')
  const [first = -1] = claimed(hostile)
  hostile.bitworker({ claims: u32(first, 2 ** 32 - 1, 0) })
  for (const listener of [hostile, other]) {
    await of(listener, () => released(listener).includes(first), 'a release')
    t.ok(released(listener).includes(first), 'who loses a collision releases its claim, towards all')
  }
  await of(other, () => claimed(other).length > 1, 'the next claim')
  const last = claimed(other).at(-1)!
  await peer.torrent.stopComputing()
  await of(other, () => released(other).includes(last), 'a release')
  t.pass('what is stopped is released')
})

test('a relayed claim is not relayed again, and is withdrawn when it ends', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const [claimant, listener] = [await meet(t, peer), await meet(t, peer)]
  const distant = Buffer.alloc(20, 9)
  claimant.bitworker({ relays: Buffer.concat([u32(1, 0, 60_000, 0), Uint8Array.of(0), distant]) })
  claimant.bitworker({ claims: u32(2, 0, 60_000) })
  const relays = (): Buffer[] => listener.bitworkerMessages.flatMap(message => message['relays'] ?? [])
  await of(listener, () => relays().length > 0, 'a relay')
  t.deepEqual(
    relays().map(record => [record.readUInt32BE(0), record.subarray(17).equals(claimant.peerId)]),
    [[2, true]],
    'the claim, and nothing that was relayed to it'
  )
  claimant.socket.destroy()
  await of(
    listener, () => listener.bitworkerMessages.some(message => message['withdrawals'] !== undefined), 'a withdrawal'
  )
  t.pass('withdrawn')
})

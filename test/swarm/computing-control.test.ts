// Starting, stopping and pausing in any order; and what comes before the store is open.
import { once } from 'node:events'
import { get, request } from 'node:http'
import test from 'tape'
import type { Wire } from '../../lib/base/wire.ts'
import { createTask } from '../../lib/index.ts'
import { ComputeStore } from '../../lib/store/compute-store.ts'
import { createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo "part $PIECE_IDX"', parts: 4, pieceLength: 64 })
const TEXT = 'part 0\npart 1\npart 2\npart 3\n'

test('stopped and started again at once, with all pieces running', async t => {
  let runs = 0
  const executor = new FakeExecutor(() => ++runs > 4 ? { stdout: 'x' } : new Promise(() => {}))
  const peer = await createPeer(t, task, { compute: { executor, slots: 4 } })
  while (peer.torrent.stats().running < 4) await once(peer.torrent, 'computing')
  const stopped = peer.torrent.stopComputing()
  peer.torrent.startComputing({ executor, slots: 4 })
  await stopped
  await allDone([peer])
  t.equal(peer.computed.length, 4)
})

test('a peer alone computes each piece once, and has nothing to check', async t => {
  const executor = new FakeExecutor()
  const many = createTask({ name: 'out.txt', command: 'echo', parts: 40, pieceLength: 64 })
  const peer = await createPeer(t, many, { compute: { executor, slots: 3 } })
  const begun: number[] = []
  peer.torrent.on('computing', ({ piece }) => { begun.push(piece) })
  await allDone([peer])
  t.equal(peer.torrent.verification?.policy, 'audit')
  t.equal(begun.length, 40)
})

test('started again with other options while peers are being looked for', async t => {
  const [first, second] = [new FakeExecutor(), new FakeExecutor()]
  const peer = await createPeer(t, task)
  await ready(peer)
  peer.torrent.startComputing({ executor: first, slots: 4 })
  const stopped = peer.torrent.stopComputing()
  peer.torrent.startComputing({ executor: second, slots: 1 })
  await stopped
  await allDone([peer])
  t.same([first.items.length, second.items.length, second.maxRunning], [0, 4, 1])
})

test('paused before it begins', async t => {
  const peer = await createPeer(t, task, { compute: { executor: new FakeExecutor() } })
  peer.torrent.pauseComputing()
  await ready(peer)
  // there is no source of peers to wait for
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(peer.torrent.computing, 'paused')
  t.equal(peer.torrent.stats().running, 0)
  peer.torrent.resumeComputing()
  await allDone([peer])
  t.equal(peer.torrent.computing, 'on')
})

test('paused, but what runs goes on to its end', async t => {
  const ends: Array<() => void> = []
  const executor = new FakeExecutor(({ env }) => new Promise(resolve => {
    ends.push(() => { resolve({ stdout: `part ${env['PIECE_IDX']}\n` }) })
  }))
  const peer = await createPeer(t, task, { compute: { executor, slots: 2 } })
  const { torrent } = peer
  while (torrent.stats().running < 2) await once(torrent, 'computing')
  torrent.pauseComputing({ running: 'finish' })
  t.equal(torrent.computing, 'paused')
  t.same(executor.items.length, 2)
  ends.shift()!()
  await once(torrent, 'computed')
  t.same([torrent.stats().running, executor.items.length], [1, 2], 'and nothing else starts')
  torrent.pauseComputing()
  ends.shift()!()
  await new Promise(resolve => { setImmediate(resolve) })
  t.equal(torrent.stats().running, 1, 'suspended after all')
  torrent.pauseComputing({ running: 'finish' })
  await once(torrent, 'computed')
  t.equal(torrent.stats().running, 0, 'that suspends nothing')
  torrent.resumeComputing()
  while (torrent.stats().running < 2) await once(torrent, 'computing')
  for (const end of ends) end()
  await allDone([peer])
  t.equal(executor.items.length, 4, 'nothing is computed twice')
})

test('resources are prepared before pieces are computed, if any are left', async t => {
  const executor = new FakeExecutor(({ env }) => ({ stdout: `part ${env['PIECE_IDX']}\n` }))
  const peer = await createPeer(t, task, { compute: { executor, slots: 3 } })
  await allDone([peer])
  const [{ like, ...rest } = { like: null }] = executor.prepared
  t.same(rest, { count: 3, items: 0 })
  t.equal(like?.command, task.command)
  t.same(Object.keys(like?.env ?? {}), Object.keys(executor.items[0]!.env), 'with the same variables')
  await peer.torrent.stopComputing()
  peer.torrent.startComputing({ executor, slots: 3 })
  while (peer.torrent.computing !== 'on') await new Promise(resolve => { setImmediate(resolve) })
  t.equal(executor.prepared.length, 1, 'nothing is left')
})

test('a listener for computed may stop the computing', async t => {
  const executor = new FakeExecutor(() => new Promise(() => {}))
  const peer = await createPeer(t, task)
  await ready(peer)
  peer.torrent.startComputing({ executor, slots: 2 })
  await new Promise<void>((resolve, reject) => {
    peer.torrent.once('computing', () => { peer.torrent.stopComputing().then(resolve, reject) })
  })
  t.equal(executor.running, 0, 'and nothing of it goes on')
  t.equal(executor.items.length, 1)
})

test('options that make no sense', async t => {
  const peer = await createPeer(t, task, { compute: { slots: 0 } })
  const [err] = await once(peer.torrent, 'error') as [Error & { code: string }]
  t.equal(err.code, 'BW_ERR_COMPUTE_OPTIONS')
})

test('peers that are faster than the check of the disk', async t => {
  const seed = await createPeer(t, task, { compute: true })
  await allDone([seed])
  const open = Reflect.get(ComputeStore.prototype, 'open')
  t.teardown(() => { ComputeStore.prototype.open = open })
  const gate = new EventTarget()
  const checked = once(gate, 'open')
  ComputeStore.prototype.open = async function (this: ComputeStore) {
    await checked
    return open.call(this)
  }
  const late = await createPeer(t, task)
  if (late.torrent.metadata === null) await once(late.torrent, 'metadata')
  await connect(late, seed)
  const [wire] = await once(late.torrent, 'wire') as [Wire]
  while (wire.peerChoking || wire.peerPieces.buffer.length === 0)
    await new Promise(resolve => {
      setImmediate(resolve)
    })
  t.equal(wire.requests.length, 0, 'it is unchoked, and requests nothing yet')
  const reading = late.torrent.files[0]!.arrayBuffer()
  gate.dispatchEvent(new Event('open'))
  await allDone([late])
  t.equal(Buffer.from(await reading).toString(), TEXT)
})

test('a reader waits for pieces that turn out to be on disk', async t => {
  const path = createFolder(t)
  const before = await createPeer(t, task, { path, compute: true })
  await allDone([before])
  await destroyClient(before.client)
  const after = await createPeer(t, task, { path })
  if (after.torrent.metadata === null) await once(after.torrent, 'metadata')
  t.equal(Buffer.from(await after.torrent.files[0]!.arrayBuffer()).toString(), TEXT)
})

test('a piece that is read need not be selected', async t => {
  const [seed, peer] = [await createPeer(t, task, { compute: true }), await createPeer(t, task, { deselect: true })]
  await allDone([seed])
  await ready(peer)
  await connect(seed, peer)
  await once(peer.torrent, 'wire')
  t.equal(Buffer.from(await peer.torrent.files[0]!.arrayBuffer()).toString(), TEXT)
})

test('a client that is destroyed right after a task was removed waits for it', async t => {
  const path = createFolder(t)
  const executor = new FakeExecutor(() => new Promise(() => {}))
  const peer = await createPeer(t, task, { path, compute: { executor } })
  await once(peer.torrent, 'computing')
  peer.client.remove(peer.torrent).catch(() => {})
  await once(peer.torrent, 'close')
  await destroyClient(peer.client)
  t.equal(executor.running, 0)
  const again = await createPeer(t, task, { path })
  await ready(again)
  t.pass('the folder was given back')
})

test('a request with an invalid address does not end the process', async t => {
  const peer = await createPeer(t, task)
  const server = peer.client.createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  const { port } = server.address()!
  const bad = request({ host: '127.0.0.1', port, path: '//' }).end()
  await once(bad, 'error')
  const [response] = (await once(get({ host: '127.0.0.1', port, path: '/webtorrent/' }), 'response')) as [
    NodeJS.ReadableStream
  ]
  response.resume()
  t.pass('it is still there')
})

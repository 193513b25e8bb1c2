// Leaving: nobody has to compute again what only the leaving peer had.
import { once } from 'node:events'
import test from 'tape'
import { createTask } from '../../lib/index.ts'
import type { Outstanding } from '../../lib/index.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const PIECES = 8
const BYTES = 100_000
/** A piece takes a third of a second to upload. */
const SLOW = { uploadLimit: 300_000 }

const task = createTask({ name: 'parts', command: 'x', parts: PIECES, pieceLength: BYTES })
const bytes = (): FakeExecutor =>
  new FakeExecutor(({ env }) => ({ stdout: Buffer.alloc(BYTES, String(env['PIECE_IDX'])) }))

/** Leaves the swarm as `run --exit` does; what was said meanwhile. */
async function leave (peer: Peer): Promise<Outstanding[]> {
  const said: Outstanding[] = []
  peer.torrent.on('leaving', left => { said.push(left) })
  const left = await peer.torrent.handOver({ timeoutMs: 60_000 })
  await destroyClient(peer.client)
  return [...said, left]
}

test('a peer that is alone, or whose peers have everything, leaves at once', async t => {
  const alone = await createPeer(t, task, { compute: { executor: bytes(), slots: 2 } })
  await allDone([alone])
  t.same(await alone.torrent.handOver(), { peers: 0, pieces: 0 })
  const other = await createPeer(t, task)
  await ready(other)
  await connect(alone, other)
  await allDone([other])
  t.same(await Promise.all([alone, other].map(({ torrent }) => torrent.handOver())), [
    { peers: 0, pieces: 0 }, { peers: 0, pieces: 0 }
  ])
})

test('a peer that is about to leave stays until another one has the pieces that only it has', async t => {
  const first = await createPeer(t, task, { compute: { executor: bytes(), slots: 2 }, client: SLOW })
  await allDone([first])
  const executor = bytes()
  const second = await createPeer(t, task, { verify: 'off' })
  await ready(second)
  await connect(first, second)
  await once(second.torrent, 'downloaded')
  second.torrent.startComputing({ executor, slots: 2 })
  const [said] = await Promise.all([leave(first), allDone([second])])
  t.equal(executor.items.length, 0, 'nothing is computed again')
  t.ok(
    said[0]!.peers === 1 && said[0]!.pieces > 1, `says whom it waits for: ${said.map(({ pieces }) => pieces).join()}`
  )
  t.same(said.at(-1), { peers: 0, pieces: 0 })
  t.ok(said.every(({ pieces }, at) => at === 0 || pieces <= said[at - 1]!.pieces), 'and how it goes on')
})

test('of two that have the same only one may go', async t => {
  const first = await createPeer(t, task, { compute: { executor: bytes(), slots: 2 }, client: SLOW })
  const seeds = [first, await createPeer(t, task, { client: SLOW })]
  await Promise.all(seeds.map(ready))
  await connect(...seeds)
  await allDone(seeds)
  const executor = bytes()
  const third = await createPeer(t, task, { verify: 'off' })
  await ready(third)
  await connect(...seeds, third)
  while (third.torrent.numPeers < 2) await once(third.torrent, 'downloaded')
  third.torrent.startComputing({ executor, slots: 2 })
  await Promise.all([allDone([third]), ...seeds.map(leave)])
  t.equal(executor.items.length, 0, 'nothing is computed again')
})

test('a peer that takes nothing does not keep it', async t => {
  const first = await createPeer(t, task, { compute: { executor: bytes(), slots: 2 } })
  await allDone([first])
  const idle = await createPeer(t, task, { deselect: true })
  await ready(idle)
  await connect(first, idle)
  await once(idle.torrent, 'wire')
  t.same(await first.torrent.handOver(), { peers: 0, pieces: 0 })
})

test('it does not wait for longer than it may, nor when it is aborted', async t => {
  const first = await createPeer(t, task, { compute: { executor: bytes(), slots: 2 }, client: { uploadLimit: 20_000 } })
  await allDone([first])
  const second = await createPeer(t, task)
  await ready(second)
  await connect(first, second)
  await once(second.torrent, 'wire')
  const late = await first.torrent.handOver({ timeoutMs: 3_000 })
  t.ok(late.peers === 1 && late.pieces > 1, JSON.stringify(late))
  const abort = new AbortController()
  const left = first.torrent.handOver({ signal: abort.signal })
  abort.abort()
  t.equal((await left).peers, 1)
})

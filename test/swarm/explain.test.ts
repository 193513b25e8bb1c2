// Why a task does not go on, as the library says, of real torrents and sockets.
import { once } from 'node:events'
import test from 'tape'
import { createTask } from '../../lib/index.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { createFolder, until } from '../helpers/disk.ts'
import { createClient, createTracker, freePort } from '../helpers/swarm.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo "part $PIECE_IDX"', parts: 4, pieceLength: 64 })
const hanging = (): FakeExecutor => new FakeExecutor(() => new Promise(() => {}))

test('nobody is asked for peers; then a peer is named by a wrong port', async t => {
  const { torrent } = await createPeer(t, task)
  await new Promise<void>(resolve => { if (torrent.ready) resolve(); else torrent.once('ready', () => { resolve() }) })
  t.equal(torrent.explain().code, 'no-peers')
  t.match(torrent.explain().sentence, /Nothing is computed here.*nobody is asked for peers/)
  const port = await freePort()
  torrent.addPeer(`127.0.0.1:${port}`)
  await until('the call has failed', () => torrent.explain().code === 'unreachable')
  const { sentence, details } = torrent.explain(0)
  t.match(sentence, new RegExp(`127\\.0\\.0\\.1:${port} \\(from you or the link\\) refuses the connection`))
  t.match(details.join('\n'), new RegExp(`^127\\.0\\.0\\.1:${port} refuses`, 'm'))
  t.throws(() => torrent.explain(4), /There is no piece 4/)
})

test('what a tracker answers', async t => {
  const { url } = await createTracker(t)
  const closed = `http://127.0.0.1:${await freePort()}/announce`
  const tracked = createTask({ name: 'out.txt', command: 'echo', parts: 1, pieceLength: 64, announce: [url, closed] })
  const torrent = createClient(t, { tracker: true }).add(tracked, { path: createFolder(t) })
  torrent.on('warning', () => {})
  await once(torrent, 'ready')
  await until('both have answered', () => !/not answered/.test(torrent.explain().details.join('\n')))
  const details = torrent.explain().details.join('\n')
  t.ok(details.includes(`The tracker ${url} named`), details)
  t.ok(details.includes(`The tracker ${closed} failed (`), details)
})

test('claimed by another peer, and by whom; paused; running', async t => {
  const author = await createPeer(t, task, { compute: { executor: hanging(), slots: 4 } })
  const peer = await createPeer(t, task)
  while (author.torrent.stats().running < 4) await once(author.torrent, 'computing')
  t.equal(author.torrent.explain().code, 'running')
  t.match(author.torrent.explain(2).sentence, /^Piece 2 has been computed here for \d+ s\.$/)
  await connect(author, peer)
  await ready(peer)
  peer.torrent.startComputing({ executor: hanging(), slots: 1 })
  await until('it knows the claims', () => peer.torrent.explain(2).code === 'claimed')
  t.match(peer.torrent.explain(2).sentence, /because 127\.0\.0\.1:\d+ has claimed it for \d+ s/)
  await until('nothing is left', () => peer.torrent.explain().code === 'claimed')
  author.torrent.pauseComputing()
  t.equal(author.torrent.explain().code, 'paused')
})

test('given up, and why', async t => {
  const executor = new FakeExecutor(() => ({ exitCode: 7 }))
  const { torrent } = await createPeer(t, createTask({ name: 'o', command: 'x', parts: 1, pieceLength: 64 }), {
    compute: { executor, slots: 1 }
  })
  await until('it is given up', () => torrent.stats().failed === 1)
  t.equal(torrent.explain().isStuck, true)
  t.match(torrent.explain(0).code, /^(given-up|hopeless)$/)
})

test('done', async t => {
  const peer = await createPeer(t, task, { compute: { executor: new FakeExecutor(), slots: 2 } })
  await allDone([peer])
  t.equal(peer.torrent.explain().code, 'done')
  t.equal(peer.torrent.explain(1).code, 'stored')
})

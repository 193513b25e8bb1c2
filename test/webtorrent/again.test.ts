// Whoever removes a task may add it again at once, in whatever form.
import { once } from 'node:events'
import test from 'tape'
import BitWorker, { createTask, encodeTask, magnetOf } from '../../lib/index.ts'
import type { TorrentId } from '../../lib/index.ts'
import { createFolder } from '../helpers/disk.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { allDone, createPeer } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 64 })
const forms = {
  'the task': task, 'its bytes': encodeTask(task), 'its info-hash': task.infoHash, 'its link': magnetOf(task)
}

for (const [what, id] of Object.entries(forms) as Array<[string, TorrentId]>) {
  test(`removed by ${what}, and added again in the same turn`, async t => {
    const peer = await createPeer(t, task, { compute: true })
    await allDone([peer])
    for (let again = 0; again < 3; again++) {
      const removed = peer.client.remove(id)
      const torrent = peer.client.add(task, { path: peer.path })
      torrent.on('error', err => { t.fail(err.message) })
      await Promise.all([removed, once(torrent, 'done')])
      t.same(peer.client.torrents.map(each => each.infoHash), [task.infoHash])
    }
  })
}

test('by the torrent, while it computes', async t => {
  const slow = createTask({ name: 'out.txt', command: 'sleep 60', parts: 4, pieceLength: 64 })
  const peer = await createPeer(t, slow, { compute: true })
  await once(peer.torrent, 'computing')
  const closed = once(peer.torrent, 'close')
  void peer.client.remove(peer.torrent)
  const again = peer.client.add(slow, { path: peer.path })
  again.on('error', err => { t.fail(err.message) })
  await Promise.all([closed, once(again, 'ready')])
  t.equal(again.stats().stored, 0)
})

test('in another client of the process', async t => {
  const peer = await createPeer(t, task, { compute: true })
  await allDone([peer])
  const ended = destroyClient(peer.client)
  const other = new BitWorker({ dht: false, tracker: false, lsd: false, natUpnp: false, natPmp: false, utp: false })
  t.teardown(() => destroyClient(other))
  const again = other.add(task, { path: peer.path })
  again.on('error', err => { t.fail(err.message) })
  await Promise.all([ended, once(again, 'done')])
  t.ok(again.done)
})

test('one that is still there is refused', async t => {
  const { client, torrent } = await createPeer(t, task)
  await once(torrent, 'ready')
  const other = new BitWorker({ dht: false, tracker: false, lsd: false, natUpnp: false, natPmp: false, utp: false })
  t.teardown(() => destroyClient(other))
  const [err] = await once(other.add(task, { path: torrent.path }), 'error') as [Error & { code: string }]
  t.equal(err.code, 'BW_ERR_LOCKED')
  await client.remove(createFolder(t)).then(
    () => t.fail('it was removed'), (error: Error) => t.match(error.message, /No torrent/)
  )
})

// Signatures and task files of 2014 at a client: what a link pins, and which swarm a file belongs to.
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import webtorrentFixtures from 'webtorrent-fixtures'
import { fixtures } from '../../fixtures/make.ts'
import BitWorker, { createTask, encodeTask, judgeTask, magnetOf, parseTask, signTask } from '../../lib/index.ts'
import type { ComputeTorrent, Task, TorrentId } from '../../lib/index.ts'
import { pinsOf } from '../../lib/task/pins.ts'
import { createFolder } from '../helpers/disk.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { createPeer, noteEnd, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo $PIECE_IDX', parts: 2, pieceLength: 64 })
const signed = signTask(task, generateKeyPairSync('ed25519').privateKey, { time: new Date(0), label: 'Ada' })
const [{ publicKey }] = signed.signatures as [typeof signed.signatures[0]]
const OFFLINE = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false }

test('a task that came by its link is signed as the link says', async t => {
  noteEnd(t)
  const seeder = await createPeer(t, task)
  await ready(seeder)
  const link = magnetOf(signed, { peers: [`127.0.0.1:${seeder.client.torrentPort}`] })
  const peer = await createPeer(t, task, { id: link })
  await ready(peer)
  t.deepEqual(peer.torrent.task?.signatures, signed.signatures)
  t.equal(peer.torrent.magnetURI, magnetOf(signed), 'and is passed on with it')
  t.deepEqual(parseTask(peer.torrent.torrentFile).signatures, signed.signatures)
  const judged = judgeTask(peer.torrent.task!, { authors: [{ key: publicKey }] }, new Date())
  t.equal(judged.verdict, 'trusted')
})

/** The code of the error that ends a torrent. */
async function errorOf (t: Test, link: TorrentId): Promise<unknown> {
  const client = new BitWorker(OFFLINE)
  t.teardown(() => destroyClient(client))
  const torrent = client.add(link, { path: createFolder(t), compute: true })
  torrent.on('computing', () => { t.fail('something was run') })
  const [error] = await once(torrent, 'error') as [Error & { code?: string }]
  t.equal(torrent.destroyed, true, 'it ends')
  return error.code
}

test('a task without the signature that the link promises is refused', async t => {
  noteEnd(t)
  const seeder = await createPeer(t, task)
  await ready(seeder)
  const ordinary = seeder.client.add(webtorrentFixtures.leaves.torrent, { path: createFolder(t) })
  if (!ordinary.ready) await once(ordinary, 'ready')
  const peer = `x.pe=127.0.0.1:${seeder.client.torrentPort}`
  for (const [link, code] of [
    [`magnet:?xt=urn:btih:${task.infoHash}&x.pk=${publicKey}&${peer}`, 'BW_ERR_TASK_SIGNER'],
    [`magnet:?xt=urn:btih:${ordinary.infoHash}&x.pk=${publicKey}&${peer}`, 'BW_ERR_TASK_SIGNER'],
    [`magnet:?xt=urn:btih:${task.infoHash}&x.sig=AAAA&${peer}`, 'BW_ERR_TASK_SIGNATURE'],
    [`magnet:?xt=urn:btih:${ordinary.infoHash}&${pinsOf(signed)[1]}&${peer}`, 'BW_ERR_TASK_SIGNER'],
    [`magnet:?xt=urn:btih:${ordinary.infoHash}&x.sig=AAAA&${peer}`, 'BW_ERR_TASK_SIGNATURE']
  ] as const) t.equal(await errorOf(t, link), code, link)
})

test('pins apply to metadata from a web server, and to objects that an application parsed', async t => {
  const { leaves } = webtorrentFixtures
  const files: Record<string, Uint8Array> = {
    '/signed': encodeTask(signed), '/unsigned': encodeTask(task), '/ordinary': leaves.torrent
  }
  const server = createServer((req, res) => { res.end(files[req.url!]) }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close().closeAllConnections() })
  await once(server, 'listening')
  const from = (path: string): string =>
    `xs=${encodeURIComponent(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)}`
  const [pinned, leavesPinned] = [task.infoHash, leaves.parsedTorrent.infoHash].map(
    infoHash => `magnet:?xt=urn:btih:${infoHash}&x.pk=${publicKey}`
  ) as [string, string]
  t.equal(await errorOf(t, `${pinned}&${from('/unsigned')}`), 'BW_ERR_TASK_SIGNER', 'a task that nobody signed')
  t.equal(await errorOf(t, `${leavesPinned}&${from('/ordinary')}`), 'BW_ERR_TASK_SIGNER', 'an ordinary torrent')
  t.equal(
    await errorOf(t, { ...leaves.parsedTorrent, 'x.pk': publicKey } as TorrentId),
    'BW_ERR_TASK_SIGNER',
    'the same, parsed'
  )
  t.equal(
    await errorOf(t, `${pinned.replace(/.$/, 'g')}&${from('/signed')}`),
    'BW_ERR_TASK_SIGNATURE',
    'a key that is none'
  )

  const client = new BitWorker(OFFLINE)
  t.teardown(() => destroyClient(client))
  const torrent = client.add(`${pinned}&${from('/signed')}`, { path: createFolder(t) })
  await once(torrent, 'metadata')
  t.deepEqual((torrent.task as Task).signatures, signed.signatures, 'one that is signed')
  const ordinary = client.add(`${leavesPinned.replace(/&.*/, '')}&${from('/ordinary')}`, {
    path: createFolder(t)
  })
  await once(ordinary, 'metadata')
  t.equal(ordinary.name, leaves.parsedTorrent.name, 'an ordinary one, where nothing is pinned')
})

test('a task file of 2014 is found again, whichever swarm it is in', async t => {
  noteEnd(t)
  const bytes = fixtures['legacy-squares.rbw']!
  const [old, converted] = [parseTask(bytes, { legacySwarm: true }), parseTask(bytes)]
  for (const [legacySwarm, { infoHash, legacy }] of [[false, converted], [true, old]] as const) {
    const client = new BitWorker(OFFLINE)
    t.teardown(() => destroyClient(client))
    const torrent: ComputeTorrent = client.add(bytes, { path: createFolder(t), legacySwarm })
    await once(torrent, 'metadata')
    t.deepEqual([torrent.infoHash, torrent.task?.legacy], [infoHash, legacy])
    t.equal(await client.get(bytes), torrent, 'by its bytes')
    t.equal(await client.get(infoHash), torrent)
    t.deepEqual(torrent.torrentFile, encodeTask({ ...torrent.task!, announce: torrent.announce }))
  }
})

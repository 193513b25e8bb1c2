// What a peer has on disk is what it has: after a clean end, and after damage.
import { once } from 'node:events'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import { createTask } from '../../lib/index.ts'
import { createFolder } from '../helpers/disk.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo "part $PIECE_IDX"', parts: 20, pieceLength: 256 })
const TEXT = Array.from({ length: 20 }, (_, i) => `part ${i}\n`).join('')

test('a restart continues and recomputes nothing', async t => {
  const slow = createTask({
    name: 'out.txt', command: 'echo "part $PIECE_IDX"; ((PIECE_IDX < 10)) || sleep 600', parts: 20, pieceLength: 256
  })
  const path = createFolder(t)
  const before = await createPeer(t, slow, { path, compute: { slots: 20 } })
  while (before.computed.length < 10) await once(before.torrent, 'computed')
  await destroyClient(before.client)
  t.same(await readdir(join(path, '.bitworker', slow.infoHash, 'work')), [], 'nothing half-done is left')
  const after = await createPeer(t, slow, { path })
  await ready(after)
  t.equal(after.torrent.stats().stored, 10)
  t.equal(after.torrent.progress, 0.5)
})

test('a finished task stays finished', async t => {
  const path = createFolder(t)
  const before = await createPeer(t, task, { path, compute: true })
  await allDone([before])
  await destroyClient(before.client)
  const after = await createPeer(t, task, { path, compute: true })
  await allDone([after])
  t.same(after.computed, [])
  const other = await createPeer(t, task)
  await connect(after, other)
  await allDone([other])
  t.equal(await readFile(join(other.path, 'out.txt'), 'utf8'), TEXT, 'and can be seeded')
})

test('damage on disk is noticed and mended', async t => {
  const path = createFolder(t)
  const before = await createPeer(t, task, { path, compute: true })
  await allDone([before])
  await destroyClient(before.client)
  const file = join(path, 'out.txt')
  const bytes = await readFile(file)
  bytes[bytes.indexOf('part 7')] = 0x50
  await writeFile(file, bytes)
  const after = await createPeer(t, task, { path, compute: true })
  await allDone([after])
  t.ok(after.computed.includes(7), 'the damaged piece is computed again')
  t.equal(await readFile(file, 'utf8'), TEXT)
})

test('a deleted file is made again', async t => {
  const path = createFolder(t)
  const before = await createPeer(t, task, { path, compute: true })
  await allDone([before])
  await destroyClient(before.client)
  await rm(join(path, 'out.txt'))
  const after = await createPeer(t, task, { path, compute: true })
  await allDone([after])
  t.equal(await readFile(join(path, 'out.txt'), 'utf8'), TEXT)
})

test("a file that is not ours is not overwritten, unless it's forced", async t => {
  const path = createFolder(t)
  await writeFile(join(path, 'out.txt'), 'somebody’s diary')
  const { client, torrent } = await createPeer(t, task, { path: createFolder(t) })
  await once(torrent, 'ready')
  client.remove(torrent).catch(() => {})
  await once(torrent, 'close')
  const refused = client.add(task, { path, compute: true })
  const [err] = await once(refused, 'error') as [Error & { code: string }]
  t.equal(err.code, 'BW_ERR_FILE_EXISTS')
  t.same(await readdir(path), ['out.txt'], 'and nothing is left beside it')
  t.equal(await readFile(join(path, 'out.txt'), 'utf8'), 'somebody’s diary')
  const forced = await createPeer(t, task, { path, force: true, compute: true })
  await allDone([forced])
  t.equal(await readFile(join(path, 'out.txt'), 'utf8'), TEXT)
})

test('a lost piece is fetched again while running', async t => {
  const slow = createTask({
    name: 'out.txt', command: 'echo "part $PIECE_IDX"; ((PIECE_IDX < 5)) || sleep 600', parts: 6, pieceLength: 256
  })
  const [a, b] = [await createPeer(t, slow, { compute: { slots: 6 } }), await createPeer(t, slow)]
  await connect(a, b)
  while (b.downloaded.length < 5) await once(b.torrent, 'downloaded')
  await writeFile(join(b.path, '.bitworker', slow.infoHash, 'p', '000002'), 'part X\n')
  const again = once(b.torrent, 'downloaded')
  await new Promise<void>((resolve, reject) => {
    b.torrent.rescanFiles(err => {
      if (err == null) resolve()
      else reject(err)
    })
  })
  const [{ piece }] = await again as [{ piece: number }]
  t.equal(piece, 2)
})

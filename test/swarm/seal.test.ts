// A sealed task is an ordinary torrent: one for all who have the same files, fetched by who knows no tasks.
import { once } from 'node:events'
import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import parseTorrent from 'parse-torrent'
import test from 'tape'
import type { Test } from 'tape'
import WebTorrent from 'webtorrent'
import { createTask } from '../../lib/index.ts'
import type { ComputeTorrent, Task } from '../../lib/index.ts'
import { createFolder, within } from '../helpers/disk.ts'
import { addressOf, createClient, destroyClient, eventOf } from '../helpers/swarm.ts'
import { allDone, connect, createPeer } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

/** Pieces of many sizes, some of them empty. */
const COMMAND = 'head -c $((PIECE_IDX % 3 * 9000)) /dev/zero | tr "\\0" "$((PIECE_IDX % 10))"'
const single = createTask({ name: 'out.bin', command: COMMAND, parts: 7, pieceLength: 20_000 })
const several = createTask({
  name: 'set',
  command: COMMAND,
  files: [{ path: 'a/one.bin', parts: 4 }, { path: 'nothing', parts: 1 }, { path: 'two.bin', parts: 3 }],
  pieceLength: 20_000,
  completeCommand: '[ "$FILE_IDX" = 1 ] && : > "$FILE" || cat $PART_LIST > "$FILE"',
  announce: ['http://127.0.0.1:1/announce']
})
const lonely = createTask({ name: 'folder', command: 'echo hello', files: [{ path: 'hello.txt', parts: 1 }] })

async function finished (t: Test, task: Task): Promise<Peer> {
  const peer = await createPeer(t, task, { compute: true })
  await allDone([peer])
  return peer
}

async function codeOf (promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => 'none', (err: Error & { code?: unknown }) => err.code)
}

/** Has WebTorrent itself, without anything of ours, fetch it from one peer. */
async function fetchFrom (t: Test, { client }: Peer, { torrentFile }: ComputeTorrent): Promise<string> {
  const path = createFolder(t)
  const plain = createClient(t, { secure: 0 }, WebTorrent)
  const torrent = plain.add(torrentFile, { path, announce: [] })
  await eventOf(torrent, 'infoHash')
  torrent.addPeer(await addressOf(client))
  await within(once(torrent, 'done'), 'done')
  return path
}

for (const [what, task] of [['one file', single], ['several files', several], ['a folder with one file', lonely]] as const) {
  test(`sealing ${what}`, async t => {
    const author = await finished(t, task)
    const other = await createPeer(t, task, { compute: { sandbox: 'auto' } })
    await connect(author, other)
    await allDone([other])
    const seen: number[] = []
    const sealed = await author.torrent.seal({ onProgress: done => { seen.push(done) } })
    const copy = await other.torrent.seal()
    t.equal(copy.infoHash, sealed.infoHash, 'everybody has the same info-hash')
    t.same(copy.torrentFile, sealed.torrentFile, 'and the same torrent file')
    t.equal(sealed.task, null, 'it is an ordinary torrent')
    t.equal(seen.at(-1), sealed.length, 'all was read')
    const parsed = await parseTorrent(sealed.torrentFile) as { announce: string[], info: Record<string, unknown> }
    t.same(parsed.announce, task.announce, 'trackers are the task\'s')
    t.same(Object.keys(parsed.info).sort(), [task === single ? 'length' : 'files', 'name', 'piece length', 'pieces'].sort())
    t.same(sealed.files.map(file => file.path), task.files.map(file => file.path))
    const path = await fetchFrom(t, other, copy)
    for (const file of task.files) {
      t.same(await readFile(join(path, file.path)), await readFile(join(author.path, file.path)), file.path)
    }
    t.equal(await author.torrent.seal(), sealed, 'once is enough')
  })
}

test('private stays private', async t => {
  const announce = ['http://127.0.0.1:1/announce']
  const secret = createTask({ name: 'out.txt', command: 'echo 1', parts: 1, private: true, announce })
  const peer = await createPeer(t, secret, { compute: true })
  await allDone([peer])
  const sealed = await peer.torrent.seal()
  t.equal((await parseTorrent(sealed.torrentFile) as { private?: boolean }).private, true)
})

test('an unfinished task is not sealed', async t => {
  const peer = await createPeer(t, single)
  if (!peer.torrent.ready) await once(peer.torrent, 'ready')
  t.equal(await codeOf(peer.torrent.seal()), 'BW_ERR_NOT_FINISHED', 'pieces are missing')
  peer.torrent.startComputing()
  await allDone([peer])
  const sealed = await peer.torrent.seal()
  t.equal(await codeOf(sealed.seal()), 'BW_ERR_NOT_A_TASK', 'an ordinary torrent')
  const empty = await finished(t, createTask({ name: 'nothing', command: ':', parts: 3 }))
  t.equal(await codeOf(empty.torrent.seal()), 'BW_ERR_NOT_FINISHED', 'nothing but empty files')
  const made = await createPeer(t, several)
  const donor = await finished(t, several)
  await connect(donor, made)
  await allDone([made])
  t.equal(await codeOf(made.torrent.seal()), 'BW_ERR_NOT_FINISHED', 'the complete command has not run')
  await destroyClient(donor.client)
  t.equal(await codeOf(donor.torrent.seal()), 'BW_ERR_DESTROYED', 'the torrent is gone')
  const later = createTask({ ...options(single), memoryBytes: 2 ** 20 })
  const unknown = await createPeer(t, { ...later, unsupported: ['the key "x"'] })
  if (!unknown.torrent.ready) await once(unknown.torrent, 'ready')
  t.equal(await codeOf(unknown.torrent.seal()), 'BW_ERR_TASK_REQUIRES')
})

function options (task: Task): { name: string, command: string, parts: number, pieceLength: number } {
  return { name: task.name, command: task.command, parts: task.pieceCount, pieceLength: task.pieceLength }
}

test('a file that was changed is neither sealed nor served', async t => {
  const peer = await finished(t, single)
  const file = join(peer.path, 'out.bin')
  const sealed = await peer.torrent.seal()
  const bytes = await readFile(file)
  const damaged = Buffer.from(bytes)
  damaged[100]! ^= 1
  await writeFile(file, damaged)
  const path = createFolder(t)
  const plain = createClient(t, { secure: 0 }, WebTorrent)
  const torrent = plain.add(sealed.torrentFile, { path, announce: [] })
  await eventOf(torrent, 'infoHash')
  const upload = once(sealed, 'wire')
  torrent.addPeer(await addressOf(peer.client))
  await within(upload, 'wire')
  // the first request is answered with an error, which ends the connection, or not at all
  const rescanned = new Promise<void>(resolve => { peer.torrent.rescanFiles(() => { resolve() }) })
  await within(rescanned, 'rescan')
  t.equal(torrent.downloaded, 0, 'nothing of it was sent')
  t.ok(sealed.destroyed, 'a lost piece ends the seal')
  t.equal(await codeOf(peer.torrent.seal()), 'BW_ERR_NOT_FINISHED', 'it is made again first')
  await allDone([peer])
  t.same(await readFile(file), bytes, 'made again')
  const again = await peer.torrent.seal()
  t.equal(again.infoHash, sealed.infoHash, 'the same torrent')
  t.same(await readFile(join(await fetchFrom(t, peer, again), 'out.bin')), bytes)
})

test('changes behind our back are seen', async t => {
  for (const [what, change] of [
    ['longer', (file: string) => appendFile(file, 'x')],
    ['gone', (file: string) => rm(file)],
    ['another file', async (file: string) => {
      await writeFile(`${file}.new`, (await readFile(file)).map(byte => byte ^ 1))
      await rename(`${file}.new`, file)
    }]
  ] as const) {
    const peer = await createPeer(t, lonely, { compute: true })
    await allDone([peer])
    await change(join(peer.path, 'folder/hello.txt'))
    t.equal(await codeOf(peer.torrent.seal()), 'BW_ERR_NOT_FINISHED', what)
  }
})

test('who has sealed tells the others, who fetch nothing', async t => {
  const author = await finished(t, single)
  const early = await createPeer(t, single)
  await connect(author, early)
  await allDone([early])
  const told = within(once(early.torrent, 'peerSealed'), 'peerSealed')
  const { infoHash } = await author.torrent.seal()
  t.deepEqual(await told, [{ infoHash, peers: 1 }])
  const late = await createPeer(t, single)
  const toldLate = within(once(late.torrent, 'peerSealed'), 'peerSealed')
  await connect(author, late)
  t.deepEqual(await toldLate, [{ infoHash, peers: 1 }], 'who comes later, too')
  await allDone([late])
  for (const { client } of [early, late]) t.equal(client.torrents.length, 1, 'nothing but the task')
})

test('peers whose results differ agree on one before they seal', async t => {
  const task = createTask({
    name: 'noise', command: 'head -c $((RANDOM + 1)) /dev/urandom', parts: 12, pieceLength: 32_768, deterministic: false
  })
  // the rest is downloaded, so that they know each other when they are done
  const pieces = [0, 1, 2, 3, 4, 5, 6, 7]
  const two = [await createPeer(t, task, { compute: { slots: 1, pieces } }), await finished(t, task)] as const
  while (two[0].computed.length < 8) await within(once(two[0].torrent, 'computed'), 'computed')
  const before = two.map(({ digests }) => new Map(digests))
  await connect(...two)
  await allDone([...two])
  const sealed = await Promise.all(two.map(async ({ torrent }) => torrent.seal({ agree: true })))
  t.equal(sealed[0]!.infoHash, sealed[1]!.infoHash, 'one torrent')
  for (const { digests } of two) {
    for (let piece = 0; piece < 12; piece++) {
      const [lowest] = before.flatMap(each => each.get(piece) ?? []).toSorted()
      t.equal(digests.get(piece), lowest, `piece ${piece}: the lowest`)
    }
  }
})

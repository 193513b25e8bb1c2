// Reading a file that does not come to its end: an error, never fewer bytes that look like all of them.
import { once } from 'node:events'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import test from 'tape'
import type { Test } from 'tape'
import { CommandError, createTask } from '../../lib/index.ts'
import type { BitWorkerError } from '../../lib/index.ts'
import type { BitField, Torrent, TorrentFile } from '../../lib/webtorrent/types.ts'
import { createFolder } from '../helpers/disk.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { allDone, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

/** The first piece comes, the second never does. */
const HALF = createTask({
  name: 'half', command: 'if [ $PIECE_IDX = 0 ]; then echo first; else sleep 600; fi', parts: 2, pieceLength: 1024
})
const LARGE = createTask({ name: 'large', command: 'head -c 3000000 /dev/zero', parts: 2, pieceLength: 4 << 20 })

function nothing (): void { /* nor is there anything to do */ }

async function bytesOf (chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  for await (const chunk of chunks) bytes += chunk.length
  return bytes
}

/** Every way to read a file; resolves with the bytes that came. */
const READERS: Record<string, (file: TorrentFile) => Promise<number>> = {
  arrayBuffer: async file => (await file.arrayBuffer()).byteLength,
  blob: async file => (await file.blob()).size,
  'an async iterator': file => bytesOf(file),
  createReadStream: file => bytesOf(file.createReadStream()),
  'createReadStream through a pipeline': async file => {
    let bytes = 0
    await pipeline(file.createReadStream() as unknown as NodeJS.ReadableStream, new Writable({
      write (chunk: Uint8Array, _, done) {
        bytes += chunk.length
        done()
      }
    }))
    return bytes
  },
  stream: file => bytesOf(file.stream())
}

/** What the reader ended with: an error's code, or how many bytes it took for all. */
async function endOf (reading: Promise<number>): Promise<number | string> {
  return reading.then(bytes => bytes, (err: Error & { code?: string }) => err.code ?? err.message)
}

/** Asks for the file by HTTP; resolves, once it is being read for that, with a promise of how that ended. */
async function request (
  t: Test, { client, torrent }: { client: Peer['client'], torrent: Torrent }, file: TorrentFile
): Promise<{ end: Promise<string> }> {
  const server = client.createServer()
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve)
  })
  t.teardown(() => {
    server.close()
  })
  const reading = once(file, 'stream')
  const asked = get(`http://127.0.0.1:${server.address()!.port}/webtorrent/${torrent.infoHash}/${file.path}`)
  const end = once(asked, 'response')
    .then(async ([response]) => `all ${await bytesOf(response as IncomingMessage)}`)
    .catch(() => 'broken off')
  await reading
  return { end }
}

async function halfWay (t: Test): Promise<{ peer: Peer, file: TorrentFile }> {
  const peer = await createPeer(t, HALF)
  await ready(peer)
  const computed = once(peer.torrent, 'computed')
  peer.torrent.startComputing({ slots: 2 })
  await computed
  return { peer, file: peer.torrent.files[0]! }
}

test('a task is removed while its file is read', async t => {
  const { peer, file } = await halfWay(t)
  const ends = Object.entries(READERS).map(async ([name, read]) => [name, await endOf(read(file))] as const)
  const { end } = await request(t, peer, file)
  await new Promise(resolve => { void peer.client.remove(peer.torrent, {}, resolve) })
  for (const [name, ended] of await Promise.all(ends)) t.equal(ended, 'BW_ERR_DESTROYED', name)
  t.equal(await end, 'broken off', 'HTTP')
  t.equal(await endOf(bytesOf(file)), 'BW_ERR_DESTROYED', 'nor can it be read afterwards')
})

test('the client is destroyed while a file is read', async t => {
  const { peer, file } = await halfWay(t)
  const ends = Object.entries(READERS).map(async ([name, read]) => [name, await endOf(read(file))] as const)
  await destroyClient(peer.client)
  for (const [name, ended] of await Promise.all(ends)) t.equal(ended, 'BW_ERR_DESTROYED', name)
})

test('a task ends with an error while its file is read', async t => {
  const peer = await createPeer(t, HALF)
  await ready(peer)
  const reading = peer.torrent.files[0]!.arrayBuffer()
  peer.torrent.on('error', () => {})
  const err = new CommandError('BW_ERR_NO_SHELL', 'there is no shell', { exitCode: null, signal: null, stderr: '' })
  const item = { pid: undefined, done: Promise.reject(err), kill: nothing, pause: nothing, resume: nothing }
  peer.torrent.startComputing({ executor: { run: () => item, prepare: nothing, close: () => Promise.resolve() } })
  const reason = await reading.then(() => null, (end: BitWorkerError) => end)
  t.deepEqual([reason?.code, reason?.cause], ['BW_ERR_DESTROYED', err])
  t.match(reason?.message ?? '', /there is no shell/)
})

test('a piece is lost while it is read', async t => {
  const peer = await createPeer(
    t,
    createTask({
      name: 'lost',
      command: 'if [ $PIECE_IDX = 0 ]; then head -c 3000000 /dev/zero; else sleep 600; fi',
      parts: 2,
      pieceLength: 4 << 20
    })
  )
  await ready(peer)
  const computed = once(peer.torrent, 'computed')
  peer.torrent.startComputing({ slots: 2 })
  await computed
  const iterator = (peer.torrent.files[0]! as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const { value } = await iterator.next() as { value: Uint8Array }
  t.ok(value.length < 3_000_000, 'it has begun')
  await truncate(join(peer.path, '.bitworker', peer.torrent.infoHash, 'p', '000000'), 1_500_000)
  const end = await (async () => {
    for (let result = await iterator.next(); ; result = await iterator.next()) if (result.done === true) return 'all'
  })().catch((err: Error & { code?: string }) => err.code)
  t.equal(end, 'BW_ERR_PIECE_LOST')
})

test('a finished file is cut short while it is read', async t => {
  const peer = await createPeer(t, LARGE, { compute: true })
  await allDone([peer])
  const file = peer.torrent.files[0]!
  const iterator = (file as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  await iterator.next()
  await truncate(join(peer.path, 'large'), 2_000_000)
  const rest = (async () => { for (;;) if ((await iterator.next()).done === true) return 0 })()
  t.equal(await endOf(rest), 'BW_ERR_SHORT_READ', 'in the middle')
  for (const [name, read] of Object.entries(READERS)) t.equal(await endOf(read(file)), 'BW_ERR_SHORT_READ', name)
  const { end } = await request(t, peer, file)
  t.equal(await end, 'broken off', 'HTTP')
})

test('a file that a complete command makes is read only when it is made', async t => {
  const reversed = createTask({
    name: 'r', command: 'echo $PIECE_IDX', completeCommand: 'cat $PART_LIST | tac > "$FILE"', parts: 3, pieceLength: 64
  })
  const peer = await createPeer(t, reversed)
  await ready(peer)
  const early = peer.torrent.files[0]!.arrayBuffer()
  peer.torrent.startComputing({ slots: 2 })
  t.equal(Buffer.from(await early).toString(), '2\n1\n0\n')
})

/** A peer with all of an ordinary torrent. */
async function ordinary (t: Test): Promise<{ peer: Peer, torrent: Torrent, file: TorrentFile }> {
  const peer = await createPeer(t, HALF)
  const path = createFolder(t)
  await writeFile(join(path, 'x'), Buffer.alloc(3_000_000, 'x'))
  const torrent = await new Promise<Torrent>(resolve => { peer.client.seed(join(path, 'x'), { path }, resolve) })
  return { peer, torrent, file: torrent.files[0]! }
}

test('an ordinary torrent is removed while its file is read', async t => {
  const { peer, torrent, file } = await ordinary(t)
  // piece by piece, and the first one never comes
  file.done = false
  ;(torrent as unknown as { bitfield: BitField }).bitfield.set(0, false)
  const ends = Object.entries(READERS).map(async ([name, read]) => [name, await endOf(read(file))] as const)
  const { end } = await request(t, { client: peer.client, torrent }, file)
  await new Promise(resolve => { void peer.client.remove(torrent, {}, resolve) })
  for (const [name, ended] of await Promise.all(ends)) t.match(String(ended), /DESTROYED|PREMATURE_CLOSE/, name)
  t.equal(await end, 'broken off', 'HTTP')
})

test('the store of an ordinary torrent fails while a file is read', async t => {
  const { file, torrent } = await ordinary(t)
  // WebTorrent reads what is not complete piece by piece
  file.done = false
  ;(torrent as unknown as { store: { get: (...args: unknown[]) => void } }).store.get = (...args) => {
    (args.at(-1) as (err: Error) => void)(new Error('the disk is gone'))
  }
  for (const [name, read] of Object.entries(READERS)) t.equal(await endOf(read(file)), 'BW_ERR_SHORT_READ', name)
})

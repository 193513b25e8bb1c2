// Reading a task's files while they are being computed, and after.
import { once } from 'node:events'
import { get } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { createTask } from '../../lib/index.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const LINES = Array.from({ length: 30 }, (_, i) => `line ${'x'.repeat(i)}\n`)
const TEXT = LINES.join('')
const task = createTask({
  name: 'text.txt',
  command: 'printf "line %s\\n" "$(head -c "$PIECE_IDX" /dev/zero | tr "\\0" x)"',
  parts: 30,
  pieceLength: 1024
})

async function text (chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all).toString()
}

async function fetchText (
  url: string, headers: Record<string, string> = {}
): Promise<{ status: number | undefined, headers: IncomingMessage['headers'], body: string }> {
  const [response] = (await once(get(url, { headers }), 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}

async function listen (t: Test, peer: Peer): Promise<string> {
  const server = peer.client.createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  return `http://127.0.0.1:${server.address()!.port}`
}

test('reading an unfinished file yields its parts in order', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const file = peer.torrent.files[0]!
  const reading = text(file.createReadStream())
  const part = file.arrayBuffer({ start: 6, end: 12 })
  peer.torrent.startComputing({ slots: 2 })
  t.equal(await reading, TEXT)
  t.equal(Buffer.from(await part).toString(), TEXT.slice(6, 13), 'ranges count bytes of the whole file')
})

test('a piece that is read is computed first', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const iterator = peer.torrent.files[0]!.createReadStream()[Symbol.asyncIterator]()
  const firstChunk = iterator.next()
  peer.torrent.startComputing({ slots: 1 })
  await firstChunk
  while (peer.computed.length < 3) await once(peer.torrent, 'computed')
  t.same(peer.computed.slice(0, 3), [0, 1, 2], 'and what will be read next')
  await iterator.return?.()
})

test('a piece that is read is downloaded first', async t => {
  const [seed, peer] = [await createPeer(t, task, { compute: true }), await createPeer(t, task, { deselect: true })]
  await allDone([seed])
  await ready(peer)
  peer.torrent.select(29, 29)
  await connect(seed, peer)
  if (peer.downloaded.length === 0) await once(peer.torrent, 'downloaded')
  t.same(peer.downloaded, [29], 'only what is selected')
  t.equal(peer.torrent.done, false)
  peer.torrent.select(0, 28)
  t.equal(await text(peer.torrent.files[0]!.createReadStream()), TEXT)
})

test('a finished file', async t => {
  const peer = await createPeer(t, task, { compute: true })
  await allDone([peer])
  const file = peer.torrent.files[0]!
  t.equal(file.length, TEXT.length)
  t.equal(file.progress, 1)
  t.equal(await text(file.createReadStream()), TEXT)
  t.equal(await text(file.createReadStream({ start: 100, end: 199 })), TEXT.slice(100, 200))
  t.equal(Buffer.from(await file.arrayBuffer()).toString(), TEXT)
  t.equal(await (await file.blob()).text(), TEXT)
  t.equal(await text(file.stream()), TEXT)
  t.equal(await readFile(join(peer.path, 'text.txt'), 'utf8'), TEXT)
})

test('after a complete command, a file is what the command wrote', async t => {
  const reversed = createTask({
    name: 'r.txt',
    command: 'echo $PIECE_IDX',
    completeCommand: 'cat $PART_LIST | tac > "$FILE"',
    parts: 12,
    pieceLength: 64
  })
  const peer = await createPeer(t, reversed, { compute: true })
  await allDone([peer])
  t.equal(
    Buffer.from(await peer.torrent.files[0]!.arrayBuffer()).toString(),
    Array.from({ length: 12 }, (_, i) => `${11 - i}\n`).join('')
  )
})

test('the HTTP server', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const url = `${await listen(t, peer)}/webtorrent/${task.infoHash}/text.txt`
  const early = fetchText(url)
  const ranged = fetchText(url, { range: 'bytes=3-' })
  peer.torrent.startComputing({ slots: 2 })
  const unfinished = await early
  t.equal(unfinished.status, 200)
  t.equal(unfinished.headers['content-length'], undefined, 'nobody knows the length yet')
  t.equal(unfinished.body, TEXT)
  t.equal((await ranged).status, 200, 'nor can a range be promised')
  await allDone([peer])
  const finished = await fetchText(url)
  t.equal(finished.headers['content-length'], String(TEXT.length))
  t.equal(finished.body, TEXT)
  const range = await fetchText(url, { range: 'bytes=100-199' })
  t.equal(range.status, 206)
  t.equal(range.headers['content-range'], `bytes 100-199/${TEXT.length}`)
  t.equal(range.body, TEXT.slice(100, 200))
})

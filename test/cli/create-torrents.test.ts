// Torrents that exist already as inputs: by file, URL and magnet link.
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import test from 'tape'
import BitWorker from '../../lib/index.ts'
import { encode } from '../../lib/base/bencode.ts'
import { parseTask } from '../../lib/task/task.ts'
import type { Task } from '../../lib/task/task.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--name', 'x', '--command', 'cat "$INPUT"', '--no-try', '--force']
const TRACKER = 'http://127.0.0.1:9/announce'
const INFO = { length: 32, name: 'data.bin', 'piece length': 16, pieces: 'x'.repeat(40) }

test('a torrent file by its URL', async t => {
  const { dir, run } = await workspace(t)
  const files: Record<string, Uint8Array> = {
    '/set.torrent': encode({ announce: TRACKER, info: INFO }),
    '/private.torrent': encode({ announce: TRACKER, info: { ...INFO, private: 1 } }),
    '/page': Buffer.from('<html>'),
    '/large': new Uint8Array(13 * 1024 * 1024),
    '/pieces': encode({ info: { ...INFO, 'piece length': 2 ** 25 + 1, pieces: 'x'.repeat(20) } })
  }
  const server = createServer((request, response) => {
    const file = files[request.url ?? '']
    response.writeHead(file === undefined ? 404 : 200).end(file)
  }).listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await new Promise(resolve => server.once('listening', resolve))
  const url = (file: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${file}`
  const create = async (...args: string[]): Promise<Task> => {
    const { code, stderr } = await run([...CREATE, ...args])
    t.equal(code, 0, stderr)
    return parseTask(await readFile(path.join(dir, 'x.bitworker')))
  }
  const task = await create('--input', url('/set.torrent'), '--parts', '1')
  const [input] = task.inputs ?? []
  t.same([input?.name, input?.length, task.announce], ['data.bin', 32, [TRACKER]], 'its name, and its trackers')
  const named = await create('--input-per-part', `${url('/set.torrent')}:other`, '--slice', '10', '--announce', 'udp://127.0.0.1:8')
  t.same([named.inputs?.[0]?.name, named.pieceCount, named.announce], ['other', 4, ['udp://127.0.0.1:8']])
  t.equal(named.inputs?.[0]?.infoHash, input?.infoHash)
  t.same((await create('--input', url('/private.torrent'), '--parts', '1')).announce, [], 'trackers of a private torrent may have a key')
  const hidden = await create('--input', url('/set.torrent'), '--parts', '1', '--private', '--announce', 'udp://127.0.0.1:8')
  t.same(hidden.announce, ['udp://127.0.0.1:8'])

  for (const [file, expected] of [
    ['/none', /none: The torrent cannot be fetched \(HTTP 404\)\. Check the URL/],
    ['/large', /large: The torrent cannot be fetched \(larger than 12582912 bytes\)/],
    ['/page', /The input "http:.*\/page" is not a torrent file/],
    ['/pieces', /"data\.bin" has no piece length from 1 byte to 32 MiB/]
  ] as const) {
    const { code, stderr } = await run([...CREATE, '--parts', '1', '--input', url(file)])
    t.equal(code, 2)
    t.match(stderr, expected)
  }
})

test('a magnet link: its metadata comes from the swarm', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(path.join(dir, 'set.txt'), '0123456789')
  const client = new BitWorker({ dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false })
  t.teardown(() => { client.destroy() })
  const torrent = await new Promise<{ magnetURI: string, infoHash: string }>(resolve => {
    client.seed(path.join(dir, 'set.txt'), { announce: [] }, resolve)
  })
  const peer = ['--peer', `127.0.0.1:${client.torrentPort}`]
  const link = `magnet:?xt=urn:btih:${torrent.infoHash}&tr=${encodeURIComponent(TRACKER)}`
  const made = await run([...CREATE, '--input-per-part', link, '--slice', '4', ...peer, ...OFFLINE])
  t.equal(made.code, 0, made.stderr)
  t.match(made.stderr, /^Looking for the input\. Press Ctrl-C to stop\.$/m)
  const task = parseTask(await readFile(path.join(dir, 'x.bitworker')))
  const [input] = task.inputs ?? []
  t.same(
    [input?.name, input?.length, input?.infoHash, task.pieceCount, task.announce],
    ['set.txt', 10, torrent.infoHash, 3, [TRACKER]]
  )
  const ran = await run(['run', 'x.bitworker', '--yes', '--exit', '--seed-time', '0', ...OFFLINE, ...peer, '--input-from', 'set.txt'])
  t.equal(ran.code, 0, ran.stderr)
  t.equal(await readFile(path.join(dir, 'x'), 'utf8'), '0123456789')
})

// Ordinary torrents that are not in order end as an error, by whatever way they come, before anything is made of them.
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import bencode from 'bencode'
import test from 'tape'
import fixtures from 'webtorrent-fixtures'
import type BitWorker from '../../lib/index.ts'
import { readOrdinary } from '../../lib/webtorrent/ordinary.ts'
import type { TorrentId } from '../../lib/webtorrent/types.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'
import { createClient, eventOf } from '../helpers/swarm.ts'

const HASH = new Uint8Array(20)
const torrent = (info: object): Uint8Array =>
  bencode.encode({ info: { name: 'x', 'piece length': 16_384, pieces: HASH, length: 100, ...info } })
/** bencode writes whole numbers only */
const raw = (length: string, pieceLength = '16384'): Uint8Array => {
  return Buffer.from(
    `d4:infod6:lengthi${length}e4:name1:x12:piece lengthi${pieceLength}e6:pieces20:${'a'.repeat(20)}ee`
  )
}
const file = (length: unknown, path: unknown = ['a']): object => ({ length, path })

const BROKEN: Array<[what: string, bytes: Uint8Array, reason: RegExp]> = [
  ['a length of 2^50', torrent({ length: 2 ** 50 }), /does not fit/],
  ['a length of 2^53', torrent({ length: 2 ** 53 }), /is not valid/],
  ['a length of 10^30', raw('1000000000000000000000000000000'), /is not valid/],
  ['a negative length', torrent({ length: -1 }), /is not valid/],
  ['a length that is text', torrent({ length: 'x' }), /is not valid/],
  ['no length', torrent({ length: undefined }), /is not valid/],
  ['a length of 0 and a hash', torrent({ length: 0 }), /does not fit/],
  ['a piece length of 0', torrent({ 'piece length': 0 }), /piece length/],
  ['a piece length of -1', torrent({ 'piece length': -1 }), /piece length/],
  ['a piece length of 1', torrent({ 'piece length': 1 }), /does not fit/],
  ['a piece length of 2^40, which fits', torrent({ 'piece length': 2 ** 40, length: 2 ** 40 }), /piece length/],
  ['a piece length that is text', torrent({ 'piece length': 'x' }), /piece length/],
  ['hashes of 21 bytes', torrent({ pieces: new Uint8Array(21) }), /damaged/],
  ['no hashes', torrent({ pieces: '' }), /does not fit/],
  ['hashes that are a number', torrent({ pieces: 5 }), /info\.pieces/],
  ['files without length', torrent({ files: [file(undefined)] }), /is not valid/],
  ['a file of -100 bytes', torrent({ files: [file(200), file(-100)] }), /is not valid/],
  ['files that are together too long', torrent({ files: [file(2 ** 52), file(2 ** 52)] }), /does not fit/],
  ['no files', torrent({ files: [] }), /no files/],
  ['files that are a number', torrent({ files: 5 }), /list of files/],
  ['a file that is none', torrent({ files: [5] }), /list of files/],
  ['a file with a path of numbers', torrent({ files: [file(100, [5])] }), /path/],
  ['a file with an empty name', torrent({ files: [file(100, [''])] }), /path/],
  ['an empty name', torrent({ name: '' }), /name/],
  ['a name with a NUL', torrent({ name: 'a\0b' }), /NUL/],
  ['version 2 alone', torrent({ pieces: undefined, 'file tree': {} }), /BitTorrent v2 only/]
]

for (const [what, bytes, reason] of BROKEN) {
  test(`a torrent with ${what}`, async t => {
    await readOrdinary(bytes).then(() => t.fail('it was read'), (err: Error) => t.match(err.message, reason))
  })
}

test('more pieces than there is room for', async t => {
  const pieces = 2 ** 20 + 1
  await readOrdinary(torrent({ pieces: new Uint8Array(20 * pieces), 'piece length': 1, length: pieces })).then(
    () => t.fail('it was read'), (err: Error) => t.match(err.message, /pieces, more than/)
  )
})

test('torrents that are in order are read as ever', async t => {
  for (const [name, { torrent: bytes, parsedTorrent }] of Object.entries(fixtures)
    .filter((entry): entry is [string, typeof fixtures.leaves] => 'parsedTorrent' in entry[1])) {
    t.equal((await readOrdinary(bytes)).infoHash, parsedTorrent.infoHash, name)
  }
  t.equal((await readOrdinary(torrent({ length: 0, pieces: '' }))).infoHash.length, 40, 'one of no bytes')
})

async function refused (client: BitWorker, id: TorrentId): Promise<string> {
  const [err] = await eventOf(client.add(id), 'error') as [Error]
  return `${err.message}${err.cause instanceof Error ? `: ${err.cause.message}` : ''}`
}

test('every way in leads past the same look', async t => {
  const [dir, client] = [createFolder(t), createClient(t)]
  const bytes = torrent({ length: 2 ** 50 })
  const path = join(dir, 'x.torrent')
  await writeFile(path, bytes)
  const server = createServer((_req, res) => { res.end(bytes) }).listen(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { server.close(() => { resolve() }) }))
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.torrent`
  const { parsedTorrent } = fixtures.leaves
  const parsed = { ...parsedTorrent, length: 2 ** 50, files: [{ path: 'x', name: 'x', length: 2 ** 50, offset: 0 }] }
  for (const [what, id] of Object.entries({ bytes, path, url, blob: new Blob([new Uint8Array(bytes)]), parsed })) {
    t.match(await refused(client, id), /its length \(1125899906842624\) does not fit/, what)
  }
  // as it comes from peers (BEP 9)
  const magnet = client.add('ab'.repeat(20))
  await eventOf(magnet, 'infoHash')
  const failed = eventOf(magnet, 'error')
  await (magnet as unknown as { _onMetadata (bytes: Uint8Array): Promise<void> })._onMetadata(bytes)
  t.match(String(((await failed)[0] as Error).cause), /does not fit/, 'metadata')
})

test('trackers that cannot be asked are dropped, with a warning', async t => {
  const client = createClient(t, { tracker: {} })
  const bad = [
    'udp://127.0.0.1:0',
    'http://127.0.0.1:0/announce',
    'udp://',
    'udp://127.0.0.1:99999',
    'ws://127.0.0.1:NaN',
    'http://a b/',
    `http://${'x'.repeat(3000)}`
  ]
  const added = client.add(
    `magnet:?xt=urn:btih:${'ab'.repeat(20)}${bad.map(url => `&tr=${encodeURIComponent(url)}`).join('')}`,
    { announce: bad }
  )
  const warnings: string[] = []
  added.on('warning', err => { warnings.push(err.message) })
  await eventOf(added, 'infoHash')
  t.same(added.announce, [])
  t.equal(warnings.length, 2 * bad.length)
  t.equal(warnings[0], 'The tracker udp://127.0.0.1:0 is not used: its port is 0.')
})

test('a link whose xs is broken, endless or something else works without it', async t => {
  const client = createClient(t)
  const server = createServer((req, res) => {
    if (req.url === '/broken') res.end(torrent({ length: 2 ** 50 }))
    else if (req.url === '/other') res.end(fixtures.leaves.torrent)
    else if (req.url === '/short') res.writeHead(200, { 'content-length': 100 }).write('d', () => { res.destroy() })
    else res.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  cleanUp(t, () => new Promise<void>(resolve => { server.close(() => { resolve() }) }))
  await once(server, 'listening')
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const [path, reason] of [
    ['/broken', /does not fit/], ['/other', /another info-hash/], ['/short', /./], ['/404', /HTTP 404/]
  ] as const) {
    const added = client.add(`magnet:?xt=urn:btih:${'ab'.repeat(20)}&xs=${encodeURIComponent(base + path)}`)
    const [err] = await eventOf(added, 'warning')
    t.match((err as Error).message, reason)
    t.ok((err as Error).message.startsWith(`${base}${path} (xs): `))
    await client.remove(added)
  }
  const leaves = client.add(
    `magnet:?xt=urn:btih:${fixtures.leaves.parsedTorrent.infoHash}&xs=${encodeURIComponent(`${base}/other`)}`,
    { path: createFolder(t) }
  )
  await eventOf(leaves, 'metadata')
  t.equal(leaves.name, fixtures.leaves.parsedTorrent.name, 'and one that leads to the right thing is enough')
})

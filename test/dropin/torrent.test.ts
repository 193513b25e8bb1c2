/** BitWorker in WebTorrent's place, with ordinary torrents: seeding, the options of a torrent, selections, stores. */
import { Blob } from 'node:buffer'
import { cp, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import BitField from 'bitfield'
import MemoryChunkStore from 'memory-chunk-store'
import fixtures from 'webtorrent-fixtures'
import type { Torrent, WebTorrentClient } from '../../lib/webtorrent/types.ts'
import { createFolder } from '../helpers/disk.ts'
import { CLIENT_EVENTS, describe, internal, same, selections, TORRENT_EVENTS } from '../helpers/same.ts'
import { eventOf } from '../helpers/swarm.ts'

const { leaves, folder, numbers, lotsOfNumbers, alice } = fixtures
const store = { store: MemoryChunkStore }
const pieceCount = leaves.parsedTorrent.pieces.length

/** What WebTorrent's torrents have besides what our types tell. */
interface Inner {
  load (streams: unknown, cb: (err: Error | null) => void): void
  rescanFiles (cb: (err: Error | null) => void): void
  getFileModtimes (cb: (err: Error | null, times: number[]) => void): void
}
const inner = (torrent: Torrent): Torrent & Inner => torrent as Torrent & Inner

async function add (client: WebTorrentClient, id: Uint8Array | string, opts: object): Promise<Torrent & Inner> {
  const torrent = client.add(id, opts)
  await eventOf(torrent, 'ready')
  // 'done' follows at once if it does
  await new Promise(resolve => { setImmediate(resolve) })
  return inner(torrent)
}

function called<T = undefined> (fn: (cb: (err: Error | null, value?: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => { fn((err, value) => { if (err) reject(err); else resolve(value) }) })
}

const named = (name: string, text: string): Buffer => Object.assign(Buffer.from(text), { name })

/** Input and options of `client.seed`; the creation date would be the moment's. */
const inputs: Record<string, () => [unknown, object?]> = {
  Buffer: () => [leaves.content, { name: leaves.parsedTorrent.name }],
  'Buffer with a name': () => [named('hello.txt', 'Hello, World!')],
  Blob: () => [new Blob([alice.content]), { name: 'alice.txt' }],
  stream: () => [Readable.from([Buffer.from('HELLO '), Buffer.from('WORLD\n')]), { name: 'hello.txt', pieceLength: 5 }],
  'several Buffers': () => [
    [named('a', 'a'.repeat(99)), named('b', 'b'.repeat(99))],
    { name: 'ab', comment: 'two', createdBy: 'us', private: true, pieceLength: 64 }
  ],
  file: () => [leaves.contentPath, { store: undefined }],
  'folder of one file': () => [folder.contentPath, { store: undefined }],
  folder: () => [numbers.contentPath, { store: undefined }],
  'folder of folders': () => [lotsOfNumbers.contentPath, { store: undefined }],
  'missing file': () => ['/no/such/file']
}

for (const [form, makeInput] of Object.entries(inputs)) {
  same(`seed: ${form}`, async ({ log, watch, start }) => {
    const client = await start()
    const [input, opts] = makeInput()
    watch(client, 'client', CLIENT_EVENTS)
    const options = { announce: [], creationDate: 1e9, ...store, ...opts }
    const torrent = client.seed(input as Uint8Array, options, seeded => { log('callback', seeded === torrent) })
    watch(torrent, 'torrent', [...TORRENT_EVENTS, 'seed'])
    await Promise.race(
      ['seed', 'close'].map(
        name =>
          new Promise(resolve => {
            torrent.once(name as 'close', () => {
              setImmediate(resolve)
            })
          })
      )
    )
    log(describe(torrent), torrent.destroyed, client.torrents.length)
    for (const file of torrent.files) log(file.name.length, await file.arrayBuffer())
  })
}

const options: Record<string, object> = {
  none: {},
  skipVerify: { skipVerify: true },
  deselect: { deselect: true },
  rarest: { strategy: 'rarest' },
  sequential: { strategy: 'sequential' },
  private: { private: true },
  paused: { paused: true },
  announce: { announce: ['http://127.0.0.1:1/announce', 'http://127.0.0.1:1/announce', 'udp://127.0.0.1:1'] },
  urlList: { urlList: ['http://127.0.0.1:1/a', 'http://127.0.0.1:1/a'] },
  others: {
    maxWebConns: 2, uploads: 3, alwaysChokeSeeders: false, storeCacheSlots: 0, noPeersIntervalTime: 5, name: 'ignored'
  },
  'bitfield, true to the disk': { bitfield: new Uint8Array(Math.ceil(pieceCount / 8)) },
  'bitfield of another length': { bitfield: new Uint8Array(1) }
}

for (const [name, opts] of Object.entries(options)) {
  same(`options: ${name}`, async ({ log, start }) => {
    const client = await start({ tracker: false, webSeeds: false })
    const torrent = await add(client, leaves.torrent, { ...store, ...opts })
    log(describe(torrent), selections(torrent))
    log(
      ['_rechokeNumSlots', '_noPeersIntervalTime', '_storeCacheSlots', 'alwaysChokeSeeders'].map(key =>
        internal(torrent, key)
      )
    )
  })
}

same('options: path, with data that is there already, and rescanFiles', async ({ t, log, watch, start }) => {
  const path = createFolder(t)
  const file = join(path, basename(leaves.contentPath))
  await cp(leaves.contentPath, file)
  const client = await start()
  const torrent = await add(client, leaves.torrent, { path, storeCacheSlots: 0 })
  log(describe(torrent), torrent.path === path)
  watch(torrent, 'torrent', ['done', 'idle', 'interested'])
  await writeFile(file, Buffer.from('damage'), { flag: 'r+' })
  await called(cb => { torrent.rescanFiles(cb) })
  log(torrent.progress, torrent.done, torrent.files[0]?.done)
  await cp(leaves.contentPath, file)
  await called(cb => { torrent.rescanFiles(cb) })
  log(torrent.progress, torrent.done, (await called<number[]>(cb => { torrent.getFileModtimes(cb) }))?.length)
  await called(cb => { torrent.destroy({ destroyStore: true }, err => { cb(err ?? null) }) })
  log(await readdir(path))
})

same('options: a bitfield that claims too much', async ({ t, log, start }) => {
  const bitfield = new BitField(pieceCount)
  for (let index = 0; index < pieceCount; index++) bitfield.set(index)
  const torrent = await add(await start(), leaves.torrent, { path: createFolder(t), bitfield: bitfield.buffer })
  log(describe(torrent))
})

same('options: addUID, and load', async ({ t, log, watch, start }) => {
  const path = createFolder(t)
  const torrent = await add(await start(), numbers.torrent, { path, addUID: true })
  watch(torrent, 'torrent', TORRENT_EVENTS)
  await called(cb => { torrent.load([Readable.from([Buffer.from('122333')])], cb) })
  log(describe(torrent), await readdir(path, { recursive: true }))
})

same('options: store, storeOpts and preloadedStore', async ({ log, start }) => {
  const client = await start()
  class Store extends MemoryChunkStore {
    constructor (chunkLength: number, opts: { length: number, files: Array<{ path: string }> }) {
      super(chunkLength, opts)
      log('store', chunkLength, Object.keys(opts), { ...opts, files: opts.files.map(({ path }) => path) })
    }

    override put (index: number, data: Uint8Array, cb?: (err: Error | null) => void): void {
      log('put', index, data)
      super.put(index, data, cb)
    }
  }
  const torrent = await add(client, numbers.torrent, { store: Store, storeOpts: { extra: 1 }, path: '/nowhere' })
  await called(cb => { torrent.load(Readable.from([Buffer.from('122333')]), cb) })
  log(torrent.progress)
  const preloadedStore = new MemoryChunkStore(leaves.parsedTorrent.pieceLength, { length: leaves.content.length })
  for (let index = 0; index < pieceCount; index++) {
    const offset = index * preloadedStore.chunkLength
    await called(cb => {
      preloadedStore.put(index, leaves.content.subarray(offset, offset + preloadedStore.chunkLength), cb)
    })
  }
  log(describe(await add(client, leaves.torrent, { preloadedStore })))
})

same('selections', async ({ log, watch, start }) => {
  const torrent = await add(await start(), leaves.torrent, store)
  watch(torrent, 'torrent', ['interested', 'uninterested', 'idle'])
  log(selections(torrent))
  torrent.deselect(2, 5)
  log(selections(torrent))
  torrent.select(3, 4, 7)
  torrent.files[0]?.select(2)
  log(selections(torrent))
  torrent.files[0]?.deselect()
  log(selections(torrent))
  for (const [from, to] of [[-1, 2], [3, 2], [0, pieceCount]] as const) {
    try { torrent.select(from, to) } catch (err) { log(err) }
  }
  torrent.critical(1, 3)
  await new Promise(resolve => { setImmediate(resolve) })
  log(internal(torrent, '_critical'))
})

same('files in folders', async ({ log, start }) => {
  const torrent = await add(await start(), lotsOfNumbers.torrent, { path: dirname(lotsOfNumbers.contentPath) })
  log(describe(torrent), torrent.files.map(file => [file.includes(0), file.includes(9)]))
  for (const file of torrent.files) log(file.path, await file.arrayBuffer(), (await file.blob()).type)
})

same('properties read through a Proxy, as reactive user interfaces do', async ({ log, start }) => {
  const torrent = await add(await start(), leaves.torrent, store)
  log(describe(new Proxy(torrent, {})))
})

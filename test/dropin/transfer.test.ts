/** BitWorker in WebTorrent's place, with ordinary torrents: downloading, and reading what is downloaded. */
import { createReadStream } from 'node:fs'
import MemoryChunkStore from 'memory-chunk-store'
import WebTorrent from 'webtorrent'
import fixtures from 'webtorrent-fixtures'
import BitWorker from '../../lib/index.ts'
import type { TorrentOptions } from '../../lib/webtorrent/inherited-options.ts'
import type { Torrent, TorrentId, WebTorrentClient } from '../../lib/webtorrent/types.ts'
import { within } from '../helpers/disk.ts'
import { same, seedLeaves } from '../helpers/same.ts'
import type { Run } from '../helpers/same.ts'
import { addressOf, eventOf } from '../helpers/swarm.ts'

const { leaves, alice } = fixtures
const store = { store: MemoryChunkStore }

/** Adds and lets it find the peer; the torrent's events are up to the caller. */
async function leech (
  client: WebTorrentClient, id: TorrentId, seeder: WebTorrentClient, opts: TorrentOptions = {}
): Promise<Torrent> {
  const torrent = client.add(id, { ...store, ...opts })
  await eventOf(torrent, 'infoHash')
  torrent.addPeer(await addressOf(seeder))
  return torrent
}

/** Resolves with the error, or null. */
function load (torrent: Torrent, path: string): Promise<Error | null> {
  const loadable = torrent as Torrent & { load: (stream: unknown, cb: (err: Error | null) => void) => void }
  return new Promise(resolve => { loadable.load(createReadStream(path), resolve) })
}

/** What is left of a download, the order in which the pieces came aside. */
async function logDownload ({ log }: Run, torrent: Torrent): Promise<void> {
  const pieces: number[] = []
  const files: string[] = []
  let [received, uploaded] = [0, 0]
  torrent.on('verified', index => pieces.push(index))
  torrent.on('download', bytes => { received += bytes })
  torrent.on('upload', bytes => { uploaded += bytes })
  torrent.once('metadata', () => { for (const file of torrent.files) file.on('done', () => files.push(file.path)) })
  // where both have uTP, WebTorrent uses that, and BitWorker TCP: see lib/connections/dialling.ts
  torrent.once('wire', (wire, addr) => {
    log('wire', wire.type.replace(/^(?:tcp|utp)/, ''), addr?.replace(/\d+$/, 'port'))
  })
  await eventOf(torrent, 'done')
  log(
    pieces.sort((a, b) => a - b), files, torrent.progress, torrent.downloaded, torrent.numPeers, torrent.timeRemaining
  )
  log(received === torrent.received, received > torrent.length, uploaded === torrent.uploaded)
  for (const file of torrent.files) log(file.path, file.progress, file.downloaded, file.done, await file.arrayBuffer())
}

for (const [transport, opts] of Object.entries({
  TCP: {}, 'TCP in plain text': { secure: 0 as const }, uTP: { utp: true }
})) {
  for (const form of ['magnet link', 'torrent file'] as const) {
    for (const partner of [undefined, WebTorrent, BitWorker]) {
      const other = partner === undefined ? 'one of its kind' : partner === WebTorrent ? 'WebTorrent' : 'BitWorker'
      same(`download by ${transport}, ${form}, from ${other}`, async run => {
        const seeder = await run.start(opts, partner)
        const source = await seedLeaves(seeder)
        const client = await run.start(opts)
        await logDownload(
          run,
          await leech(client, form === 'magnet link' ? source.magnetURI : source.torrentFile, seeder)
        )
      })
    }
  }
}

same('download while seeding, both ways at once', async run => {
  const [a, b] = [await run.start(), await run.start()]
  const [leavesA, aliceB] = [a.add(leaves.torrent, store), b.add(alice.torrent, store)]
  run.log(await load(leavesA, leaves.contentPath), await load(aliceB, alice.contentPath))
  await Promise.all([
    eventOf(await leech(a, alice.magnetURI, b), 'done'), eventOf(await leech(b, leaves.magnetURI, a), 'done')
  ])
  for (const client of [a, b]) {
    for (const torrent of client.torrents) run.log(torrent.name, torrent.progress, torrent.done)
  }
  run.log(a.progress, b.progress, a.ratio > 0)
})

same('a wrong piece is asked for again', async ({ log, start }) => {
  class Liar extends MemoryChunkStore {
    asked = 0
    override get (index: number, opts: object | null, cb: (err: Error | null, data?: Uint8Array) => void): void {
      super.get(index, opts, (err, data) => {
        cb(err, index === 3 && this.asked++ === 0 ? data?.map(byte => byte ^ 1) : data)
      })
    }
  }
  const seeder = await start()
  const source = await seedLeaves(seeder, { store: Liar, storeCacheSlots: 0 })
  const torrent = await leech(await start(), source.torrentFile, seeder)
  torrent.on('warning', err => { log(err) })
  await eventOf(torrent, 'done')
  log(torrent.progress)
})

same('a store that fails', async ({ log, start }) => {
  class Broken extends MemoryChunkStore {
    override put (index: number, data: Uint8Array, cb: (err: Error | null) => void = () => {}): void {
      if (index < 5) super.put(index, data, cb)
      else queueMicrotask(() => { cb(new Error('disk full')) })
    }
  }
  const seeder = await start()
  const source = await seedLeaves(seeder)
  const client = await start()
  client.on('error', err => { log('client', err) })
  const torrent = await leech(client, source.torrentFile, seeder, { store: Broken })
  await within(new Promise<void>(resolve => { torrent.once('close', resolve) }), 'close')
  log(torrent.destroyed, client.destroyed, client.torrents.length)
})

same('reading files: ranges, of finished and unfinished torrents', async ({ log, start }) => {
  const seeder = await start()
  const source = await seedLeaves(seeder)
  const rest = await leech(await start(), source.torrentFile, seeder, { deselect: true })
  if (!rest.ready) await eventOf(rest, 'ready')
  for (const torrent of [source, rest]) {
    const file = torrent.files[0]!
    for (const range of [
      { start: 100_000, end: 150_000 }, { start: leaves.content.length - 3 }, { start: 5, end: 5 }, { end: 7 }, {}
    ]) {
      const chunks: Uint8Array[] = []
      for await (const chunk of file.createReadStream(range)) chunks.push(chunk)
      log(range, Buffer.concat(chunks), await file.arrayBuffer(range))
    }
    log(
      await new Response(file.stream({ start: 7, end: 70 })).arrayBuffer(),
      (await file.blob()).size,
      (await file.blob()).type
    )
  }
  log(rest.done, rest.progress)
})

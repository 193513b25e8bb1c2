// The process that asks trackers, as often as it is told to, and serves files over HTTP: what the library does in an
// application.
import process from 'node:process'
import { Client } from 'bittorrent-tracker'
import BitWorker, { createTask } from '../../../lib/index.ts'

interface Tracker { announce (opts: object): void }
interface TrackerClient {
  _trackers: Tracker[]
  on (event: string, listener: (value: unknown) => void): void
  _defaultAnnounceOpts (opts: object): object
}

const urls = process.argv.slice(2)
const trackers = new Client({
  infoHash: 'ab'.repeat(20), peerId: 'cd'.repeat(20), port: 6881, announce: urls
}) as unknown as TrackerClient
// whom they name is not called: that could be anybody
trackers.on('peer', () => {})
trackers.on('warning', err => { if (!(err instanceof Error)) throw new Error('a warning that is no Error') })

const client = new BitWorker({ dht: false, lsd: false, natPmp: false, natUpnp: false, utp: false, tracker: false })
const torrent = client.add(createTask({ name: 'out', command: 'true', parts: 3, pieceLength: 1000 }), {
  compute: false, path: process.cwd()
})
torrent.once('ready', () => {
  const server = client.createServer()
  server.listen(0, '127.0.0.1', () => { process.send!({ port: server.address()!.port, infoHash: torrent.infoHash }) })
})
process.on('message', (index: number) => {
  trackers._trackers[index]!.announce(trackers._defaultAnnounceOpts({ numwant: 1 }))
})

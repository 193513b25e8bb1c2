// The process that asks trackers, as often as it is told to, and serves files over HTTP: what the library does in an
// application. It is told the number of a tracker, which it asks, or the URL of another one, which it connects to.
import process from 'node:process'
import { Client } from 'bittorrent-tracker'
import BitWorker, { createTask } from '../../../lib/index.ts'

interface Tracker { announce (opts: object): void }
interface TrackerClient {
  _trackers: Tracker[]
  on (event: string, listener: (value: unknown) => void): void
  _defaultAnnounceOpts (opts: object): object
  destroy (): void
}

function asking (urls: string[]): TrackerClient {
  const made = new Client({
    infoHash: 'ab'.repeat(20), peerId: 'cd'.repeat(20), port: 6881, announce: urls
  }) as unknown as TrackerClient
  // whom they name is not called: that could be anybody
  made.on('peer', () => {})
  made.on('warning', err => { if (!(err instanceof Error)) throw new Error('a warning that is no Error') })
  return made
}

const trackers = asking(process.argv.slice(2))
let last: TrackerClient | null = null

const client = new BitWorker({ dht: false, lsd: false, natPmp: false, natUpnp: false, utp: false, tracker: false })
const torrent = client.add(createTask({ name: 'out', command: 'true', parts: 3, pieceLength: 1000 }), {
  compute: false, path: process.cwd()
})
torrent.once('ready', () => {
  const server = client.createServer()
  server.listen(0, '127.0.0.1', () => { process.send!({ port: server.address()!.port, infoHash: torrent.infoHash }) })
})
process.on('message', (which: number | string) => {
  if (typeof which === 'number') {
    trackers._trackers[which]!.announce(trackers._defaultAnnounceOpts({ numwant: 1 }))
  } else {
    last?.destroy()
    last = asking([which])
  }
})
process.once('SIGINT', () => {
  for (const each of [trackers, last]) each?.destroy()
  client.destroy(() => { process.exit(130) })
})

// A stream of a file whose torrent is removed closes without an end; that nobody listens for its error is no uncaught
// exception.
import type { EventEmitter } from 'node:events'
import test from 'tape'
import fixtures from 'webtorrent-fixtures'
import { createTask } from '../../lib/index.ts'
import { createFolder } from '../helpers/disk.ts'
import { createClient, eventOf } from '../helpers/swarm.ts'

for (const [what, id] of [
  ['a task', createTask({ name: 'out', command: 'true', parts: 3, pieceLength: 1000 })], ['an ordinary torrent', fixtures.leaves.parsedTorrent]
] as const) {
  test(`the stream of ${what} that is removed`, async t => {
    const client = createClient(t)
    const torrent = client.add(id, { compute: false, path: createFolder(t) })
    await eventOf(torrent, 'ready')
    const stream = torrent.files[0]!.createReadStream()
    const uncaught: unknown[] = []
    const onUncaught = (err: unknown): void => { uncaught.push(err) }
    process.on('uncaughtException', onUncaught)
    let hasEnded = false
    stream.on('data', () => {}).on('end', () => { hasEnded = true })
    // not `once` of node:events, which would listen for errors
    const closed = new Promise<void>(resolve => { (stream as EventEmitter).once('close', () => { resolve() }) })
    await client.remove(torrent)
    await closed
    await new Promise(resolve => { setImmediate(resolve) })
    process.off('uncaughtException', onUncaught)
    t.same([uncaught, hasEnded], [[], false])
  })
}

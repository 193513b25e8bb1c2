// Connections that others open, and how little of them stays.
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { connect } from 'node:net'
import test from 'tape'
import { createTask } from '../../lib/index.ts'
import type { InternalClient, InternalTorrent } from '../../lib/webtorrent/internals.ts'
import { within } from '../helpers/disk.ts'
import { createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'n.txt', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 64 })
const CALLERS = 50
/** A message of 4 GiB. */
const WRONG = Buffer.alloc(4, 255)

test('whoever is hung up on right after the handshake leaves nothing behind', async t => {
  const peer = await createPeer(t, task)
  await ready(peer)
  const { client, torrent } = peer
  const ends: Array<Promise<unknown>> = []
  const { tcpServer } = (client as unknown as InternalClient)._connPool!
  tcpServer.on('connection', (conn: EventEmitter) => { ends.push(once(conn, 'close')) })
  for (let i = 0; i < CALLERS; i++) {
    const caller = connect(client.torrentPort, '127.0.0.1')
    const start = Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05')
    caller.end(Buffer.concat([start, Buffer.from(task.infoHash, 'hex'), Buffer.alloc(20, i), WRONG]))
    await within(once(caller.resume(), 'close'), 'the end of the connection')
  }
  t.equal(ends.length, CALLERS)
  await within(Promise.all(ends), 'the end of all')
  // as long as WebTorrent needs to find the torrent of one that it was told of before
  await client.get(task.infoHash)
  t.equal((torrent as unknown as InternalTorrent)._peers!.size, 0)
})

// Connections that others open, and how little of them stays.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { connect } from 'node:net'
import test from 'tape'
import { MAX_UTP_CONNECTIONS } from '../../lib/connections/half-open.ts'
import { createTask } from '../../lib/index.ts'
import type { InternalClient, InternalTorrent } from '../../lib/webtorrent/internals.ts'
import { within } from '../helpers/disk.ts'
import { freePort } from '../helpers/swarm.ts'
import { createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'n.txt', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 64 })
const CALLERS = 50
const ENOUGH = 3 * MAX_UTP_CONNECTIONS
/** A message of 4 GiB. */
const WRONG = Buffer.alloc(4, 255)

test('a connection closed right after the handshake leaves nothing behind', async t => {
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

test('a flood of unused uTP connections', async t => {
  const { client } = await createPeer(t, task, { client: { utp: true, torrentPort: await freePort() } })
  const { utpServer } = (client as unknown as InternalClient)._connPool!
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  t.teardown(() => { socket.close() })
  await once(socket, 'listening')
  const counts: number[] = []
  utpServer!.on('connection', () => { counts.push(utpServer!.connections.length) })
  for (let id = 0; counts.length < ENOUGH; id += 2) {
    // BEP 29: ST_SYN, version 1; a connection each
    const syn = Buffer.concat([Buffer.of(0x41, 0, id >> 8, id & 255), Buffer.alloc(16, 1)])
    socket.send(syn, client.torrentPort, '127.0.0.1')
    await new Promise(resolve => { setImmediate(resolve) })
  }
  const most = Math.max(...counts)
  t.ok(most <= MAX_UTP_CONNECTIONS, `${most} connections at most`)
})

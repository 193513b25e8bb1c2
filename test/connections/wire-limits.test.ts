// What one peer may cost: rates without sockets, doors with them.
import { randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import Wire from 'bittorrent-protocol'
import test from 'tape'
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import { TokenBucket } from '../../lib/base/token-bucket.ts'
import type { Wire as WireType } from '../../lib/base/wire.ts'
import { Admission } from '../../lib/connections/admission.ts'
import { limitWire } from '../../lib/connections/wire-limits.ts'
import { createTask } from '../../lib/index.ts'
import { hostOf } from '../../lib/peers/identity.ts'
import { magnetProblem } from '../../lib/task/magnet-check.ts'
import type { InternalClient } from '../../lib/webtorrent/internals.ts'
import { within } from '../helpers/disk.ts'
import { HostilePeer, frame, latin1, u32 } from '../helpers/hostile-peer.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'out.txt', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 64 })

test('a bucket: the burst, then the rate, and debts are waited for', t => {
  const bucket = new TokenBucket(10, 3, 0)
  t.same([bucket.take(1, 0), bucket.take(2, 0), bucket.take(1, 0)], [0, 0, 100])
  t.equal(bucket.take(0, 100), 0)
  t.equal(bucket.take(5, 100_000), 200, 'no more than the burst is saved')
  t.end()
})

interface Writable { _write (data: Uint8Array, cb: () => void): void }

/** A wire after the handshake, with limits and a clock of the test's. */
function limited (pieceCount: number, now: () => number): { wire: WireType & Writable, violations: string[] } {
  const violations: string[] = []
  const ext = {
    reportViolation: (reason: string) => {
      violations.push(reason)
    },
    close: () => {}
  } as unknown as UtBitworker
  const wire = new Wire('tcpIncoming') as unknown as WireType & Writable
  wire._write(Buffer.concat([latin1('\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04'), Buffer.alloc(40, 1)]), () => {})
  limitWire(wire, ext, pieceCount, now)
  return { wire, violations }
}

test('an honest peer of 10 000 tiny pieces is never made to wait', t => {
  const { wire, violations } = limited(10_000, () => 0)
  t.teardown(() => { wire.destroy() })
  let read = 0
  // in no time at all: claim, result, bit, request and cancel for every piece
  for (let index = 0; index < 10_000; index++) {
    const extended = [Buffer.alloc(30, 9), Buffer.alloc(60, 9)].map(bytes => frame(20, bytes))
    const others = [frame(4, u32(index)), frame(6, u32(index, 0, 64)), frame(8, u32(index, 0, 64))]
    wire._write(Buffer.concat([...extended, ...others]), () => { read++ })
  }
  t.equal(read, 10_000)
  t.same(violations, [])
  t.end()
})

test('a flood is read slowly, but is not cut off', async t => {
  let time = 0
  const { wire } = limited(4, () => time)
  t.teardown(() => { wire.destroy() })
  const flood = Buffer.concat(Array.from({ length: 5000 }, () => frame(2)))
  let read = 0
  const goesOn = new Promise<void>(resolve => {
    wire._write(flood, () => {
      read++
      resolve()
    })
  })
  t.equal(read, 0, 'the next bytes have to wait')
  time += 2000
  await within(goesOn, 'reading on')
  let isRead = false
  wire._write(flood, () => { isRead = true })
  t.notOk(isRead)
  wire.destroy()
  t.ok(isRead, 'the end is not delayed')
})

test('addresses', t => {
  for (const [address, host] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['[2001:db8::1]', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:ffff::2', '2001:db8:0:0::/64'],
    ['2001:0db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['fe80::1', 'fe80:0:0:0::/64'],
    ['::1', '::1'],
    [undefined, '']
  ] as const)
    t.equal(hostOf(address), host, address ?? 'none')
  t.end()
})

const wireOf = (peerId: string, remoteAddress: string, type = 'tcpIncoming'): WireType =>
  ({
    peerId,
    remoteAddress,
    remotePort: 50_000,
    type,
    peerExtendedHandshake: { p: 6881 },
    destroyed: false,
    destroy: () => {}
  }) as unknown as WireType

test('which peers are admitted', t => {
  let now = 0
  const admission = new Admission(() => now)
  const refuses = (wire: WireType, wires: WireType[] = []): boolean =>
    admission.refuses(wire, `${wire.remoteAddress}:1`, { client: { peerId: 'me', maxConns: 55 }, wires })
  t.ok(refuses(wireOf('me', '192.0.2.1')), 'not ourselves')
  admission.ban(wireOf('liar', '192.0.2.1'))
  t.ok(refuses(wireOf('liar', '192.0.2.1')), 'not who was banned')
  t.ok(admission.isBannedAddress('192.0.2.1:6881'), 'nor is it called where it says that it listens')
  t.notOk(admission.isBannedAddress('192.0.2.1:50000'), 'which is not where it called from')
  admission.ban(wireOf('other liar', '::ffff:192.0.2.3', 'tcpOutgoing'))
  t.ok(admission.isBannedAddress('192.0.2.3:50000'), 'or where we called it')
  admission.ban(wireOf('third liar', '2001:db8::1', 'tcpOutgoing'))
  t.ok(admission.isBannedAddress('[2001:db8::1]:50000'))
  t.notOk(refuses(wireOf('liar', '192.0.2.2')), 'but whose peer id an impostor has used is')
  for (let i = 0; i < 9; i++) admission.struck(wireOf(`sybil ${i}`, '192.0.2.1'))
  t.ok(refuses(wireOf('another id', '192.0.2.1')), 'after ten misdeeds nobody from that address')
  now = 3_600_000
  t.notOk(refuses(wireOf('another id', '192.0.2.1')), 'for an hour')
  for (let i = 0; i < 20; i++) admission.struck(wireOf(`sybil ${i}`, '127.0.0.1'))
  t.notOk(refuses(wireOf('honest', '127.0.0.1')), 'this machine has many peers')

  const crowd = Array.from({ length: 8 }, (_, i) => wireOf(`crowd ${i}`, '192.0.2.9'))
  t.ok(refuses(wireOf('x', '192.0.2.9'), crowd), 'not more than eight from one address')
  t.notOk(refuses(wireOf('x', '192.0.2.10'), crowd))
  t.notOk(refuses(wireOf('x', '192.0.2.9', 'tcpOutgoing'), crowd), 'whom we call is another matter')
  const full = Array.from({ length: 42 }, (_, i) => wireOf(`full ${i}`, `198.51.100.${i}`))
  t.ok(refuses(wireOf('x', '192.0.2.10'), full), 'three quarters of all connections')

  let closed = 0
  const honest = { ...wireOf('honest', '192.0.2.20', 'tcpOutgoing'), destroy: () => { closed++ } } as WireType
  t.notOk(refuses(wireOf('honest', '192.0.2.66'), [honest]), 'the same peer id from elsewhere is another peer')
  t.equal(closed, 0, 'which ends nobody\'s connection')
  t.equal(Number(refuses(wireOf('honest', '192.0.2.20'), [honest])) + closed, 1, 'of two with one peer one goes')
  t.end()
})

test('an impostor with the peer id of an honest peer does not get it banned', async t => {
  const [honest, victim] = [await createPeer(t, task, { compute: true }), await createPeer(t, task)]
  await allDone([honest])
  await ready(victim)
  const impostor = await HostilePeer.connect(t, victim, task, {
    localAddress: '127.0.0.66', peerId: Buffer.from(honest.client.peerId, 'hex')
  })
  const banned = once(victim.torrent, 'ban')
  await impostor.introduce()
  impostor.pretend(10)
  while (!impostor.isClosed) {
    await impostor.until(() => impostor.received(6).length > 0)
    for (const request of impostor.takeRequests()) {
      impostor.send(frame(7, Buffer.concat([request.subarray(0, 8), randomBytes(10)])))
    }
    await impostor.heard()
  }
  t.match((await within(banned, 'a ban') as Array<{ peer: string }>)[0]!.peer, /127\.0\.0\.66/)
  await connect(honest, victim)
  await allDone([victim])
  t.equal(victim.downloaded.length, 4, 'from the honest one')
})

test('connections that say nothing: no more than sixteen from one address', async t => {
  const victim = await createPeer(t, task)
  const sockets: Socket[] = []
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  const closed = Array.from({ length: 20 }, async () => {
    const socket = connectSocket({ port: victim.client.torrentPort, host: '127.0.0.1', localAddress: '127.0.0.77' })
    sockets.push(socket)
    socket.on('error', () => {}).resume()
    await once(socket, 'close')
  })
  let count = 0
  await within(
    new Promise<void>(resolve => {
      for (const each of closed)
        void each.then(() => {
          if (++count === 4) resolve()
        })
    }),
    'four closed'
  )
  t.equal(sockets.filter(socket => !socket.destroyed).length, 16)
})

test('magnet links that would fill the memory are refused', async t => {
  const link = `magnet:?xt=urn:btih:${'ab'.repeat(20)}`
  for (const so of ['0-999999999', '0-99999,5', '5-x', '%', `0-${'9'.repeat(30)}`]) {
    t.equal(magnetProblem(`${link}&so=${so}`)?.code, 'BW_ERR_MAGNET', so)
  }
  for (const so of ['0', '1,3-5', '0-9999']) t.equal(magnetProblem(`${link}&so=${so}`), undefined, so)
  t.equal(magnetProblem(`${link}&dn=${'x'.repeat(70_000)}`)?.code, 'BW_ERR_MAGNET', 'nor very long ones')
  t.equal(magnetProblem('a-file.bitworker'), undefined)
  const { client } = await createPeer(t, task)
  const [err] = await within(once(client.add(`${link}&so=0-999999999`), 'error'), 'an error') as Array<{ code: string }>
  t.equal(err!.code, 'BW_ERR_MAGNET')
  t.equal(await client.get(`${link}&so=0-999999999`), null)
})

test('a connection that arrives while a client is being destroyed does no harm', async t => {
  const { client } = await createPeer(t, task)
  const { tcpServer } = (client as unknown as InternalClient)._connPool!
  await new Promise(resolve => { client.destroy(resolve) })
  let isDestroyed = false
  tcpServer.emit(
    'connection',
    Object.assign(new EventEmitter(), {
      remoteAddress: '127.0.0.1',
      destroy: () => {
        isDestroyed = true
      }
    })
  )
  t.ok(isDestroyed)
})

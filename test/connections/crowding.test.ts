// Crowds at the door: who is there for nothing does not shut honest newcomers out.
import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import type { Socket } from 'node:net'
import test from 'tape'
import type { Test } from 'tape'
import type { Wire } from '../../lib/base/wire.ts'
import { Admission } from '../../lib/connections/admission.ts'
import { mostCrowded } from '../../lib/connections/crowding.ts'
import { createTask } from '../../lib/index.ts'
import { within } from '../helpers/disk.ts'
import { HostilePeer, frame } from '../helpers/hostile-peer.ts'
import { allDone, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'n.txt', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 64 })
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

const leaves = (occupants: string[], newcomer: string): string | undefined =>
  mostCrowded(occupants, newcomer, host => host)

test('the most crowded place', t => {
  t.equal(leaves(['192.0.2.1', '198.51.100.1', '198.51.100.1'], '203.0.113.1'), '198.51.100.1', 'an address')
  t.equal(leaves(['192.0.2.1', '192.0.2.2', '198.51.100.1'], '203.0.113.1'), '192.0.2.1', 'a network, the oldest of it')
  t.equal(
    leaves(['2001:db8:1:1::/64', '2001:db8:1:2::/64', '2001:db8:2:1::/64'], '192.0.2.1'),
    '2001:db8:1:1::/64',
    'of IPv6, too'
  )
  t.equal(leaves(['192.0.2.1', '198.51.100.1'], '203.0.113.1'), undefined, 'nowhere')
  t.equal(leaves(['192.0.2.1', '192.0.2.2'], '192.0.2.3'), undefined, 'nor where the newcomer is one of it')
  t.equal(leaves(['192.0.2.1', '192.0.2.1', '192.0.2.2'], '192.0.2.3'), '192.0.2.1', 'but within a network by address')
  t.equal(
    mostCrowded(
      ['192.0.2.1', '192.0.2.1'], '203.0.113.1', host => host, () => false
    ),
    undefined,
    'who may not leave stays'
  )
  t.end()
})

test('which connection makes room', t => {
  const admission = new Admission(() => 0)
  const wires: Array<Wire & { isClosed: boolean }> = []
  const arrive = (remoteAddress: string, downloaded = 0): boolean => {
    const wire = {
      peerId: `peer ${wires.length}`,
      remoteAddress,
      type: 'tcpIncoming',
      destroyed: false,
      uploaded: 0,
      downloaded,
      isClosed: false
    }
    Object.assign(wire, { destroy: () => { wire.isClosed = true } })
    const isRefused = admission.refuses(wire as unknown as Wire, `${remoteAddress}:1`, {
      client: { peerId: 'me', maxConns: 55 }, wires
    })
    if (!isRefused) wires.push(wire as unknown as Wire & { isClosed: boolean })
    return !isRefused
  }
  const open = (): number => wires.filter(({ isClosed }) => !isClosed).length
  for (let i = 0; i < 48; i++) arrive(`198.51.100.${i >> 3}`)
  t.equal(open(), 42)
  t.ok(arrive('192.0.2.1'), 'a newcomer from elsewhere')
  t.ok(arrive('192.0.2.2', 100), 'and another one')
  t.equal(open(), 42, 'takes the place of one of the crowd')
  for (let i = 0; i < 100; i++) arrive(`198.51.100.${i % 10}`)
  t.notOk(
    wires.some(({ remoteAddress, isClosed }) => remoteAddress!.startsWith('192') && isClosed),
    'which comes back in its own place alone'
  )

  t.equal(open(), 42)
  t.end()
})

test('a connection that was idle for a minute makes room, if no place is crowded', t => {
  let now = 0
  const admission = new Admission(() => now)
  const [here, closed]: [Wire[], string[]] = [[], []]
  const arrive = (remoteAddress: string, downloaded = 0): boolean => {
    const wire = {
      peerId: remoteAddress,
      remoteAddress,
      type: 'tcpIncoming',
      destroyed: false,
      uploaded: 0,
      downloaded,
      destroy: () => {
        closed.push(remoteAddress)
      }
    } as unknown as Wire
    const isRefused = admission.refuses(wire, `${remoteAddress}:1`, {
      client: { peerId: 'me', maxConns: 55 }, wires: here
    })
    if (!isRefused) here.push(wire)
    return !isRefused
  }
  for (let i = 0; i < 42; i++) t.ok(arrive(`10.0.${i}.1`, i === 0 ? 100 : 0))
  t.notOk(arrive('172.16.0.1'), 'full')
  now += 61_000
  t.ok(arrive('172.16.1.1'))
  t.same(closed, ['10.0.1.1'], 'not who has delivered')
  t.notOk(arrive('172.16.2.1'), 'one in ten seconds')
  now += 11_000
  t.ok(arrive('172.16.3.1'))
  t.end()
})

/** Sockets from so many addresses, so many each, that say nothing. */
async function crowd (t: Test, { client }: Peer, addresses: number, each: number): Promise<Socket[]> {
  const sockets = times(addresses * each, i =>
    connectSocket({ port: client.torrentPort, host: '127.0.0.1', localAddress: `127.0.1.${1 + (i % addresses)}` })
  )
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await Promise.all(sockets.map(async socket => {
    socket.on('error', () => {}).resume()
    if (socket.connecting) await once(socket, 'connect')
  }))
  return sockets
}

test('a peer is let in beside 17 addresses with 16 silent connections each, and beside 200 with two', async t => {
  for (const [addresses, each] of [[17, 16], [200, 2]] as const) {
    const victim = await createPeer(t, task, { compute: true })
    await allDone([victim])
    await crowd(t, victim, addresses, each)
    const newcomer = await HostilePeer.connect(t, victim, task, { localAddress: '127.0.0.99' })
    await within(newcomer.introduce(), 'an answer')
    t.ok(newcomer.isIntroduced && !newcomer.isClosed, `${addresses} addresses`)
  }
})

test('a peer is let in beside six addresses that have shaken hands eight times each', async t => {
  const victim = await createPeer(t, task, { compute: true })
  await ready(victim)
  for (let i = 0; i < 48; i++) {
    const peer = await HostilePeer.connect(t, victim, task, { localAddress: `127.0.1.${1 + i % 6}` })
    await within(peer.introduce(), 'an answer, or the end')
  }
  const newcomer = await HostilePeer.connect(t, victim, task, { localAddress: '127.0.0.99' })
  await within(newcomer.introduce(), 'an answer')
  newcomer.send(frame(2))
  await within(newcomer.until(() => newcomer.received(1).length > 0), 'an unchoke')
  t.ok(newcomer.isIntroduced && !newcomer.isClosed)
  t.ok(victim.torrent.wires.length <= 42, `${victim.torrent.wires.length} connections`)
})

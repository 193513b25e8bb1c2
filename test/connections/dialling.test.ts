// Which transport a peer is reached by: TCP, and uTP where TCP is not answered.
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import MemoryChunkStore from 'memory-chunk-store'
import test from 'tape'
import type { Test } from 'tape'
import fixtures from 'webtorrent-fixtures'
import { MAX_REDIALS } from '../../lib/connections/dialling.ts'
import type { Dialler } from '../../lib/connections/dialling.ts'
import { createTask } from '../../lib/index.ts'
import type { InternalClient, InternalTorrent } from '../../lib/webtorrent/internals.ts'
import type { Torrent, WebTorrentClient, Wire } from '../../lib/webtorrent/types.ts'
import { cleanUp, within } from '../helpers/disk.ts'
import { freePort } from '../helpers/swarm.ts'
import { allDone, connect, createPeer, ready } from '../helpers/task-swarm.ts'
import type { Peer, PeerOptions } from '../helpers/task-swarm.ts'

const task = createTask({ name: 'n.txt', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 64 })

/** With both transports; WebTorrent takes any free port for TCP and then wants the same for UDP. */
async function withBoth (t: Test, options: PeerOptions = {}): Promise<Peer> {
  return createPeer(t, task, { client: { utp: true, torrentPort: await freePort() }, ...options })
}

/** Its TCP port becomes free; uTP goes on. */
async function closeTcp (client: WebTorrentClient): Promise<void> {
  const { tcpServer } = (client as unknown as InternalClient)._connPool!
  await new Promise<void>(resolve => { (tcpServer as Server).close(() => { resolve() }) })
}

/** Something else that listens on the port. */
async function listen (t: Test, port: number, onSocket: (socket: Socket) => void): Promise<void> {
  const server = createServer(socket => { onSocket(socket.on('error', () => {}).resume()) }).listen(port)
  cleanUp(t, () => { server.close() })
  await once(server, 'listening')
}

/** The type of the next connection that is made. */
async function nextType ({ torrent }: Peer): Promise<string> {
  return (await within(once(torrent, 'wire'), 'a connection') as [Wire])[0].type
}

test('both transports: TCP, one connection, and done', async t => {
  const [first, second] = [await withBoth(t, { compute: true }), await withBoth(t)]
  const type = nextType(second)
  await connect(first, second)
  t.equal(await type, 'tcpOutgoing')
  await allDone([first, second])
  t.equal(second.torrent.wires.length, 1)
  t.same([...(second.torrent as unknown as InternalTorrent)._peers!.keys()], [`127.0.0.1:${first.client.torrentPort}`])
})

test('a peer without uTP, and one that has nothing but uTP', async t => {
  const caller = await withBoth(t)
  const tcpOnly = await createPeer(t, task, { compute: true })
  let type = nextType(caller)
  await connect(tcpOnly, caller)
  t.equal(await type, 'tcpOutgoing')

  const utpOnly = await withBoth(t)
  await closeTcp(utpOnly.client)
  type = nextType(caller)
  await connect(utpOnly, caller)
  t.equal(await type, 'utpOutgoing')
  t.ok(
    (caller.torrent as unknown as InternalTorrent)._peers!.has(`127.0.0.1:${utpOnly.client.torrentPort}`),
    'it has the address of the peer'
  )
  t.notOk(caller.torrent.addPeer(`127.0.0.1:${utpOnly.client.torrentPort}`), 'which is not called again')
  await allDone([caller, utpOnly])
})

for (const [name, onSocket] of [
  ['accepts and says nothing', () => {}],
  ['closes each connection', (socket: Socket) => { socket.destroy() }],
  ['speaks something else', (socket: Socket) => { socket.end('220 mail.example ESMTP\r\n') }]
] as Array<[string, (socket: Socket) => void]>) {
  test(`another program has the TCP port: it ${name}`, async t => {
    const [caller, utpOnly] = [await withBoth(t), await withBoth(t)]
    await closeTcp(utpOnly.client)
    const sockets: Socket[] = []
    await listen(t, utpOnly.client.torrentPort, socket => {
      sockets.push(socket)
      onSocket(socket)
    })
    const type = nextType(caller)
    await connect(utpOnly, caller)
    t.equal(await type, 'utpOutgoing')
    for (const socket of sockets) {
      if (!socket.destroyed) await within(once(socket, 'close'), 'the end of the other connection')
    }
    t.pass('the connection that lost is closed')
  })
}

test('an ordinary torrent, too', async t => {
  const [{ client: seeder }, { client }] = [await withBoth(t), await withBoth(t)]
  const { leaves } = fixtures
  const source = await new Promise<Torrent>(resolve => {
    seeder.seed(leaves.content, { name: leaves.parsedTorrent.name, announce: [], store: MemoryChunkStore }, resolve)
  })
  await closeTcp(seeder)
  const torrent = client.add(source.torrentFile, { store: MemoryChunkStore })
  await within(once(torrent, 'ready'), 'ready')
  const [connected, done] = [once(torrent, 'wire'), once(torrent, 'done')]
  torrent.addPeer(`127.0.0.1:${seeder.torrentPort}`)
  t.equal((await within(connected, 'a connection') as [Wire])[0].type, 'utpOutgoing')
  await within(done, 'done')
})

test('a peer that comes later, and one that comes back, is called again', async t => {
  const caller = await withBoth(t)
  const torrentPort = await freePort()
  caller.torrent.addPeer(`127.0.0.1:${torrentPort}`)
  for (const options of [{ torrentPort }, { torrentPort, utp: true }]) {
    const connected = nextType(caller)
    const peer = await createPeer(t, task, { client: options })
    t.equal(await connected, 'tcpOutgoing')
    await new Promise<void>(resolve => { peer.client.destroy(() => { resolve() }) })
  }
})

/** The calls of each address from now on, as they are made. */
function watchCalls ({ torrent }: Peer): { calls: string[], until: (addr: string, count: number) => Promise<void> } {
  const inner = torrent as unknown as InternalTorrent
  const calls: string[] = []
  const called = new EventEmitter()
  const add = inner._addPeer.bind(inner)
  inner._addPeer = (peer, type, source) => {
    const added = add(peer, type, source)
    if (added !== null && typeof peer === 'string') {
      calls.push(peer)
      called.emit('call')
    }
    return added
  }
  const count = (addr: string): number => calls.filter(each => each === addr).length
  return {
    calls,
    until: async (addr, wanted) => {
      while (count(addr) < wanted) await within(once(called, 'call'), 'a call')
    }
  }
}

test('two peers that call each other at once end with one connection, and leave it at that', async t => {
  for (const transports of ['TCP and uTP', 'TCP', 'uTP']) {
    const pair = [await withBoth(t, { compute: true }), await withBoth(t)] as const
    if (transports === 'TCP') for (const { client } of pair) (client as unknown as { utp: boolean }).utp = false
    if (transports === 'uTP') for (const { client } of pair) await closeTcp(client)
    let wires = 0
    for (const { torrent } of pair) torrent.on('wire', () => { wires++ })
    for (const [i, { torrent }] of pair.entries()) torrent.addPeer(`127.0.0.1:${pair[1 - i]!.client.torrentPort}`)
    await allDone([...pair])
    const both = pair.map(({ torrent }) => torrent)
    while (both.some(torrent => torrent.wires.length !== 1)) {
      const ends = both.flatMap(torrent =>
        torrent.wires.map(async wire => once(wire as unknown as EventEmitter, 'close'))
      )
      await within(Promise.race(ends), 'the end of the other connection')
    }
    const [before, watches] = [wires, pair.map(watchCalls)]
    // what was called before is called again before this is
    const dead = `127.0.0.1:${await freePort()}`
    for (const torrent of both) torrent.addPeer(dead)
    await Promise.all(watches.map(async ({ until }) => until(dead, 2)))
    t.ok(both.every(torrent => torrent.wires.length === 1), `${transports}: one connection`)
    t.equal(wires, before, 'it is the same one')
    for (const { client } of pair) await new Promise<void>(resolve => { client.destroy(() => { resolve() }) })
  }
})

test('an address that is named again and again waits once, and so many addresses wait', async t => {
  const caller = await createPeer(t, task)
  await ready(caller)
  const inner = caller.torrent as unknown as InternalTorrent
  const { dialler } = (inner as unknown as { _taskWires: { dialler: Dialler } })._taskWires
  const dead = await freePort()
  const refused = async (address: string): Promise<void> => {
    caller.torrent.addPeer(address)
    while (inner._peers!.has(address)) await new Promise(resolve => { setImmediate(resolve) })
    // its connection is closed a little later
    for (let i = 0; i < 3; i++) await new Promise(resolve => { setImmediate(resolve) })
  }
  for (let i = 0; i < 20; i++) await refused(`127.0.0.1:${dead}`)
  t.equal(dialler.redials, 1)
  for (let i = 0; i < MAX_REDIALS + 100; i++) await refused(`127.${1 + (i >> 8)}.${i & 255}.1:${dead}`)
  t.ok(dialler.redials <= MAX_REDIALS, `${dialler.redials} wait`)
})

test('a peer that says hello and hangs up is called as rarely as one that is not there', async t => {
  const caller = await createPeer(t, task)
  await ready(caller)
  const port = await freePort()
  const hello = Buffer.concat([
    Buffer.from('\x13BitTorrent protocol\0\0\0\0\0\x10\0\x05'), Buffer.from(task.infoHash, 'hex'), Buffer.alloc(20, 1)
  ])
  await listen(t, port, socket => { socket.once('data', () => socket.end(hello)) })
  const { calls, until } = watchCalls(caller)
  const [leaver, dead] = [`127.0.0.1:${port}`, `127.0.0.1:${await freePort()}`]
  for (const addr of [leaver, dead]) caller.torrent.addPeer(addr)
  await until(dead, 3)
  t.ok(calls.filter(each => each === leaver).length <= 3, calls.join(' '))
  t.ok(calls.includes(leaver), 'but it is')
})

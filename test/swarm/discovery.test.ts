// How peers of a task find each other and what carries them: everything WebTorrent has, on loopback.
import { once } from 'node:events'
import test from 'tape'
import type { Test } from 'tape'
import { createTask, magnetOf } from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'
import type { WebTorrentOptions } from '../../lib/webtorrent/inherited-options.ts'
import { workspace } from '../helpers/cli.ts'
import { allDone, connect, createPeer, digestOf, noteEnd, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

const COMMAND = 'echo $PIECE_IDX; sleep 0.02'

function createCounting (announce: string[] = []): Task {
  return createTask({ name: 'n.txt', command: COMMAND, parts: 20, pieceLength: 64, announce })
}

/** The real thing: `bitworker tracker`. */
async function createTracker (t: Test): Promise<{ http: string, udp: string, ws: string, dht: string }> {
  noteEnd(t)
  const tracker = (await workspace(t)).start([
    'tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0', '--json'
  ])
  const { announce, dhtPort } = await tracker.event('listening')
  const [http = '', udp = '', ws = ''] = announce as string[]
  return { http, udp, ws, dht: `127.0.0.1:${Number(dhtPort)}` }
}

async function finishTogether (t: Test, peers: Peer[]): Promise<void> {
  await allDone(peers)
  const digests = await Promise.all(peers.map(peer => digestOf(peer, 'n.txt')))
  t.equal(new Set(digests).size, 1, 'all files are identical')
  t.equal(
    peers.reduce((sum, { computed, downloaded }) => sum + computed.length + downloaded.length, 0), 20 * peers.length
  )
  t.ok(peers.some(({ downloaded }) => downloaded.length > 0), 'they found each other')
}

/** The types of the connections, such as 'utpOutgoing'. */
function transports ({ torrent }: Peer): string[] {
  return torrent.wires.map(({ type }) => type)
}

test('two peers that know a magnet link and a DHT node', async t => {
  const client: WebTorrentOptions = { dht: { bootstrap: [(await createTracker(t)).dht] } }
  const task = createCounting()
  const first = await createPeer(t, task, { client, compute: { slots: 1 }, verify: 'off' })
  const second = await createPeer(t, task, { client, id: magnetOf(task), compute: { slots: 1 }, verify: 'off' })
  await finishTogether(t, [first, second])
})

for (const kind of ['http', 'udp'] as const) {
  test(`a tracker (${kind})`, async t => {
    const task = createCounting([(await createTracker(t))[kind]])
    const options = { client: { tracker: true }, compute: { slots: 1 }, verify: 'off' }
    const peers = [await createPeer(t, task, options), await createPeer(t, task, options)]
    await finishTogether(t, peers)
  })
}

test('a tracker (WebSocket), which connects by WebRTC', async t => {
  const task = createCounting([(await createTracker(t)).ws])
  const client = { tracker: { rtcConfig: { iceServers: [] } } }
  const first = await createPeer(t, task, { client, verify: 'off' })
  // of two that come at the same moment each closes the connection that the other one keeps
  await once(first.torrent, 'trackerAnnounce')
  const peers = [first, await createPeer(t, task, { client, verify: 'off' })]
  await Promise.all(peers.map(({ torrent }) => once(torrent, 'wire')))
  t.ok(transports(peers[0]!).includes('webrtc'))
  for (const { torrent } of peers) torrent.startComputing({ slots: 1 })
  await finishTogether(t, peers)
})

test('peer exchange: a volunteer who knows one peer soon knows the others', async t => {
  const task = createCounting()
  const peers = [
    await createPeer(t, task, { verify: 'off' }),
    await createPeer(t, task, { verify: 'off' }),
    await createPeer(t, task, { verify: 'off' }),
    await createPeer(t, task, { verify: 'off' })
  ]
  const [hub, ...others] = peers as [Peer, ...Peer[]]
  for (const other of others) await connect(hub, other)
  for (const { torrent } of peers) while (torrent.wires.length < 3) await once(torrent, 'wire')
  t.pass('all are connected to all')
  for (const { torrent } of peers) torrent.startComputing({ slots: 1 })
  await finishTogether(t, peers)
  for (const { torrent } of peers) t.equal(new Set(torrent.wires.map(({ peerId }) => peerId)).size, 3)
})

/** What else than trackers is asked. */
function sources ({ torrent }: Peer): unknown {
  const { dht, lsd } = (torrent as unknown as { discovery: { dht: unknown, lsd: unknown } }).discovery
  return { dht, lsd }
}

test('a private task (BEP 27): its trackers alone name peers', async t => {
  const task = createTask({
    name: 'n.txt',
    command: COMMAND,
    parts: 2,
    pieceLength: 64,
    private: true,
    announce: ['udp://127.0.0.1:9']
  })
  const [dht, none] = [{ bootstrap: [(await createTracker(t)).dht] }, { dht: null, lsd: null }]
  const first = await createPeer(t, task, { client: { dht, lsd: true } })
  await ready(first)
  t.deepEqual(sources(first), none, 'known from its file')

  const second = await createPeer(t, task, {
    client: { dht }, id: `${magnetOf(task)}&x.pe=127.0.0.1:${first.client.torrentPort}`
  })
  await ready(second)
  t.deepEqual(sources(second), none, 'known from its metadata, as a link does not say so')
  const addPeer = (source: string): unknown =>
    (second.torrent as unknown as { addPeer(peer: string, source: string): boolean }).addPeer('127.0.0.1:9', source)
  t.deepEqual(
    ['dht', 'lsd', 'ut_pex', 'tracker'].map(addPeer),
    [false, false, false, true],
    'what was still on its way is refused'
  )
})

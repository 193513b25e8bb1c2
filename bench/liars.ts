// What one peer that announces everything and does not deliver costs an honest swarm: four clients, sixty pieces of 0.3
// s, on loopback, with one liar of each kind.
//   node bench/liars.ts [--runs 5] [--kinds silent,trickle,…] [--pieces 60] [--seconds 0.3]
// Prints the median time until all four have everything, and as a multiple of that without a liar in the same round.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Wire } from '../lib/base/wire.ts'
import BitWorker, { createTask } from '../lib/index.ts'
import type { ComputeTorrent, Task } from '../lib/index.ts'
import { HostilePeer, frame, u32 } from '../test/helpers/hostile-peer.ts'

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false }
const PEERS = 4
const BYTES = 40_000
const POLL_MS = 5
/** Pieces that the liar delivers to earn credit, and when it announces the rest. */
const BAIT = 10
const BAIT_END_MS = 1_000

/** What a liar does with a request; and every so many milliseconds. */
interface Kind {
  answer?: (peer: HostilePeer, request: Buffer) => void
  everyMs?: number
  turn?: (peer: HostilePeer) => void
  /** the size that it says pieces have */
  size?: number
  isBait?: boolean
  livesMs?: number
}

function block (peer: HostilePeer, request: Buffer, data: Buffer): void {
  peer.send(frame(7, Buffer.concat([request.subarray(0, 8), data])))
}

function garbage (peer: HostilePeer, request: Buffer): void {
  block(peer, request, Buffer.alloc(request.readUInt32BE(8), 0xee))
}

/** What the command writes for a piece. */
function content (index: number): Buffer { return Buffer.alloc(BYTES, String(index % 10)) }

function honest (peer: HostilePeer, request: Buffer): void {
  const [index, begin, length] = [0, 4, 8].map(at => request.readUInt32BE(at)) as [number, number, number]
  if (index < BAIT) block(peer, request, content(index).subarray(begin, begin + length))
}

const KINDS: Record<string, Kind> = {
  silent: {},
  trickle: {
    everyMs: 25_000,
    turn: peer => {
      for (const request of peer.takeRequests().slice(0, 1)) garbage(peer, request)
    }
  },
  'trickles each second': {
    everyMs: 1_000,
    turn: peer => {
      for (const request of peer.takeRequests().slice(0, 1)) garbage(peer, request)
    }
  },
  'new ids': { livesMs: 30_000 },
  'new ids each second': { livesMs: 1_000 },
  chokes: {
    everyMs: 300,
    turn: peer => {
      peer.send(frame(peer.turns++ % 2))
    }
  },
  rejects: {
    answer: (peer, request) => {
      peer.send(frame(16, request))
    }
  },
  garbage: { answer: garbage },
  sizes: { size: 1 },
  bait: { answer: honest, isBait: true }
}

interface Honest { client: BitWorker, torrent: ComputeTorrent, path: string }

function isMet (wire: Wire): boolean {
  return (wire as Wire & { ut_bitworker?: { state: { status: string } } }).ut_bitworker?.state.status === 'matched'
}

async function join4 (task: Task): Promise<Honest[]> {
  const peers: Honest[] = []
  for (let i = 0; i < PEERS; i++) {
    const client = new BitWorker(OPTIONS)
    if (!client.listening) await once(client, 'listening')
    const path = await mkdtemp(join(tmpdir(), 'bitworker-liars-'))
    const torrent = client.add(task, { path, verify: 'off' })
    if (!torrent.ready) await once(torrent, 'ready')
    for (const other of peers) torrent.addPeer(`127.0.0.1:${other.client.torrentPort}`)
    peers.push({ client, torrent, path })
  }
  while (peers.some(({ torrent }) => torrent.wires.filter(isMet).length < PEERS - 1)) await pause(POLL_MS)
  return peers
}

async function pause (ms: number): Promise<void> { await new Promise(resolve => { setTimeout(resolve, ms) }) }

function records (task: Task, { isBait = false, size = BYTES }: Kind): Buffer {
  return Buffer.concat(Array.from({ length: task.pieceCount }, (_, index) => {
    const isReal = isBait && index < BAIT
    const digest = createHash('sha256').update(isReal ? content(index) : `never ${index}`).digest()
    return Buffer.concat([u32(index, 0, size), digest])
  }))
}

/** One connection; resolves when the victim knows all that it announces. */
async function lie (port: number, task: Task, kind: Kind): Promise<HostilePeer> {
  const peer = await (await HostilePeer.open(port, task)).introduce()
  const all = records(task, kind)
  const count = kind.isBait === true ? BAIT : task.pieceCount
  const announce = (from: number, to: number): void => {
    peer.bitworker({ results: all.subarray(from * 44, to * 44) })
    for (let index = from; index < to; index++) peer.send(frame(4, u32(index)))
  }
  announce(0, count)
  peer.send(frame(1))
  if (kind.isBait === true) setTimeout(() => { announce(count, task.pieceCount) }, BAIT_END_MS).unref()
  const { turn, answer } = kind
  if (turn !== undefined) peer.socket.once('close', clearAll([setInterval(() => { turn(peer) }, kind.everyMs)]))
  if (answer !== undefined)
    peer.socket.on('data', () => {
      for (const request of peer.takeRequests()) answer(peer, request)
    })
  await peer.heard()
  return peer
}

function clearAll (timers: NodeJS.Timeout[]): () => void {
  return () => { for (const timer of timers) clearInterval(timer) }
}

async function measure (task: Task, kind: Kind | undefined): Promise<{ seconds: number, started: number }> {
  const peers = await join4(task)
  let liars: HostilePeer[] = []
  let started = 0
  const meet = async (): Promise<void> => {
    liars = await Promise.all(peers.map(({ client }) => lie(client.torrentPort, task, kind!)))
  }
  if (kind !== undefined) await meet()
  const comeBack = (): void => {
    for (const { socket } of liars) socket.destroy()
    meet().catch(() => {}) // the round is over
  }
  const rebirth = kind?.livesMs === undefined ? undefined : setInterval(comeBack, kind.livesMs)
  const dones = peers.map(({ torrent }) => once(torrent, 'done'))
  const start = performance.now()
  for (const { torrent } of peers) {
    torrent.on('computing', () => { started++ })
    torrent.startComputing({ slots: 1, sandbox: 'none' })
  }
  await Promise.all(dones)
  const seconds = (performance.now() - start) / 1000
  clearInterval(rebirth)
  for (const { socket } of liars) socket.destroy()
  for (const { client, path } of peers) {
    await new Promise(resolve => { client.destroy(resolve) })
    await rm(path, { recursive: true, force: true, maxRetries: 5 })
  }
  return { seconds, started }
}

function median (values: number[]): number { return values.toSorted((a, b) => a - b)[values.length >> 1]! }

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    kinds: { type: 'string', default: Object.keys(KINDS).join(',') },
    pieces: { type: 'string', default: '60' },
    seconds: { type: 'string', default: '0.3' }
  }
})
const kinds = values.kinds.split(',')
const command = `sleep ${values.seconds}; head -c ${BYTES} /dev/zero | tr '\\0' $((PIECE_IDX % 10))`
const times = new Map<string, number[]>()
const items = new Map<string, number>()
for (let run = 0; run < Number(values.runs); run++) {
  for (const name of ['nobody', ...kinds]) {
    const kind = name === 'nobody' ? undefined : KINDS[name]
    if (name !== 'nobody' && kind === undefined) throw new Error(`${name}: ${Object.keys(KINDS).join(', ')}`)
    const task = createTask({ name: `liars-${run}.txt`, command, parts: Number(values.pieces), pieceLength: 65_536 })
    const { seconds, started } = await measure(task, kind)
    times.set(name, [...times.get(name) ?? [], seconds])
    items.set(name, (items.get(name) ?? 0) + started)
  }
}
const alone = median(times.get('nobody')!)
console.log('| liar | median | × without | runs | work items a run |\n|---|---|---|---|---|')
for (const [name, seconds] of times) {
  const all = seconds.map(each => each.toFixed(1)).join(', ')
  console.log(
    `| ${name} | ${median(seconds).toFixed(2)} s | ${(median(seconds) / alone).toFixed(2)} | ${all} | ${(items.get(name)! / seconds.length).toFixed(0)} |`
  )
}

// What a task of many tiny pieces (`echo $((PIECE_IDX*PIECE_IDX))`) costs.
//   node bench/scale.ts one [PIECES …]      one peer, two slots; default: 1000 100000
//   node bench/scale.ts two [PIECES …]      two peers, a process and a slot each, over TCP on loopback; default: 100000
// `one` prints time, and processor time of the peer with its shells, from `add` until the client is closed, per piece,
// and as a multiple of the first line's. `two` counts from the start of computing until both are complete; memory is
// resident memory: the most that was sampled, twice a second, and the most that the system saw.
// TMPDIR says where the pieces go.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import BitWorker, { createTask } from '../lib/index.ts'
import type { Task } from '../lib/index.ts'

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false }
/** of /proc/PID/stat, on every architecture of today */
const TICK_MS = 10

interface Cost { ms: number, cpuMs: number, maxRss: number }
interface PeerCost extends Cost { rss: number, computed: number }

function taskOf (pieces: number): Task {
  return createTask({ name: 'squares.txt', command: 'echo $((PIECE_IDX*PIECE_IDX))', parts: pieces, pieceLength: 1024 })
}

/** Processor time of this process and of its children that have ended, milliseconds. */
function cpuMs (): number {
  const [, fields] = readFileSync('/proc/self/stat', 'utf8').split(') ') as [string, string]
  return fields.split(' ').slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS
}

function maxRss (): number { return process.resourceUsage().maxRSS * 1024 }

/** A child: computes all pieces alone. */
async function alone (pieces: number, path: string): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const task = taskOf(pieces)
  const [begin, cpu] = [performance.now(), cpuMs()]
  const torrent = client.add(task, { path, compute: { slots: 2, sandbox: 'none' } })
  await once(torrent, 'done')
  const ms = performance.now() - begin
  await new Promise(resolve => { client.destroy(resolve) })
  process.send!({ ms, cpuMs: cpuMs() - cpu, maxRss: maxRss() } satisfies Cost)
  process.disconnect()
}

/** A child: one of two. */
async function oneOfTwo (pieces: number, path: string, peerPort: number): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const torrent = client.add(taskOf(pieces), { path })
  await once(torrent, 'ready')
  process.send!(client.torrentPort)
  if (peerPort > 0) torrent.addPeer(`127.0.0.1:${peerPort}`)
  if (torrent.wires.length === 0) await once(torrent, 'wire')
  process.send!('connected')
  await once(process, 'message')
  let rss = 0
  const sampling = setInterval(() => { rss = Math.max(rss, process.memoryUsage.rss()) }, 500)
  const [begin, cpu] = [performance.now(), cpuMs()]
  torrent.startComputing({ slots: 1, sandbox: 'none' })
  await once(torrent, 'done')
  const ms = performance.now() - begin
  const { computed } = torrent.stats()
  process.send!('done')
  await once(process, 'message') // the other one may still need us
  clearInterval(sampling)
  await new Promise(resolve => { client.destroy(resolve) })
  process.send!({ ms, cpuMs: cpuMs() - cpu, maxRss: maxRss(), rss, computed } satisfies PeerCost)
  process.disconnect()
}

function start (...args: Array<string | number>): ChildProcess {
  return fork(import.meta.filename, ['--child', ...args.map(String)])
}

async function message<T> (child: ChildProcess): Promise<T> {
  const died = once(child, 'exit').then(() => { throw new Error('a peer ended too soon') })
  const [value] = await Promise.race([once(child, 'message'), died]) as [T]
  return value
}

async function inFolder<T> (use: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  try {
    return await use(path)
  } finally {
    await rm(path, { recursive: true })
  }
}

function row (...cells: Array<string | number>): void { console.log(`| ${cells.join(' | ')} |`) }

function mib (bytes: number): string { return `${(bytes / 2 ** 20).toFixed(0)} MiB` }

async function measureOne (counts: number[]): Promise<void> {
  row('pieces', 'done', 'per piece', 'as a multiple', 'processor time per piece', 'as a multiple', 'peak memory')
  row(...Array<string>(7).fill('---'))
  let first: { ms: number, cpuMs: number } | undefined
  for (const pieces of counts) {
    const cost = await inFolder(async path => message<Cost>(start('alone', pieces, path)))
    const each = { ms: cost.ms / pieces, cpuMs: cost.cpuMs / pieces }
    first ??= each
    row(pieces, `${(cost.ms / 1000).toFixed(1)} s`, `${each.ms.toFixed(3)} ms`, (each.ms / first.ms).toFixed(2),
      `${each.cpuMs.toFixed(3)} ms`, (each.cpuMs / first.cpuMs).toFixed(2), mib(cost.maxRss))
  }
}

async function runTwo (pieces: number, path: string): Promise<PeerCost[]> {
  const first = start('oneOfTwo', pieces, join(path, 'a'), 0)
  const second = start('oneOfTwo', pieces, join(path, 'b'), await message<number>(first))
  const peers = [first, second]
  await message(second)
  for (const _ of ['connected', 'done']) {
    const next = peers.map(message)
    if (_ === 'done') for (const peer of peers) peer.send('go')
    await Promise.all(next)
  }
  const costs = peers.map(message<PeerCost>)
  for (const peer of peers) peer.send('bye')
  return Promise.all(costs)
}

async function measureTwo (counts: number[]): Promise<void> {
  row('pieces', 'done', 'per piece', 'processor time per piece', 'work items', 'most memory sampled', 'peak memory')
  row(...Array<string>(7).fill('---'))
  for (const pieces of counts) {
    const costs = await inFolder(async path => runTwo(pieces, path))
    const both = (pick: (cost: PeerCost) => string | number): string => costs.map(pick).join(', ')
    row(pieces, both(({ ms }) => `${(ms / 1000).toFixed(1)} s`), both(({ ms }) => `${(ms / pieces).toFixed(3)} ms`),
      both(cost => `${(cost.cpuMs / pieces).toFixed(3)} ms`), both(({ computed }) => computed), both(({ rss }) => mib(rss)), both(cost => mib(cost.maxRss)))
  }
}

const [mode, ...args] = process.argv.slice(2)
if (mode === '--child') {
  const [kind, pieces, path, peerPort] = args as [string, string, string, string?]
  if (kind === 'alone') await alone(Number(pieces), path)
  else await oneOfTwo(Number(pieces), path, Number(peerPort))
} else {
  const counts = args.map(Number)
  if (mode === 'one') await measureOne(counts.length > 0 ? counts : [1_000, 100_000])
  else if (mode === 'two') await measureTwo(counts.length > 0 ? counts : [100_000])
  else throw new Error('say what to measure: one or two')
}

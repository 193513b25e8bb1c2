// What a task of many tiny pieces (`echo $((PIECE_IDX*PIECE_IDX))`) costs.
//   node bench/scale.ts one [PIECES …]      one peer, two slots; default: 1000 100000
//   node bench/scale.ts two [PIECES …]      two peers, a process and a slot each, over loopback TCP; default: 100000
//   node bench/scale.ts memory [PIECES]     what a piece and a wire take, from PIECES (default 100000) and 1 000,
//                                           1 and 8 wires
// `one` prints time, and processor time of the peer with its shells, from `add` until the client is closed, per piece,
// and as a multiple of the first line's. `two` counts from the start of computing until both are complete; memory is
// resident memory: the most that was sampled, twice a second, and the most that the system saw.
// `memory` counts what is in use after a garbage collection, in the heap and beside it. TMPDIR: where the pieces go.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import BitWorker, { createTask } from '../lib/index.ts'
import type { Task } from '../lib/index.ts'
import { ComputeStore } from '../lib/store/compute-store.ts'
import { put } from '../test/helpers/stores.ts'

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }
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
  const torrent = client.add(taskOf(pieces), { path, verify: 'off' })
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

const WIRES = 8

/** A child: as many peers that have everything. */
async function peers (pieces: number, path: string): Promise<void> {
  const ports: number[] = []
  for (let i = 0; i < WIRES; i++) {
    const client = new BitWorker(OPTIONS)
    await once(client, 'listening')
    await once(client.add(taskOf(pieces), { path: join(path, String(i)), verify: 'off' }), 'done')
    ports.push(client.torrentPort)
  }
  process.send!(ports)
  await once(process, 'disconnect')
  process.exit()
}

/** Bytes in use, once garbage collection frees nothing any more. */
async function used (): Promise<number> {
  let [least, before] = [0, Infinity]
  for (let round = 0; round < 4 || before - least > 10_000; round++) {
    await setTimeout(400)
    globalThis.gc!()
    const { heapUsed, external } = process.memoryUsage()
    before = round === 0 ? Infinity : least
    least = heapUsed + external
  }
  return least
}

/** What was in use before the task was added, with it, with one wire, and with all of them. */
type Uses = [before: number, task: number, one: number, all: number]

/** A child: adds a task of which everything is stored in `path`, or nothing, and connects to the peers. */
async function weigh (pieces: number, path: string, ports: string): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const uses = [await used()]
  const torrent = client.add(taskOf(pieces), { path, deselect: true, verify: 'off' })
  await once(torrent, 'ready')
  while (torrent.progress === 1 && !torrent.done) await setTimeout(50)
  uses.push(await used())
  for (const [i, port] of ports.split(',').entries()) {
    torrent.addPeer(`127.0.0.1:${port}`)
    while (torrent.wires.filter(({ peerPieces }) => peerPieces.get(pieces - 1)).length < i + 1) await setTimeout(20)
    await setTimeout(500) // its results come after its bits
    if (i === 0) uses.push(await used())
  }
  uses.push(await used())
  process.send!(uses)
  await once(process, 'message')
  process.exit()
}

/** A folder with the finished file. */
async function makeFinished (pieces: number, path: string): Promise<void> {
  const store = new ComputeStore({ task: taskOf(pieces), path })
  await store.open()
  for (let from = 0; from < pieces; from += 1000) {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => put(store, from + i, Buffer.from(`${(from + i) ** 2}\n`))))
  }
  await store.finishFile(0, { run: false })
  await new Promise(resolve => { store.close(resolve) })
}

async function weighBoth (pieces: number, path: string): Promise<{ missing: Uses, stored: Uses }> {
  await makeFinished(pieces, join(path, '0'))
  for (let i = 1; i <= WIRES; i++) await cp(join(path, '0'), join(path, String(i)), { recursive: true })
  const others = start('peers', pieces, path)
  const ports = (await message<number[]>(others)).join(',')
  const uses: Uses[] = []
  for (const folder of ['empty', String(WIRES)]) {
    const child = start('weigh', pieces, join(path, folder), ports)
    uses.push(await message<Uses>(child))
    child.send('bye')
    await once(child, 'exit')
  }
  others.disconnect()
  await once(others, 'exit')
  return { missing: uses[0]!, stored: uses[1]! }
}

async function measureMemory (pieces: number): Promise<void> {
  const few = await inFolder(async path => weighBoth(1_000, path))
  const many = await inFolder(async path => weighBoth(pieces, path))
  row('bytes', 'nothing stored', 'everything stored')
  row('---', '---', '---')
  const print = (what: string, of: (kind: 'missing' | 'stored') => number): void => {
    row(what, of('missing').toFixed(0), of('stored').toFixed(0))
  }
  const slope = (from: number, to: number) => (kind: 'missing' | 'stored'): number =>
    ((many[kind][to]! - many[kind][from]!) - (few[kind][to]! - few[kind][from]!)) / (pieces - 1_000)
  const eachPair = (kind: 'missing' | 'stored'): number => slope(2, 3)(kind) / (WIRES - 1)
  print('a piece', slope(0, 1))
  print('and when the first wire has it', slope(1, 2))
  print('and for each further wire that has it', eachPair)
  print('a wire beside that', kind => (few[kind][3] - few[kind][2]) / (WIRES - 1) - 1_000 * eachPair(kind))
}

function start (...args: Array<string | number>): ChildProcess {
  return fork(import.meta.filename, ['--child', ...args.map(String)], { execArgv: ['--expose-gc'] })
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
  const both = [first, second]
  await message(second)
  await Promise.all(both.map(message))
  const ends = both.map(message)
  for (const peer of both) peer.send('go')
  await Promise.all(ends)
  const costs = both.map(message<PeerCost>)
  for (const peer of both) peer.send('bye')
  return Promise.all(costs)
}

async function measureTwo (counts: number[]): Promise<void> {
  row('pieces', 'done', 'per piece', 'processor time per piece', 'work items', 'most memory sampled', 'peak memory')
  row(...Array<string>(7).fill('---'))
  for (const pieces of counts) {
    const costs = await inFolder(async path => runTwo(pieces, path))
    const both = (pick: (cost: PeerCost) => string | number): string => costs.map(pick).join(', ')
    row(
      pieces,
      both(({ ms }) => `${(ms / 1000).toFixed(1)} s`),
      both(({ ms }) => `${(ms / pieces).toFixed(3)} ms`),
      both(cost => `${(cost.cpuMs / pieces).toFixed(3)} ms`),
      both(({ computed }) => computed),
      both(({ rss }) => mib(rss)),
      both(cost => mib(cost.maxRss))
    )
  }
}

const [mode, ...args] = process.argv.slice(2)
if (mode === '--child') {
  const [kind, pieces, path, more] = args as [string, string, string, string?]
  if (kind === 'alone') await alone(Number(pieces), path)
  else if (kind === 'oneOfTwo') await oneOfTwo(Number(pieces), path, Number(more))
  else if (kind === 'peers') await peers(Number(pieces), path)
  else await weigh(Number(pieces), path, more!)
} else {
  const counts = args.map(Number)
  if (mode === 'one') await measureOne(counts.length > 0 ? counts : [1_000, 100_000])
  else if (mode === 'two') await measureTwo(counts.length > 0 ? counts : [100_000])
  else if (mode === 'memory') await measureMemory(counts[0] ?? 100_000)
  else throw new Error('say what to measure: one, two or memory')
}

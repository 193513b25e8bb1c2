// How fast an input gets from its author to those who compute, next to plain `webtorrent` that shares the same torrent:
//   node bench/inputs.ts [MIB] [PEERS] [RUNS]                     default: 1024 4 3
// And what the slices of a split input cost: bytes of it that a peer took, next to those of the slices it computed:
//   node bench/inputs.ts slices [SLICES] [KIB] [PEERS] [RUNS]     default: 120 64 3 3
// One process each, on loopback; peers begin together, with the magnet link and the addresses of all. The kinds take
// turns; medians.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { WebTorrentClient, Wire } from '../lib/webtorrent/types.ts'
import { noise } from './noise.ts'

type Kind = 'bitworker' | 'webtorrent'

/** Where all processes find what was made. */
interface Job { kind: Kind, home: string, path: string, isSplit: boolean }

interface Report {
  /** until the first work item began, and until the input was here; from the moment when all began */
  firstMs: number
  readyMs: number
  cpuMs: number
  rssBytes: number
  /** bytes of the input, by the id of who sent them */
  received: Record<string, number>
  /** bytes of its torrent pieces that are here */
  kept: number
  /** pieces of the task that were computed here */
  computed: number
}

const OFFLINE = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }
const MIB = 2 ** 20

function * content (length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += MIB) yield noise(at / MIB + 1, Math.min(MIB, length - at))
}

/** The task, its input, and the input's torrent. */
async function make (home: string, length: number, parts: number, slice: number): Promise<void> {
  const { createTaskFrom, encodeTask } = await import('../lib/index.ts')
  const data = join(home, 'data')
  await pipeline(Readable.from(content(length)), createWriteStream(data))
  const registry = join(home, 'state', 'bitworker', 'inputs')
  const task = await createTaskFrom({
    name: 'out',
    registry,
    command: slice === 0 ? 'true' : 'wc -c',
    inputs: [{ path: data, ...(slice > 0 && { perPart: { slice } }) }],
    ...(slice === 0 && { parts })
  })
  await writeFile(join(home, 'task'), encodeTask(task))
  const [input] = task.inputs!
  const { torrentFileOf } = await import('../lib/inputs/metainfo.ts')
  const info = await readFile(join(registry, input!.infoHash!, 'info'))
  await writeFile(join(home, 'torrent'), torrentFileOf(info))
}

async function newClient (kind: Kind): Promise<WebTorrentClient> {
  const { default: Client } = kind === 'bitworker' ? await import('../lib/index.ts') : await import('webtorrent')
  const client = new Client(OFFLINE)
  if (!client.listening) await once(client, 'listening')
  return client
}

/** Has it all, and shares it until it is told to go. */
async function author ({ kind, home, path }: Job): Promise<void> {
  const client = await newClient(kind)
  if (kind === 'bitworker') {
    client.add(await readFile(join(home, 'task')), { path, inputs: { folder: join(path, 'cache') } } as object)
    while (client.torrents.length < 2 || !client.torrents[1]!.ready) await once(client, 'torrent')
  } else {
    const torrent = client.add(await readFile(join(home, 'torrent')), { path: home })
    if (!torrent.done) await once(torrent, 'done')
  }
  process.send!({ port: client.torrentPort, id: client.peerId })
  const cpu = process.cpuUsage()
  await once(process, 'message')
  process.send!({ cpuMs: cpuMs(cpu), rssBytes: process.resourceUsage().maxRSS * 1024 })
  await once(process, 'message')
  process.exit(0)
}

async function peer (job: Job): Promise<void> {
  const { kind, home, path, isSplit } = job
  const client = await newClient(kind)
  const { parseTask, magnetOf } = await import('../lib/index.ts')
  const task = parseTask(await readFile(join(home, 'task')))
  const [input] = task.inputs!
  process.send!({ port: client.torrentPort, id: client.peerId })
  const [peers] = await once(process, 'message') as [string[]]
  const [begin, cpu] = [performance.now(), process.cpuUsage()]
  const report: Report = { firstMs: 0, readyMs: 0, cpuMs: 0, rssBytes: 0, received: {}, kept: 0, computed: 0 }
  const link = kind === 'bitworker' ? magnetOf(task) : `magnet:?xt=urn:btih:${input!.infoHash}`
  const wires = wiresOf(client, input!.infoHash!)
  // with `seed`, a peer takes the whole input even if others have computed all pieces meanwhile
  const inputs = { folder: join(path, 'cache'), find: async () => null, seed: !isSplit }
  const torrent = client.add(link, { path, compute: { slots: 1, sandbox: 'none' }, inputs } as object)
  const events: EventEmitter = torrent
  torrent.once('infoHash', () => { for (const each of peers) torrent.addPeer(each) })
  const isReady = new Promise<void>(resolve => {
    if (kind === 'webtorrent' || isSplit) torrent.once('done', () => { resolve() })
    else events.on('input', ({ state }: { state: string }) => { if (state === 'ready') resolve() })
  })
  events.on('computing', () => { report.firstMs ||= performance.now() - begin })
  events.on('computed', () => { report.computed++ })
  await isReady
  report.readyMs = performance.now() - begin
  report.cpuMs = cpuMs(cpu)
  report.rssBytes = process.resourceUsage().maxRSS * 1024
  for (const { downloaded, peerId } of wires) {
    if (peerId !== null) report.received[peerId] = (report.received[peerId] ?? 0) + downloaded
  }
  const shared = client.torrents.find(({ infoHash }) => infoHash === input!.infoHash)
  report.kept = (shared?.pieces ?? []).filter(piece => piece === null).length * (shared?.pieceLength ?? 0)
  process.send!('ready')
  await once(process, 'message')
  process.send!(report)
  await once(process, 'message')
  process.exit(0)
}

/** The connections of a torrent, also those that are closed later. */
function wiresOf (client: WebTorrentClient, infoHash: string): Wire[] {
  const wires: Wire[] = []
  client.on('add', torrent => {
    torrent.on('wire', wire => { if (torrent.infoHash === infoHash) wires.push(wire) })
  })
  return wires
}

/** Processor time since then. */
function cpuMs (since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

function start (role: string, job: Job): ChildProcess {
  return fork(import.meta.filename, ['--as', role, JSON.stringify(job)], {
    execArgv: process.execArgv, env: { ...process.env, XDG_STATE_HOME: join(job.home, role === 'author' ? 'state' : 'none') }
  })
}

async function message<T> (child: ChildProcess): Promise<T> {
  return (await once(child, 'message') as [T])[0]
}

async function ask<T> (child: ChildProcess): Promise<T> {
  child.send('report')
  return message<T>(child)
}

interface Run { peers: Report[], author: { cpuMs: number, rssBytes: number }, authorId: string }

async function run (kind: Kind, home: string, peerCount: number, isSplit: boolean): Promise<Run> {
  const folder = await mkdtemp(join(home, `${kind}-`))
  const jobs = Array.from({ length: peerCount + 1 }, (_, i) => ({ kind, home, path: join(folder, String(i)), isSplit }))
  for (const { path } of jobs) await mkdir(path)
  const children = jobs.map((job, i) => start(i === 0 ? 'author' : 'peer', job))
  const listening = await Promise.all(children.map(async child => message<{ port: number, id: string }>(child)))
  const addresses = listening.map(({ port }) => `127.0.0.1:${port}`)
  const [first, ...others] = children
  const ready = others.map(async child => message(child))
  for (const [i, child] of others.entries()) child.send(addresses.filter((_, at) => at !== i + 1))
  await Promise.all(ready)
  const peers = await Promise.all(others.map(ask<Report>))
  const from = await ask<Run['author']>(first!)
  for (const child of children) child.send('bye')
  await Promise.all(children.map(async child => once(child, 'exit')))
  await rm(folder, { recursive: true })
  return { peers, author: from, authorId: listening[0]!.id }
}

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

const seconds = (ms: number[]): string => `${(median(ms) / 1000).toFixed(2)} s`
const megabytes = (all: Array<{ rssBytes: number }>): string =>
  `${(median(all.map(one => one.rssBytes)) / MIB).toFixed(0)} MiB`
const last = ({ peers }: Run): number => Math.max(...peers.map(({ readyMs }) => readyMs))
const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0)

async function whole (home: string, mibs: number, peerCount: number, runs: number): Promise<void> {
  await make(home, mibs * MIB, peerCount, 0)
  const all: Record<Kind, Run[]> = { bitworker: [], webtorrent: [] }
  for (let i = 0; i < runs; i++) {
    for (const kind of ['bitworker', 'webtorrent'] as const) all[kind].push(await run(kind, home, peerCount, false))
  }
  console.log(`${mibs} MiB to ${peerCount} peers, ${runs} runs`)
  console.log('| | all have it | processor time of a peer | of the author | sent by the author | sources of a peer | peak memory of a peer | of the author |')
  console.log('|---|---|---|---|---|---|---|---|')
  for (const [kind, each] of Object.entries(all)) {
    const peers = each.flatMap(one => one.peers)
    const sent = each.map(one => sum(one.peers.map(({ received }) => received[one.authorId] ?? 0)) / mibs / MIB)
    // who sent at least a hundredth of it
    const isSource = (bytes: number): boolean => bytes > (mibs * MIB) / 100
    const sources = peers.map(({ received }) => Object.values(received).filter(isSource).length)
    const authors = each.map(one => one.author)
    console.log(`| ${kind} | ${seconds(each.map(last))} | ${seconds(peers.map(one => one.cpuMs))} | ${seconds(authors.map(one => one.cpuMs))} | ${median(sent).toFixed(2)} copies | ${Math.min(...sources)} to ${Math.max(...sources)} | ${megabytes(peers)} | ${megabytes(authors)} |`)
  }
  const ratios = all.bitworker.map((one, i) => last(all.webtorrent[i]!) / last(one))
  console.log(`speed next to webtorrent's: ${median(ratios).toFixed(2)} × (${ratios.map(ratio => ratio.toFixed(2)).join(', ')})`)
}

async function slices (home: string, count: number, kib: number, peerCount: number, runs: number): Promise<void> {
  const slice = kib * 1024
  await make(home, count * slice, count, slice)
  console.log(`${count} slices of ${kib} KiB, ${peerCount} peers: bytes taken / bytes of the slices computed`)
  for (let i = 0; i < runs; i++) {
    const { peers } = await run('bitworker', home, peerCount, true)
    const ratios = peers.map(({ received, computed }) => sum(Object.values(received)) / (computed * slice))
    const first = Math.min(...peers.map(({ firstMs }) => firstMs))
    const shown = ratios.map((ratio, at) => {
      const { computed, kept } = peers[at]!
      return `${ratio.toFixed(2)} (${computed} slices; has ${(kept / slice).toFixed(1)})`
    })
    console.log(`${shown.join(', ')}; first work item after ${first.toFixed(0)} ms, all done after ${(Math.max(...peers.map(({ readyMs }) => readyMs)) / 1000).toFixed(2)} s`)
  }
}

const [flag, ...args] = process.argv.slice(2)
if (flag === '--as') {
  await (args[0] === 'author' ? author : peer)(JSON.parse(args[1]!) as Job)
} else {
  const home = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  if (flag === 'slices') {
    const [count = 120, kib = 64, peerCount = 3, runs = 3] = args.map(Number)
    await slices(home, count, kib, peerCount, runs)
  } else {
    const [mibs = 1024, peerCount = 4, runs = 3] = process.argv.slice(2).map(Number)
    await whole(home, mibs, peerCount, runs)
  }
  await rm(home, { recursive: true })
}

// How fast a finished task moves, with and without uTP (`--no-utp`), next to an ordinary torrent of the same bytes that
// plain `webtorrent` moves over TCP: each time a seeding process and a fresh downloading one, on loopback.
//   node bench/transfer.ts [MIB] [PIECE_MIB] [RUNS]       default: 1024 1 5
// Takes turns, and prints medians and their ratio.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import type { Task } from '../lib/index.ts'
import type { Torrent, WebTorrentClient } from '../lib/webtorrent/types.ts'
import { noise } from './noise.ts'

type Kind = 'bitworker' | 'no-utp' | 'webtorrent'

interface Report { cpuMs: number, storedMs: number, doneMs: number, stallMs: number, rssBytes: number }

interface Job { kind: Kind, path: string, pieces: number, pieceLength: number, port: number }

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, secure: 0 as const }
const NAME = 'bytes.bin'

async function taskOf ({ pieces, pieceLength }: Job): Promise<Task> {
  const { createTask } = await import('../lib/index.ts')
  return createTask({ name: NAME, command: 'false', parts: pieces, pieceLength })
}

/** Makes what is to be seeded, without a run: a finished task's folder, or a file and its torrent. */
async function make (job: Job): Promise<void> {
  const { kind, path, pieces, pieceLength } = job
  if (kind === 'webtorrent') {
    const { default: createTorrent } = await import('create-torrent')
    const file = join(path, NAME)
    await mkdir(path)
    await pipeline(function * () {
      for (let i = 0; i < pieces; i++) yield noise(i + 1, pieceLength)
    }, createWriteStream(file))
    const torrent = await new Promise<Uint8Array>((resolve, reject) => {
      createTorrent(file, { pieceLength, announceList: [] }, (err, bytes) => {
        if (err === null) resolve(bytes)
        else reject(err)
      })
    })
    await pipeline([torrent], createWriteStream(`${path}.torrent`))
    return
  }
  const { ComputeStore } = await import('../lib/store/compute-store.ts')
  const { put } = await import('../test/helpers/stores.ts')
  const store = new ComputeStore({ task: await taskOf(job), path })
  await store.open()
  for (let i = 0; i < pieces; i++) await put(store, i, noise(i + 1, pieceLength))
  await store.finishFile(0, { run: false })
  await new Promise(resolve => { store.close(resolve) })
}

async function add (job: Job, torrentPath: string): Promise<{ client: WebTorrentClient, torrent: Torrent }> {
  const { kind, path } = job
  if (kind === 'webtorrent') {
    const { default: WebTorrent } = await import('webtorrent')
    const client = new WebTorrent({ ...OPTIONS, utp: false })
    return { client, torrent: client.add(await readFile(`${torrentPath}.torrent`), { path }) }
  }
  const { default: BitWorker } = await import('../lib/index.ts')
  const client = new BitWorker({ ...OPTIONS, utp: kind === 'bitworker' })
  return { client, torrent: client.add(await taskOf(job), { path }) }
}

async function seed (job: Job): Promise<void> {
  await make(job)
  const { client, torrent } = await add(job, job.path)
  if (!torrent.done) await once(torrent, 'done')
  if (!client.listening) await once(client, 'listening')
  const cpu = process.cpuUsage()
  process.send!({ port: client.torrentPort })
  await once(process, 'message')
  process.send!({ cpuMs: cpuMs(cpu), rssBytes: process.resourceUsage().maxRSS * 1024 })
  client.destroy(() => { process.exit(0) })
}

async function fetch (job: Job, torrentPath: string): Promise<void> {
  const { client, torrent } = await add(job, torrentPath)
  await once(torrent, 'ready')
  if (!client.listening) await once(client, 'listening')
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const begin = performance.now()
  let storedMs = 0
  torrent.on('verified', () => { storedMs = performance.now() - begin })
  const cpu = process.cpuUsage()
  torrent.addPeer(`127.0.0.1:${job.port}`)
  await once(torrent, 'done')
  const doneMs = performance.now() - begin
  delay.disable()
  const report: Report = {
    cpuMs: cpuMs(cpu), storedMs, doneMs, stallMs: delay.max / 1e6, rssBytes: process.resourceUsage().maxRSS * 1024
  }
  process.send!(report)
  client.destroy(() => { process.exit(0) })
}

/** Processor time since then: says more than the clock where others work, too. */
function cpuMs (since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1000
}

function start (role: string, job: Job, torrentPath = ''): ChildProcess {
  return fork(import.meta.filename, ['--as', role, JSON.stringify(job), torrentPath], { execArgv: process.execArgv })
}

async function message<T> (child: ChildProcess): Promise<T> {
  return (await once(child, 'message') as [T])[0]
}

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`

async function main (mibs: number, pieceMib: number, runs: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  const pieceLength = pieceMib * 2 ** 20
  const shape = { pieces: mibs / pieceMib, pieceLength }
  const kinds = ['bitworker', 'no-utp', 'webtorrent'] as const
  const seeders = kinds.map(kind => start('seed', { kind, path: join(folder, kind), port: 0, ...shape }))
  const ports = await Promise.all(seeders.map(async child => (await message<{ port: number }>(child)).port))
  const reports: Record<Kind, Report[]> = { bitworker: [], 'no-utp': [], webtorrent: [] }
  for (let run = 0; run < runs; run++) {
    for (let turn = 0; turn < kinds.length; turn++) {
      // each kind follows each other one as often: what one writes to disk costs the next
      const at = (run + (run % 2 === 0 ? turn : kinds.length - turn)) % kinds.length
      const kind = kinds[at]!
      const path = join(folder, `${kind}-${run}`)
      const child = start('fetch', { kind, path, port: ports[at]!, ...shape }, join(folder, kind))
      reports[kind].push(await message<Report>(child))
      await once(child, 'exit')
      await rm(path, { recursive: true })
    }
  }
  console.log(`${mibs} MiB in pieces of ${pieceMib} MiB, ${runs} runs`)
  console.log(
    '| | stored | done | MiB/s | processor time | of the seeder | longest stall | peak memory | peak memory of the seeder |'
  )
  console.log('|---|---|---|---|---|---|---|---|---|')
  const served: Record<string, { cpuMs: number, rssBytes: number }> = {}
  for (const [at, kind] of kinds.entries()) {
    seeders[at]!.send('bye')
    const seeder = served[kind] = await message<{ cpuMs: number, rssBytes: number }>(seeders[at]!)
    const [cpu, stored, done, stall, rss] = (['cpuMs', 'storedMs', 'doneMs', 'stallMs', 'rssBytes'] as const).map(key =>
      median(reports[kind].map(report => report[key]))
    )
    console.log(
      `| ${kind} | ${(stored! / 1000).toFixed(2)} s | ${(done! / 1000).toFixed(2)} s | ${((mibs / done!) * 1000).toFixed(0)} | ${(cpu! / 1000).toFixed(2)} s | ${(seeder.cpuMs / runs / 1000).toFixed(2)} s | ${stall!.toFixed(0)} ms | ${mib(rss!)} | ${mib(seeder.rssBytes)} |`
    )
  }
  const ratio = (key: keyof Report, a: Kind, b: Kind): string => {
    return median(reports[a].map((report, i) => reports[b][i]![key] / report[key])).toFixed(2)
  }
  console.log(
    `throughput next to webtorrent's: ${ratio('storedMs', 'bitworker', 'webtorrent')} × until the last piece is stored, ${ratio('doneMs', 'bitworker', 'webtorrent')} × until done`
  )
  console.log(
    `next to --no-utp: ${ratio('doneMs', 'no-utp', 'bitworker')} × the time, ${ratio('cpuMs', 'no-utp', 'bitworker')} × the processor time, ${(served['bitworker']!.cpuMs / served['no-utp']!.cpuMs).toFixed(2)} × that of the seeder`
  )
  await rm(folder, { recursive: true })
}

const [, , flag, role, job, torrentPath = ''] = process.argv
if (flag === '--as') {
  await (role === 'seed' ? seed : fetch)(JSON.parse(job!) as Job, torrentPath)
} else {
  const [mibs = 1024, pieceMib = 1, runs = 5] = process.argv.slice(2).map(Number)
  await main(mibs, pieceMib, runs)
}

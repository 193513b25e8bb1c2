// What a work item costs: one peer with two slots computes `echo $((PIECE_IDX*PIECE_IDX))`, everything included (choosing,
// bash, hashing, storing, journal, joining the file), beside `xargs -P2 bash -c` and GNU parallel writing as many files.
//   node bench/items.ts [--rounds=3] [PIECES …]     default: 1000 10000
// The three take turns, so that a busy machine is busy for all of them. Prints the median of each, per item.
import { execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import BitWorker, { createTask } from '../lib/index.ts'

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false }

/** The child: one peer. Sends how long it took from `add` to `done`, in milliseconds. */
async function peer (pieces: number, path: string): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const task = createTask({ name: 'squares.txt', command: 'echo $((PIECE_IDX*PIECE_IDX))', parts: pieces, pieceLength: 1024 })
  const start = performance.now()
  const torrent = client.add(task, { path, compute: { slots: 2 } })
  await once(torrent, 'done')
  process.send?.({ ms: performance.now() - start, rssBytes: process.resourceUsage().maxRSS * 1024 })
  client.destroy(() => { process.exit(0) })
}

interface Run { ms: number, rssBytes: number }

async function bitworker (pieces: number, path: string): Promise<Run> {
  const child = fork(import.meta.filename, ['--peer', String(pieces), path])
  const exit = once(child, 'exit')
  const [run] = await once(child, 'message') as [Run]
  await exit
  return run
}

/** Runs a line of bash in `path`, and checks that it made the files. */
async function shell (line: string, pieces: number, path: string): Promise<Run> {
  const start = performance.now()
  await once(spawn('bash', ['-c', line], { cwd: path, stdio: ['ignore', 'inherit', 'inherit'] }), 'exit')
  const ms = performance.now() - start
  const { length } = await readdir(path)
  if (length !== pieces) throw new Error(`${line} made ${length} files, not ${pieces}`)
  return { ms, rssBytes: 0 }
}

async function inFolder<T> (use: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  try {
    return await use(path)
  } finally {
    await rm(path, { recursive: true })
  }
}

function median (runs: Run[]): number {
  return runs.map(({ ms }) => ms).toSorted((a, b) => a - b)[runs.length >> 1]!
}

function hasParallel (): boolean {
  try {
    execFileSync('parallel', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('GNU parallel is not installed; it is left out')
    return false
  }
}

async function measure (pieces: number, rounds: number, withParallel: boolean): Promise<void> {
  const own: Run[] = []
  const xargs: Run[] = []
  const parallel: Run[] = []
  for (let round = 0; round < rounds; round++) {
    own.push(await inFolder(path => bitworker(pieces, path)))
    xargs.push(await inFolder(path => shell(`seq 0 ${pieces - 1} | xargs -P2 -n1 bash -c 'echo $(($0*$0)) > $0'`, pieces, path)))
    if (withParallel) parallel.push(await inFolder(path => shell(`seq 0 ${pieces - 1} | parallel -j2 'echo $(({}*{})) > {}'`, pieces, path)))
  }
  const [a, b] = [median(own), median(xargs)]
  const perItem = (ms: number): string => `${(ms / pieces).toFixed(3)} ms`
  const rss = Math.max(...own.map(({ rssBytes }) => rssBytes)) / 2 ** 20
  const others = withParallel ? [perItem(median(parallel)), `${(median(parallel) / a).toFixed(1)} ×`] : ['-', '-']
  console.log(`| ${[pieces, perItem(a), perItem(b), others[0], `${(a / b).toFixed(2)} ×`, others[1], `${rss.toFixed(0)} MiB`].join(' | ')} |`)
}

if (process.argv[2] === '--peer') {
  await peer(Number(process.argv[3]), process.argv[4]!)
} else {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '3' } } })
  const withParallel = hasParallel()
  console.log('| pieces | BitWorker | xargs -P2 | parallel -j2 | BitWorker / xargs | parallel / BitWorker | peak memory |')
  console.log('|---|---|---|---|---|---|---|')
  const counts = positionals.length > 0 ? positionals.map(Number) : [1_000, 10_000]
  for (const pieces of counts) await measure(pieces, Number(values.rounds), withParallel)
}

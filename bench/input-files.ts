// What the number of files of an input costs a work item, in each sandbox: the same task with a folder of one file and
// with a folder of many, whose author computes it. And how fast `create` hashes an input, next to sha1sum.
//   node bench/input-files.ts [FILES] [ITEMS] [RUNS]      default: 10000 200 3
//   node bench/input-files.ts hash [MIB] [RUNS]           default: 1024 3
// All take turns; medians.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { hashTree } from '../lib/inputs/hash.ts'
import { findInput } from '../lib/inputs/registry.ts'
import { readTree } from '../lib/inputs/tree.ts'
import BitWorker, { createTaskFrom } from '../lib/index.ts'
import type { Task } from '../lib/index.ts'
import { noise } from './noise.ts'

const TIERS = ['bwrap', 'landlock', 'none'] as const
const OFFLINE = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }
const MIB = 2 ** 20

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

async function make (home: string, count: number, items: number): Promise<Task> {
  const path = join(home, `data-${count}`)
  await mkdir(path)
  for (let i = 0; i < count; i++) await writeFile(join(path, String(i)), String(i))
  return createTaskFrom({
    name: 'out',
    registry: join(home, 'registry'),
    command: 'read x < $PWD/data/0; echo $x',
    inputs: [{ path, name: 'data' }],
    parts: items
  })
}

/** Milliseconds for each work item, from the first to the last one. */
async function compute (home: string, task: Task, sandbox: typeof TIERS[number]): Promise<number> {
  const path = await mkdtemp(join(home, 'out-'))
  const client = new BitWorker(OFFLINE)
  const torrent = client.add(task, {
    path,
    compute: { slots: 1, sandbox },
    inputs: { folder: join(path, 'cache'), find: async infoHash => findInput(infoHash, join(home, 'registry')) }
  })
  const done = once(torrent, 'done')
  await once(torrent, 'computed')
  const begin = performance.now()
  await done
  const ms = (performance.now() - begin) / (task.pieceCount - 1)
  await new Promise<void>(resolve => { client.destroy(() => { resolve() }) })
  await rm(path, { recursive: true })
  return ms
}

async function files (home: string, count: number, items: number, runs: number): Promise<void> {
  const tasks = [await make(home, 1, items), await make(home, count, items)]
  console.log(`| ms per work item | 1 file | ${count} files | more |\n|---|---|---|---|`)
  for (const tier of TIERS) {
    const times: number[][] = [[], []]
    for (let run = 0; run < runs; run++) {
      for (const [i, task] of tasks.entries()) times[i]!.push(await compute(home, task, tier))
    }
    const [one, many] = times.map(median)
    console.log(`| ${tier} | ${one!.toFixed(1)} | ${many!.toFixed(1)} | ${(many! - one!).toFixed(1)} |`)
  }
}

async function hash (home: string, mibs: number, runs: number): Promise<void> {
  const path = join(home, 'data')
  for (let i = 0; i < mibs; i++) await writeFile(path, noise(i, MIB), { flag: 'a' })
  const ratios: number[] = []
  for (let run = 0; run < runs; run++) {
    let begin = performance.now()
    execFileSync('sha1sum', [path])
    const other = performance.now() - begin
    begin = performance.now()
    await hashTree(await readTree(path), { name: 'data' })
    const ours = performance.now() - begin
    ratios.push(other / ours)
    console.log(`${mibs} MiB: sha1sum ${(other / 1000).toFixed(2)} s, create ${(ours / 1000).toFixed(2)} s`)
  }
  console.log(`speed next to sha1sum's: ${median(ratios).toFixed(2)} ×`)
}

const home = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
const args = process.argv.slice(2)
if (args[0] === 'hash') {
  const [mibs = 1024, runs = 3] = args.slice(1).map(Number)
  await hash(home, mibs, runs)
} else {
  const [count = 10_000, items = 200, runs = 3] = args.map(Number)
  await files(home, count, items, runs)
}
await rm(home, { recursive: true })

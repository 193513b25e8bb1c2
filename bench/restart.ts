// How soon a task with many stored pieces is ready again, as parts and as a finished file.
//   node bench/restart.ts [PIECES …]       default: 1000 10000 100000
// Each restart is a process of its own; the pieces are tiny.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import BitWorker, { createTask } from '../lib/index.ts'
import type { Task } from '../lib/index.ts'
import { ComputeStore } from '../lib/store/compute-store.ts'
import { put } from '../test/helpers/stores.ts'

interface Report { readyMs: number, cpuMs: number, checkedMs: number, stored: number, rssBytes: number }

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }

function taskOf (pieces: number): Task {
  return createTask({
    name: 'squares.txt', command: 'echo $((PIECE_IDX * PIECE_IDX))', parts: pieces, pieceLength: 1024
  })
}

/** A folder with all pieces but the last one, or the finished file. */
async function make (pieces: number, path: string, isFinished: boolean): Promise<void> {
  const store = new ComputeStore({ task: taskOf(pieces), path })
  await store.open()
  const count = isFinished ? pieces : pieces - 1
  for (let from = 0; from < count; from += 1000) {
    const indices = Array.from({ length: Math.min(1000, count - from) }, (_, i) => from + i)
    await Promise.all(indices.map(index => put(store, index, Buffer.from(`${index * index}\n`))))
  }
  if (isFinished) await store.finishFile(0, { run: false })
  await new Promise(resolve => { store.close(resolve) })
}

/** The child. */
async function restart (pieces: number, path: string): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const task = taskOf(pieces)
  const begin = performance.now()
  const cpu = process.cpuUsage()
  const torrent = client.add(task, { path })
  await once(torrent, 'ready')
  const readyMs = performance.now() - begin
  const { user, system } = process.cpuUsage(cpu)
  // a finished file is done once all of it was compared with its digests
  if (torrent.progress === 1 && !torrent.done) await once(torrent, 'done')
  const report: Report = {
    readyMs,
    cpuMs: (user + system) / 1000,
    checkedMs: performance.now() - begin,
    stored: torrent.stats().stored,
    rssBytes: process.resourceUsage().maxRSS * 1024
  }
  process.send!(report)
  client.destroy(() => { process.exit(0) })
}

async function measure (pieces: number, isFinished: boolean): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  await make(pieces, path, isFinished)
  const reports: Report[] = []
  for (let run = 0; run < 3; run++) {
    const child = fork(import.meta.filename, ['--restart', String(pieces), path])
    reports.push((await once(child, 'message') as [Report])[0])
    await once(child, 'exit')
  }
  const { readyMs, cpuMs, checkedMs, stored, rssBytes } = reports.sort((a, b) => a.readyMs - b.readyMs)[1]!
  const kind = isFinished ? 'finished file' : 'parts'
  const done = isFinished ? `${checkedMs.toFixed(0)} ms` : ''
  console.log(
    `| ${stored} | ${kind} | ${readyMs.toFixed(0)} ms | ${cpuMs.toFixed(0)} ms | ${done} | ${(rssBytes / 2 ** 20).toFixed(0)} MiB |`
  )
  await rm(path, { recursive: true })
}

if (process.argv[2] === '--restart') {
  await restart(Number(process.argv[3]), process.argv[4]!)
} else {
  const counts = process.argv.slice(2).map(Number)
  console.log('| stored pieces | as | ready | processor time of it | done | peak memory |\n|---|---|---|---|---|---|')
  for (const pieces of counts.length > 0 ? counts : [1_000, 10_000, 100_000]) {
    for (const isFinished of [false, true]) await measure(pieces, isFinished)
  }
}

// What a tiny piece costs, all in: two peers (one process each) share a task of `echo $((PIECE_IDX * PIECE_IDX))`.
//   node bench/pieces.ts [PIECES …]       default: 1000 10000
// Prints a table: time to add the task, time until both are done, cost per piece, peak memory.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import BitWorker, { createTask } from '../lib/index.ts'

interface Report { addMs: number, doneMs: number, computed: number, rssBytes: number }

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }

/** The child: one peer. */
async function peer (pieces: number, path: string, peerPort: number): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const task = createTask({
    name: 'squares.txt', command: 'echo $((PIECE_IDX * PIECE_IDX))', parts: pieces, pieceLength: 1024
  })
  const start = performance.now()
  const torrent = client.add(task, { path, verify: 'off' })
  await once(torrent, 'ready')
  const addMs = performance.now() - start
  process.send!({ port: client.torrentPort })
  if (peerPort > 0) torrent.addPeer(`127.0.0.1:${peerPort}`)
  if (torrent.wires.length === 0) await once(torrent, 'wire')
  process.send!('connected')
  await once(process, 'message')
  const begin = performance.now()
  torrent.startComputing({ slots: 1, sandbox: 'none' })
  await once(torrent, 'done')
  const report: Report = {
    addMs,
    doneMs: performance.now() - begin,
    computed: torrent.stats().computed,
    rssBytes: process.resourceUsage().maxRSS * 1024
  }
  process.send!(report)
  await once(process, 'message')
  client.destroy(() => { process.exit(0) })
}

async function message<T> (child: ChildProcess): Promise<T> {
  return (await once(child, 'message') as [T])[0]
}

async function measure (pieces: number): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  const first = fork(import.meta.filename, ['--peer', String(pieces), join(path, 'a'), '0'])
  const { port } = await message<{ port: number }>(first)
  const second = fork(import.meta.filename, ['--peer', String(pieces), join(path, 'b'), String(port)])
  await message(second)
  await Promise.all([message(first), message(second)])
  const reports = [message<Report>(first), message<Report>(second)]
  for (const child of [first, second]) child.send('go')
  const [a, b] = await Promise.all(reports) as [Report, Report]
  for (const child of [first, second]) child.send('bye')
  const doneMs = Math.max(a.doneMs, b.doneMs)
  console.log([
    pieces, `${a.addMs.toFixed(0)} ms`, `${(doneMs / 1000).toFixed(1)} s`, `${(doneMs / pieces).toFixed(2)} ms`,
    a.computed + b.computed, `${(Math.max(a.rssBytes, b.rssBytes) / 2 ** 20).toFixed(0)} MiB`
  ].join(' | '))
  await rm(path, { recursive: true })
}

if (process.argv[2] === '--peer') {
  await peer(Number(process.argv[3]), process.argv[4]!, Number(process.argv[5]))
} else {
  const counts = process.argv.slice(2).map(Number)
  console.log('pieces | add | both done | per piece | work items | peak memory of a peer')
  for (const pieces of counts.length > 0 ? counts : [1_000, 10_000]) await measure(pieces)
}

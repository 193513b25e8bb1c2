// What a tiny piece costs, all in: peers (one process each) share a task of `echo $((PIECE_IDX * PIECE_IDX))`.
//   node bench/pieces.ts [--peers 2] [--verify off,member] [PIECES …]   default: off; 1000 10000
// `member`: own machines, members of one trusted key. Prints a table: time to add the task, time until all are done,
// cost per piece, processor time of all peers without their commands, peak memory, bytes on the wires.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { on, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { createSigningKey } from '../lib/config/trust-files.ts'
import BitWorker, { createTask } from '../lib/index.ts'

interface Setup {
  pieces: number
  path: string
  /** of the peers that it connects to */
  ports: number[]
  /** how many peers there are */
  peers: number
  /** a key file; null: nothing is verified */
  member: string | null
}

interface Report { addMs: number, doneMs: number, cpuMs: number, computed: number, rssBytes: number, sentBytes: number }

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }

/** The child: one peer. */
async function peer ({ pieces, path, ports, peers, member }: Setup): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const task = createTask({
    name: 'squares.txt', command: 'echo $((PIECE_IDX * PIECE_IDX))', parts: pieces, pieceLength: 1024
  })
  const start = performance.now()
  const torrent = client.add(task, { path, ...(member === null ? { verify: 'off' } : { verify: 'audit', member }) })
  await once(torrent, 'ready')
  const addMs = performance.now() - start
  process.send!({ port: client.torrentPort })
  let sentBytes = 0
  torrent.on('wire', (wire: unknown) => {
    const stream = wire as Readable
    const push = stream.push.bind(stream)
    stream.push = (bytes: Uint8Array | null) => {
      sentBytes += bytes?.length ?? 0
      return push(bytes)
    }
  })
  for (const port of ports) torrent.addPeer(`127.0.0.1:${port}`)
  while (torrent.wires.length < peers - 1) await once(torrent, 'wire')
  process.send!('connected')
  await once(process, 'message')
  const [begin, before, sentBefore] = [performance.now(), process.cpuUsage(), sentBytes]
  torrent.startComputing({ slots: 1, sandbox: 'none' })
  await once(torrent, 'done')
  const { user, system } = process.cpuUsage(before)
  const report: Report = {
    addMs,
    doneMs: performance.now() - begin,
    cpuMs: (user + system) / 1000,
    computed: torrent.stats().computed,
    rssBytes: process.resourceUsage().maxRSS * 1024,
    sentBytes: sentBytes - sentBefore
  }
  process.send!(report)
  await once(process, 'message')
  client.destroy(() => { process.exit(0) })
}

/** Returns what gives the next message of a child, one that has come before, too. */
function inboxOf (child: ChildProcess): () => Promise<unknown> {
  const messages = on(child, 'message', { close: ['exit'] })
  return async () => {
    const { value, done } = await messages.next()
    if (done === true) throw new Error('a peer has ended early')
    return (value as unknown[])[0]
  }
}

async function measure (pieces: number, peers: number, verify: string): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  const member = verify === 'member' ? (await createSigningKey(join(path, 'key'), { force: false })).file : null
  const [children, inboxes, ports]: [ChildProcess[], Array<() => Promise<unknown>>, number[]] = [[], [], []]
  for (let i = 0; i < peers; i++) {
    const setup: Setup = { pieces, path: join(path, String(i)), ports, peers, member }
    const child = fork(import.meta.filename, ['--peer', JSON.stringify(setup)])
    const next = inboxOf(child)
    children.push(child)
    inboxes.push(next)
    ports.push((await next() as { port: number }).port)
  }
  await Promise.all(inboxes.map(async next => next()))
  for (const child of children) child.send('go')
  const reports = await Promise.all(inboxes.map(async next => next() as Promise<Report>))
  for (const child of children) child.send('bye')
  const most = (of: (report: Report) => number): number => Math.max(...reports.map(of))
  const sum = (of: (report: Report) => number): number => reports.reduce((total, report) => total + of(report), 0)
  const doneMs = most(report => report.doneMs)
  console.log([
    pieces, verify, `${most(({ addMs }) => addMs).toFixed(0)} ms`, `${(doneMs / 1000).toFixed(1)} s`,
    `${(doneMs / pieces).toFixed(2)} ms`, `${(sum(({ cpuMs }) => cpuMs) / pieces).toFixed(2)} ms`,
    sum(({ computed }) => computed), `${(most(({ rssBytes }) => rssBytes) / 2 ** 20).toFixed(0)} MiB`,
    `${(sum(report => report.sentBytes) / pieces).toFixed(0)} bytes`
  ].join(' | '))
  await Promise.all(children.map(async child => child.exitCode ?? once(child, 'exit')))
  await rm(path, { recursive: true })
}

if (process.argv[2] === '--peer') {
  await peer(JSON.parse(process.argv[3]!) as Setup)
} else {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      peers: { type: 'string', default: '2' },
      verify: { type: 'string', default: 'off' }
    }
  })
  const counts = positionals.length > 0 ? positionals.map(Number) : [1_000, 10_000]
  console.log('pieces | verify | add | all done | per piece | processor | work items | peak memory of a peer | sent per piece')
  for (const pieces of counts) {
    for (const verify of values.verify.split(',')) {
      await measure(pieces, Number(values.peers), verify)
    }
  }
}

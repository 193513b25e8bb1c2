// Peers that leave as `run --exit` does: nobody may have to compute again what a peer that left had, nor wait for it.
//   node scripts/leaving.ts [--runs N] [--at-once N] [--seed N]
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { branch } from '../bench/simulator/random.ts'
import BitWorker, { createTask } from '../lib/index.ts'
import type { ComputeTorrent } from '../lib/index.ts'
import { FakeExecutor } from '../test/helpers/fake-executor.ts'

const DEADLINE_MS = 120_000
const LOOPBACK = {
  dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false, secure: 0
} as const

interface Member {
  name: string
  client: BitWorker
  torrent: ComputeTorrent
  has: Set<number>
  met: Set<Member>
  hasLeft: boolean
}

/** One swarm; what went wrong. */
async function run (seed: number): Promise<string[]> {
  const random = branch(seed)
  const between = (least: number, most: number): number => least + Math.floor(random() * (most - least + 1))
  const bytes = between(1, 10) * 10_000
  const parts = between(2, 16)
  const pieceMs = between(20, 300)
  const task = createTask({ name: 'parts', command: 'x', parts, pieceLength: bytes })
  const folder = await mkdtemp(join(tmpdir(), 'bitworker-leaving-'))
  const members: Member[] = []
  const problems: string[] = []

  async function takePart (n: number): Promise<void> {
    // while the first ones are at work, or as they leave
    await setTimeout(n === 0 ? 0 : random() * parts * pieceMs)
    const client = new BitWorker({ ...LOOPBACK, ...(random() < 0.6 && { uploadLimit: between(5, 60) * 10_000 }) })
    if (!client.listening) await once(client, 'listening')
    const torrent = client.add(task, { path: join(folder, String(n)) })
    if (torrent.infoHash === undefined) await once(torrent, 'infoHash')
    const self: Member = { name: `${n}`, client, torrent, has: new Set(), met: new Set(), hasLeft: false }
    for (const event of ['computed', 'downloaded'] as const)
      torrent.on(event, ({ piece }: { piece: number }) => {
        self.has.add(piece)
      })
    torrent.on('computing', ({ piece }) => {
      const holders = members.filter(({ has }) => has.has(piece))
      if (holders.length === 0 || holders.some(({ hasLeft }) => !hasLeft)) return
      const lost = holders.filter(holder => self.met.has(holder)).map(({ name }) => name)
      // whoever comes when all have gone has to compute
      if (lost.length > 0) {
        problems.push(`piece ${piece} is computed again by ${n}, which was connected to ${lost.join()}, gone now`)
      }
    })
    // to the last one, or to all
    const others = members.filter(({ hasLeft }) => !hasLeft)
    members.push(self)
    for (const other of random() < 0.5 ? others : others.slice(-1)) {
      torrent.addPeer(`127.0.0.1:${other.client.torrentPort}`)
    }
    const meet = setInterval(() => {
      const ids = new Set(torrent.wires.map(({ peerId }) => peerId))
      for (const other of members.filter(({ client: { peerId } }) => ids.has(peerId))) {
        self.met.add(other)
        other.met.add(self)
      }
    }, 20)
    const executor = new FakeExecutor(async ({ env }) => {
      await setTimeout(pieceMs * (0.5 + Math.random()))
      return { stdout: Buffer.alloc(bytes, String(env['PIECE_IDX'])) }
    })
    if (n === 0 || others.length === 0 || random() < 0.7) torrent.startComputing({ executor, slots: between(1, 3) })
    if (!torrent.done) await once(torrent, 'done')
    await torrent.handOver()
    self.hasLeft = true
    clearInterval(meet)
    await new Promise<void>(resolve => { client.destroy(() => { resolve() }) })
  }

  const everybody = Array.from({ length: between(2, 5) }, (_, n) => takePart(n))
  const late = Symbol('late')
  const timer = new AbortController()
  const end = await Promise.race([
    Promise.all(everybody), setTimeout(DEADLINE_MS, late, { signal: timer.signal }).catch(() => late)
  ])
  timer.abort()
  if (end === late) {
    for (const { name, torrent, met, hasLeft } of members)
      if (!hasLeft)
        problems.push(
          `${name} waits at ${Math.round(torrent.progress * 100)} %, ${torrent.computing}, ${torrent.numPeers} peers, met ${[...met].map(other => other.name).join() || 'nobody'}`
        )
    for (const { client } of members) if (!client.destroyed) client.destroy()
  }
  await rm(folder, { recursive: true, force: true })
  return problems
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    'at-once': { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) }
  }
})
console.log(`seed ${values.seed}`)
let next = Number(values.seed)
const last = next + Number(values.runs)
let bad = 0
await Promise.all(Array.from({ length: Number(values['at-once']) }, async () => {
  while (next < last) {
    const seed = next++
    const problems = await run(seed)
    if (problems.length === 0) continue
    bad++
    console.log([`seed ${seed}:`, ...problems.map(problem => `  ${problem}`)].join('\n'))
  }
}))
console.log(`${values.runs} runs, ${bad} with a loss`)
process.exit(bad === 0 ? 0 : 1)

// One peer of bench/paper.ts: a process that takes part in run after run, with a fresh client and folder in each.
// Forked and told what to do by paper-run.ts; not to be started by hand.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pipeline } from 'node:stream/promises'
import type { Wire } from '../lib/base/wire.ts'
import BitWorker, { createTask } from '../lib/index.ts'
import { clock } from './paper-orders.ts'
import type { Answer, Item, Order } from './paper-orders.ts'

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }
const POLL_MS = 5
/** A connection that was lost is made again, but a run that cannot begin says so. */
const CALL_MS = 2_000
const CONNECT_MS = 120_000

interface Running { client: BitWorker, torrent: ReturnType<BitWorker['add']> }

async function add ({ pieces, seconds, bytes, path, utp = false }: Extract<Order, { order: 'add' }>): Promise<Running> {
  const client = new BitWorker({ ...OPTIONS, utp })
  if (!client.listening) await once(client, 'listening')
  // one process besides the shell: the machine's time belongs to what is measured
  const command = `sleep ${seconds}; printf '%${bytes}s' "piece $PIECE_IDX"`
  const torrent = client.add(createTask({ name: 'paper.txt', command, parts: pieces, pieceLength: bytes }), { path, verify: 'off' })
  torrent.on('failed', ({ message }) => { throw new Error(message) })
  if (!torrent.ready) await once(torrent, 'ready')
  torrent.startComputing({ slots: 1, sandbox: 'none' })
  torrent.pauseComputing()
  return { client, torrent }
}

function isMet (wire: Wire): boolean {
  return (wire as Wire & { ut_bitworker?: { state: { status: string } } }).ut_bitworker?.state.status === 'matched'
}

/** Connected to all others, and everybody's hello was said. */
async function connect ({ torrent }: Running, ports: number[], peers: number): Promise<void> {
  const start = clock()
  let calledAt = -Infinity
  for (;;) {
    const met = torrent.wires.filter(isMet).length
    const now = clock()
    if (met >= peers - 1) return
    if (now - start > CONNECT_MS) throw new Error(`met ${met} of ${peers - 1} peers within ${CONNECT_MS / 1000} s`)
    if (now - calledAt > CALL_MS) {
      for (const port of ports) torrent.addPeer(`127.0.0.1:${port}`)
      calledAt = now
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

async function compute ({ torrent }: Running): Promise<Answer> {
  const items: Item[] = []
  const open = new Map<number, Item>()
  let aborted = 0
  const end = (piece: number, result: boolean): void => {
    const item = open.get(piece)
    open.delete(piece)
    if (item !== undefined) items.push(Object.assign(item, { endMs: clock(), result }))
  }
  torrent.on('computing', ({ piece }) => {
    open.set(piece, { piece, startMs: clock(), endMs: Infinity, result: false })
  })
  torrent.on('computed', ({ piece }) => { end(piece, true) })
  torrent.on('downloaded', ({ piece }) => { end(piece, false) })
  torrent.on('aborted', ({ piece }) => {
    aborted++
    end(piece, false)
  })
  const done = once(torrent, 'done').then(clock)
  torrent.resumeComputing()
  const doneMs = await done
  for (const piece of open.keys()) end(piece, false)
  return { report: { doneMs, items, aborted } }
}

async function check ({ torrent }: Running): Promise<Answer> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(join(torrent.path, torrent.files[0]!.path)), hash)
  return { sha256: hash.digest('hex') }
}

function main (): void {
  let running: Running | undefined
  const obey = async (order: Order): Promise<Answer> => {
    if (order.order === 'add') {
      running = await add(order)
      return { port: running.client.torrentPort }
    }
    if (order.order === 'connect') await connect(running!, order.ports, order.peers)
    if (order.order === 'compute') return compute(running!)
    if (order.order === 'check') return check(running!)
    if (order.order === 'leave') await new Promise(resolve => { running!.client.destroy(resolve) })
    return {}
  }
  process.on('message', order => { void obey(order as Order).then(answer => process.send!(answer)) })
  process.once('disconnect', () => process.exit())
}

main()

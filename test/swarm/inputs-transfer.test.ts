// How inputs get from their author to several volunteers: whom the bytes are from, and how many there are.
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { createTaskFrom } from '../../lib/index.ts'
import type BitWorker from '../../lib/index.ts'
import { findInput } from '../../lib/inputs/registry.ts'
import type { Task } from '../../lib/task/types.ts'
import { encodeTask, magnetOf } from '../../lib/task/task.ts'
import type { Torrent } from '../../lib/webtorrent/types.ts'
import { createFolder } from '../helpers/disk.ts'
import { addressOf, createClient, destroyClient, eventOf } from '../helpers/swarm.ts'

const KIB = 1024
const PEERS = 3

interface Author { task: Task, infoHash: string, client: BitWorker, address: string }

/** Shares `length` bytes, of which each piece gets a slice if `slice` is not 0. */
async function author (t: Test, length: number, slice: number, uploadLimit = -1): Promise<Author> {
  const [home, registry] = [createFolder(t), createFolder(t)]
  const file = path.join(home, 'data')
  const bytes = Buffer.alloc(length)
  for (let at = 0; at < length; at += 4) bytes.writeUInt32LE(Math.imul(at, 0x9e3779b1) >>> 0, at)
  writeFileSync(file, bytes)
  const task = await createTaskFrom({
    name: 'out',
    registry,
    command: slice === 0 ? 'sha256sum data' : 'sha256sum',
    inputs: [{ path: file, ...(slice > 0 && { perPart: { slice } }) }],
    ...(slice === 0 && { parts: PEERS })
  })
  const client = createClient(t, { uploadLimit })
  client.add(task, {
    path: createFolder(t), inputs: { folder: createFolder(t), find: async infoHash => findInput(infoHash, registry) }
  })
  return { task, infoHash: task.inputs![0]!.infoHash!, client, address: await addressOf(client) }
}

interface Volunteer { input: Promise<Torrent>, torrent: Torrent, done: Promise<unknown>, computed: () => number }

function volunteer (t: Test, { task, infoHash }: Author, peers: string[]): { client: BitWorker } & Volunteer {
  const client = createClient(t)
  const input = new Promise<Torrent>(resolve => {
    client.on('torrent', torrent => { if (torrent.infoHash === infoHash) resolve(torrent) })
  })
  const torrent = client.add(magnetOf(task), {
    path: createFolder(t),
    compute: { slots: 1, sandbox: 'none' },
    inputs: { folder: createFolder(t), find: async () => null }
  })
  torrent.once('infoHash', () => { for (const peer of peers) torrent.addPeer(peer) })
  let computed = 0
  torrent.on('computed', () => { computed++ })
  return { client, input, torrent, done: eventOf(torrent, 'done'), computed: () => computed }
}

test('volunteers have a whole input from each other, and need its author for one copy', async t => {
  const length = 2048 * KIB
  const from = await author(t, length, 0, 256 * KIB)
  const volunteers = Array.from({ length: PEERS }, () => volunteer(t, from, [from.address]))
  const sources = volunteers.map(() => new Map<string, number>())
  const here = new Set<number>()
  const inputs = await Promise.all(volunteers.map(async each => each.input))
  await new Promise<void>(resolve => {
    for (const [i, input] of inputs.entries()) {
      const count = (wire: Torrent['wires'][number]): void => {
        wire.on('download', (bytes: number) => {
          sources[i]!.set(wire.peerId!, (sources[i]!.get(wire.peerId!) ?? 0) + bytes)
        })
      }
      input.wires.forEach(count)
      input.on('wire', count)
      const look = (piece: number): void => {
        here.add(piece)
        if (here.size === input.pieces.length) resolve()
      }
      input.pieces.forEach((piece, index) => { if (piece === null) look(index) })
      input.on('verified', look)
    }
  })
  const whole = inputs.filter(input => !input.pieces.some(piece => piece !== null))
  t.comment(`${whole.length} of ${PEERS} had all of it when the author left`)
  await destroyClient(from.client)
  await Promise.all(volunteers.map(async each => each.done))
  for (const [i, bytes] of sources.entries()) {
    t.ok(bytes.size >= 2, `volunteer ${i} has it from ${bytes.size} peers: ${[...bytes.values()].join(', ')}`)
  }
})

test('slices: work begins with the first, nothing comes twice, and little in vain', async t => {
  const [count, slice] = [60, 64 * KIB]
  const from = await author(t, count * slice, slice)
  const volunteers = Array.from({ length: PEERS }, () => volunteer(t, from, [from.address]))
  await Promise.all(volunteers.map(async ({ torrent, input }) => {
    await eventOf(torrent, 'computing')
    t.ok((await input).pieces.some(piece => piece !== null), 'the first work item does not wait for all of it')
  }))
  await Promise.all(volunteers.map(async each => each.done))
  let [taken, used] = [0, 0]
  for (const each of volunteers) {
    const { received, pieces, pieceLength, wires } = await each.input
    const kept = pieces.filter(piece => piece === null).length * pieceLength
    // WebTorrent asks each peer for one block, to see whether it is of use
    t.ok(received <= kept + (wires.length + PEERS) * 16 * KIB, `${received} bytes came, ${kept} are kept`)
    taken += received
    used += each.computed() * slice
  }
  t.ok(taken <= 1.3 * used, `${(taken / used).toFixed(2)} of the slices that were computed`)
})

test('of a million lines, a peer takes what its pieces need', async t => {
  const registry = createFolder(t)
  const lines = Array.from({ length: 1_000_000 }, (_, i) => `--alpha ${i} --beta ${(i * 7919) % 1_000_003} --seed ${i * 31}\n`)
  const list = Buffer.from(lines.join(''))
  const task = await createTaskFrom({ name: 'out', registry, command: 'echo "$ENTRY"', inputs: [{ lines: list, name: 'list' }] })
  const size = encodeTask(task).length
  t.ok(size <= 4 * KIB, `the task file has ${size} bytes, the list ${list.length}`)
  const [giver, client] = [createClient(t), createClient(t)]
  giver.add(task, {
    path: createFolder(t), inputs: { folder: createFolder(t), find: async infoHash => findInput(infoHash, registry) }
  })
  const address = await addressOf(giver)
  const torrent = client.add(magnetOf(task), {
    path: createFolder(t),
    compute: { slots: 1, sandbox: 'none' },
    inputs: { folder: createFolder(t), find: async () => null }
  })
  torrent.once('infoHash', () => { torrent.addPeer(address) })
  const sizes = new Map<number, number>()
  await new Promise<void>(resolve => {
    torrent.on('computed', event => { if (sizes.set(event.piece, event.size).size === 10) resolve() })
  })
  for (const [piece, bytes] of sizes) t.equal(bytes, lines[piece]!.length, `piece ${piece} is its line`)
  const { received } = client.torrents.find(({ infoHash }) => infoHash === task.inputs![0]!.infoHash)!
  t.ok(received <= 2 ** 20, `they took ${received} bytes of it`)
  // before their folders are removed: they are not done
  await Promise.all([giver, client].map(destroyClient))
})

// Tasks that read the output of other tasks: joined from the link of the last one, and computed only when told to.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import test from 'tape'
import type { Test } from 'tape'
import { createTask, createTaskFrom, encodeTask } from '../../lib/index.ts'
import type BitWorker from '../../lib/index.ts'
import type { CreateTaskFromOptions, Task } from '../../lib/index.ts'
import { rememberTask } from '../../lib/inputs/registry.ts'
import { magnetOf } from '../../lib/task/magnet.ts'
import type { ComputeOptions } from '../../lib/webtorrent/options.ts'
import type { Torrent } from '../../lib/webtorrent/public-types.ts'
import { lineageProblem } from '../../lib/webtorrent/shared-stage.ts'
import { createFolder } from '../helpers/disk.ts'
import { addressOf, createClient, destroyClient, eventOf } from '../helpers/swarm.ts'

const COMPUTE: ComputeOptions = { slots: 1, sandbox: 'none' }

/** Whoever computes the task computes what it needs, too. */
function computeAll (torrent: Torrent): void {
  torrent.on('stage', stage => {
    computeAll(stage as Torrent)
    ;(stage as Torrent).startComputing(COMPUTE)
  })
}

interface Author { registry: string, make: (opts: Partial<CreateTaskFromOptions>) => Promise<Task> }

function author (t: Test): Author {
  const registry = createFolder(t)
  return { registry, make: async opts => createTaskFrom({ name: 'x', command: 'true', registry, ...opts }) }
}

interface MemberOptions { registry?: string, peers?: string[], compute?: boolean }
interface Member { client: BitWorker, torrent: Torrent, out: string, computed: Map<string, number[]> }

/** Somebody in the swarm of the task; with a registry its author. */
function member (t: Test, task: Task, { registry, peers = [], compute = true }: MemberOptions): Member {
  const [out, cache] = [createFolder(t), createFolder(t)]
  const client = createClient(t)
  const torrent = client.add(registry === undefined ? magnetOf(task) : task, {
    path: out, compute: compute && COMPUTE, inputs: { folder: cache, registry: registry ?? createFolder(t) }
  })
  if (compute) computeAll(torrent)
  torrent.once('infoHash', () => { for (const peer of peers) torrent.addPeer(peer) })
  const computed = new Map<string, number[]>()
  client.on('add', each => { follow(each) })
  const follow = (each: Torrent): void => {
    each.on('computed', ({ piece }) => { computed.set(each.name, [...computed.get(each.name) ?? [], piece]) })
    each.on('failed', ({ message, stderr }) => { t.fail(`${message} ${stderr}`) })
    each.on('input', ({ state, message }) => { if (state === 'refused') t.fail(message) })
  }
  follow(torrent)
  return { client, torrent, out, computed }
}

test('map, map, reduce: from the last link alone', async t => {
  const { registry, make } = author(t)
  const first = await make({ name: 'squares', command: 'echo $((PIECE_IDX * PIECE_IDX))', parts: 6, pieceLength: 100 })
  const second = await make({
    name: 'more', command: 'read n; echo $INPUT $((n + 1)) $(<$INPUT)', inputs: [{ outputOf: first, perPart: true, name: 'in' }], pieceLength: 100
  })
  t.equal(second.pieceCount, 6)
  const last = await make({
    name: 'all', command: 'cat list; ls', parts: 1, inputs: [{ outputOf: second, name: 'list' }]
  })
  const { client } = member(t, last, { registry, compute: false })
  const peers = [await addressOf(client)]
  const two = [member(t, last, { peers }), member(t, last, { peers })]
  await Promise.all(two.map(async ({ torrent }) => eventOf(torrent, 'done')))
  const expected = [0, 1, 2, 3, 4, 5].map(i => `in ${i * i + 1} ${i * i}\n`).join('') + 'list\n'
  for (const { out, computed, client: each } of two) {
    t.equal(readFileSync(path.join(out, 'all'), 'utf8'), expected)
    t.comment(JSON.stringify([...computed]))
    t.equal(each.torrents.length, 3)
  }
  await Promise.all(two.map(async ({ client: each }) => destroyClient(each)))
})

async function refusalOf (torrent: Torrent): Promise<string | undefined> {
  return new Promise(resolve => {
    torrent.on('input', event => { if (event.state === 'refused') resolve(event.message) })
  })
}

test('an earlier task is only downloaded where nobody has it computed', async t => {
  const { registry, make } = author(t)
  const first = await make({ name: 'first', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 100 })
  const last = await make({ name: 'last', command: 'cat in', parts: 1, inputs: [{ outputOf: first, name: 'in' }] })
  const helper = createClient(t)
  const helped = helper.add(first, { path: createFolder(t), compute: COMPUTE, inputs: { registry } })
  await eventOf(helped, 'done')
  const peer = await addressOf(helper)
  const sharing = await addressOf(member(t, last, { registry, compute: false }).client)
  const reader = createClient(t)
  const torrent = reader.add(magnetOf(last), {
    path: createFolder(t), compute: COMPUTE, inputs: { folder: createFolder(t), registry: createFolder(t) }
  })
  torrent.once('infoHash', () => { torrent.addPeer(sharing) })
  torrent.on('stage', stage => {
    stage.on('computing', () => { t.fail('it is computed') })
    stage.once('metadata', () => { stage.addPeer(peer) })
  })
  await eventOf(torrent, 'done')
  const [stage] = await torrent.stages()
  t.equal(stage?.computing, 'off')
  t.equal(stage?.stats().downloaded, 4)
})

test('whoever sees the metadata of a task can ask what it reads', async t => {
  const { registry, make } = author(t)
  const first = await make({ name: 'first', command: 'true', parts: 2 })
  const last = await make({ name: 'last', command: 'cat in', parts: 1, inputs: [{ outputOf: first, name: 'in' }] })
  const torrent = createClient(t).add(last, {
    path: createFolder(t), expectsComputing: true, inputs: { folder: createFolder(t), registry }
  })
  while (torrent.metadata === null) await setImmediate()
  t.deepEqual((await torrent.stages()).map(({ infoHash }) => infoHash), [first.infoHash])
})

test('another task than the one that is meant, and what is not there', async t => {
  const { registry, make } = author(t)
  const first = await make({ name: 'first', command: 'true', parts: 4 })
  const { digest, infoHash } = first
  await rememberTask(infoHash, { file: encodeTask(first) }, registry)
  for (const [input, parts, expected] of [
    [{ task: { digest: digest.toReversed(), infoHash } }, 1, /output of another task than the one that is meant/],
    [{ task: { digest, infoHash, path: 'a' } }, 1, /the file "a" of a task that has none of that name/],
    [{ task: { digest, infoHash }, split: { by: 'pieces' } }, 3, /a task with 4 pieces, not one for each of the 3/],
    [{ task: { digest, infoHash }, split: { by: 'files' } }, 4, /a task with 1 files, not one for each of the 4/]
  ] as const) {
    const task = createTask({ name: 'x', command: 'true', parts, inputs: [{ name: 'in', length: 4, ...input }] })
    const torrent = createClient(t).add(task, {
      path: createFolder(t), compute: COMPUTE, inputs: { folder: createFolder(t), registry }
    })
    t.match(await refusalOf(torrent) ?? '', expected)
  }
})

for (const order of ['torrent first', 'task first'] as const) {
  test(`one hash as a torrent and as a task: ${order}`, async t => {
    const { registry, make } = author(t)
    const first = await make({ name: 'first', command: 'echo $PIECE_IDX', parts: 2, pieceLength: 100 })
    const last = await make({ name: 'last', command: 'cat in', parts: 1, inputs: [{ outputOf: first, name: 'in' }] })
    const wrong = createTask({
      name: 'wrong', command: 'true', parts: 1, inputs: [{ name: 'in', length: 100, infoHash: first.infoHash, sha256: new Uint8Array(32) }]
    })
    const client = createClient(t)
    const peer = await addressOf(member(t, last, { registry, compute: false }).client)
    const add = (task: Task): Torrent => {
      const torrent = client.add(task, {
        path: createFolder(t), compute: COMPUTE, inputs: { folder: createFolder(t), registry: createFolder(t) }
      })
      computeAll(torrent)
      torrent.once('infoHash', () => { torrent.addPeer(peer) })
      return torrent
    }
    const tasks = order === 'torrent first' ? [wrong, last] : [last, wrong]
    const torrents = tasks.map(add)
    const [refused, done] = order === 'torrent first' ? torrents : torrents.toReversed()
    await Promise.all([
      refusalOf(refused!).then(message => { t.match(message ?? '', /is a task, not a torrent, so it is not used/) }),
      eventOf(done!, 'done')
    ])
  })
}

test('tasks that need each other, and too many', async t => {
  const all = new Set(Array.from({ length: 64 }, (_, i) => String(i)))
  t.match(lineageProblem('a', { tasks: ['a', 'b'], all }) ?? '', /needs this one/)
  t.match(lineageProblem('c', { tasks: ['a', 'b'], all }) ?? '', /one more than 64 tasks$/)
  t.equal(lineageProblem('3', { tasks: ['a', 'b'], all }), null)
  const { registry, make } = author(t)
  const tasks = [await make({ name: 't0', parts: 1 })]
  while (tasks.length < 16) tasks.push(await make({ name: `t${tasks.length}`, parts: 1, inputs: [{ outputOf: tasks.at(-1)!, name: 'in' }] }))
  const before = tasks.at(-1)!
  t.match(await make({ parts: 1, inputs: [{ outputOf: before }] }).then(() => '', (err: Error) => err.message), /more than 16 in a row/)
  await rememberTask(before.infoHash, { file: encodeTask(before) }, registry)
  const last = createTask({
    name: 'x', command: 'true', parts: 1, inputs: [{ name: 'in', length: 9, task: { digest: before.digest, infoHash: before.infoHash } }]
  })
  const client = createClient(t)
  const refused = new Promise(resolve => {
    client.on('add', torrent => { void refusalOf(torrent).then(message => { resolve([torrent.name, message]) }) })
  })
  const inputs = { folder: createFolder(t), registry }
  computeAll(client.add(last, { path: createFolder(t), compute: COMPUTE, inputs }))
  t.deepEqual(await refused, ['t1', 'The input "in" is the output of one more than 16 tasks in a row; nothing of it is computed.'])
})

test('a hash that is named both as a torrent and as a task leaves nothing open', async t => {
  const { registry, make } = author(t)
  const first = await make({ name: 'first', command: 'true', parts: 2, pieceLength: 100 })
  const { inputs: [stage] = [] } = await make({ name: 'last', parts: 1, inputs: [{ outputOf: first, name: 'stage' }] })
  const torrentInput = { name: 'torrent', length: 10, infoHash: first.infoHash, sha256: new Uint8Array(32) }
  for (const inputs of [[stage!, torrentInput], [torrentInput, stage!]]) {
    const client = createClient(t)
    const task = createTask({ name: 'last', command: 'true', parts: 1, inputs })
    const inputOptions = { folder: createFolder(t), registry }
    const torrent = client.add(task, { path: createFolder(t), compute: COMPUTE, inputs: inputOptions })
    await eventOf(torrent, 'stage')
    await new Promise<void>(resolve => { torrent.destroy(() => { resolve() }) })
    t.deepEqual(client.torrents, [])
  }
})

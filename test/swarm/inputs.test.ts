// Inputs of a task in a swarm: from the one who has them to those who compute, each only what it needs.
import { hash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import createTorrent from 'create-torrent'
import test from 'tape'
import type { Test } from 'tape'
import { decodeDict } from '../../lib/base/bencode.ts'
import type BitWorker from '../../lib/index.ts'
import type { Torrent } from '../../lib/index.ts'
import type { InputEvent } from '../../lib/session/events.ts'
import { hashTree } from '../../lib/inputs/hash.ts'
import { inputOf as inputFrom } from '../../lib/inputs/made-input.ts'
import { torrentFileOf } from '../../lib/inputs/metainfo.ts'
import { readTree } from '../../lib/inputs/tree.ts'
import { createTask } from '../../lib/task/task.ts'
import type { Task, TorrentInput } from '../../lib/task/types.ts'
import { magnetOf } from '../../lib/task/magnet.ts'
import type { InputOptions } from '../../lib/webtorrent/options.ts'
import { createFolder } from '../helpers/disk.ts'
import { addressOf, createClient, destroyClient, eventOf } from '../helpers/swarm.ts'

interface Made { input: TorrentInput, find: NonNullable<InputOptions['find']> }

/** The torrent of a file or folder, as `create` makes it. */
async function inputOf (
  at: string, name: string, pieceLength: number, more: Partial<TorrentInput> = {}
): Promise<Made> {
  const bytes = await new Promise<Uint8Array>((resolve, reject) => {
    createTorrent(at, { pieceLength, announceList: [] }, (err: Error | null, torrent: Uint8Array) => {
      if (err === null) resolve(torrent)
      else reject(err)
    })
  })
  const info = new Uint8Array(decodeDict(bytes).span('info'))
  const infoHash = hash('sha1', info)
  const isFolder = statSync(at).isDirectory()
  const names = isFolder ? readdirSync(at) : []
  const length = isFolder
    ? names.reduce((sum, each) => sum + statSync(path.join(at, each)).size, 0)
    : statSync(at).size
  return {
    input: { name, length, infoHash, sha256: hash('sha256', info, 'buffer'), ...(isFolder && { files: names.length }), ...more },
    find: async wanted => wanted === infoHash ? { info, path: at } : null
  }
}

interface Volunteer { client: BitWorker, out: string, cache: string, done: Promise<unknown>, computed: number[] }

async function volunteer (t: Test, task: Task, peers: string[], slots = 1): Promise<Volunteer> {
  const [out, cache] = [createFolder(t), createFolder(t)]
  const client = createClient(t)
  const torrent = client.add(magnetOf(task), { path: out, compute: { slots, sandbox: 'none' }, inputs: { folder: cache } })
  torrent.once('infoHash', () => { for (const peer of peers) torrent.addPeer(peer) })
  const computed: number[] = []
  torrent.on('computed', ({ piece }) => { computed.push(piece) })
  torrent.on('failed', ({ message, stderr }) => { t.fail(`${message} ${stderr}`) })
  return { client, out, cache, computed, done: eventOf(torrent, 'done') }
}

async function author (t: Test, task: Task, find: InputOptions['find']): Promise<{ client: BitWorker, address: string }> {
  const [out, cache] = [createFolder(t), createFolder(t)]
  const client = createClient(t)
  client.add(task, { path: out, inputs: { folder: cache, ...(find !== undefined && { find }) } })
  t.deepEqual(readdirSync(cache), [], 'nothing is copied at the author')
  return { client, address: await addressOf(client) }
}

/** What the task's command writes where the inputs were made, and elsewhere: asserts that it is the same. */
async function seenByBoth (t: Test, task: Task, find: NonNullable<InputOptions['find']>): Promise<string> {
  const { address } = await author(t, task, find)
  const own = createClient(t).add(task, {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t), find }
  })
  await eventOf(own, 'done')
  const other = await volunteer(t, task, [address])
  await other.done
  const seen = readFileSync(path.join(other.out, 'out'), 'utf8')
  t.equal(readFileSync(path.join(own.path, 'out'), 'utf8'), seen)
  return seen
}

async function refusalOf (torrent: ReturnType<BitWorker['add']>): Promise<string | undefined> {
  return new Promise(resolve => {
    torrent.on('input', event => { if (event.state === 'refused') resolve(event.message) })
  })
}

test('whole inputs: a folder, a file, and a script in the task itself', async t => {
  const home = createFolder(t)
  mkdirSync(path.join(home, 'folder'))
  for (const name of ['a', 'b', 'c']) writeFileSync(path.join(home, 'folder', name), name.repeat(20_000))
  writeFileSync(path.join(home, 'file'), 'x'.repeat(50_000))
  const folder = await inputOf(path.join(home, 'folder'), 'data', 16_384)
  const file = await inputOf(path.join(home, 'file'), 'one', 16_384)
  const script = '#!/bin/bash\ncat data/* one | sha256sum; ls data; echo $PIECE_IDX; cat'
  const task = createTask({
    name: 'out',
    command: './run.sh',
    parts: 3,
    inputs: [folder.input, file.input, { name: 'run.sh', data: new TextEncoder().encode(script) }]
  })
  const find: NonNullable<InputOptions['find']> = async infoHash => await folder.find(infoHash) ?? file.find(infoHash)
  const { client, address } = await author(t, task, find)
  const first = await volunteer(t, task, [address])
  await first.done
  await destroyClient(client)
  const second = await volunteer(t, task, [await addressOf(first.client)])
  await second.done
  const sum = hash('sha256', 'a'.repeat(20_000) + 'b'.repeat(20_000) + 'c'.repeat(20_000) + 'x'.repeat(50_000))
  const expected = [0, 1, 2].map(piece => `${sum}  -\na\nb\nc\n${piece}\n`).join('')
  for (const { out } of [first, second]) t.equal(readFileSync(path.join(out, 'out'), 'utf8'), expected)
  t.deepEqual(first.computed.toSorted((a, b) => a - b), [0, 1, 2])
  t.equal(statSync(path.join(first.cache, 'inputs', folder.input.infoHash, 'data', 'a')).mode & 0o777, 0o555)
})

test('a file for each piece: volunteers download only the files that they need', async t => {
  const home = createFolder(t)
  mkdirSync(path.join(home, 'frames'))
  for (let i = 0; i < 12; i++) {
    writeFileSync(path.join(home, 'frames', `${String(i).padStart(2, '0')}.txt`), `${i} `.repeat(20_000).slice(0, 32_768))
  }
  const frames = await inputOf(path.join(home, 'frames'), 'frames', 32_768, { split: { by: 'files' } })
  const task = createTask({ name: 'out', command: 'sum=$(sha256sum); ls frames; echo $INPUT $sum', parts: 12, inputs: [frames.input] })
  const { address } = await author(t, task, frames.find)
  const halves = [[0, 5], [6, 11]] as const
  await Promise.all(halves.map(async ([first, last]) => {
    const [out, cache] = [createFolder(t), createFolder(t)]
    const client = createClient(t)
    const torrent = client.add(magnetOf(task), {
      path: out, deselect: true, compute: { slots: 2, sandbox: 'none' }, inputs: { folder: cache }, verify: 'off'
    })
    torrent.once('infoHash', () => { torrent.addPeer(address) })
    torrent.once('metadata', () => { torrent.select(first, last) })
    const computed = new Map<number, number>()
    await new Promise<void>(resolve => {
      torrent.on('computed', ({ piece, size }) => {
        computed.set(piece, size)
        if (computed.size === 6) resolve()
      })
    })
    const input = client.torrents.find(({ infoHash }) => infoHash === frames.input.infoHash)!
    const here = input.pieces.flatMap((piece, index) => piece === null ? [index] : [])
    t.deepEqual(here, [0, 1, 2, 3, 4, 5].map(index => first + index), 'what its pieces needed, and no more')
    t.comment(`${input.received / 32_768} slices came for 6`)
    const name = `${String(first).padStart(2, '0')}.txt`
    const sum = hash('sha256', readFileSync(path.join(home, 'frames', name)))
    const part = path.join(out, '.bitworker', task.infoHash, 'p', String(first).padStart(6, '0'))
    const read = readFileSync(part, 'utf8')
    t.equal(read, `${name}\nframes/${name} ${sum} -\n`)
  }))
})

test('a command that changes its own input has no result, and harms neither the author nor other tasks', async t => {
  const file = path.join(createFolder(t), 'file')
  writeFileSync(file, 'x'.repeat(50_000))
  const { input, find } = await inputOf(file, 'one', 16_384)
  const evil = createTask({ name: 'evil', command: 'chmod u+w one; echo more >> one; cat one', parts: 1, inputs: [input] })
  const goods = ['0', '1'].map(name => createTask({ name, command: 'wc -c < one', parts: 2, inputs: [input] }))
  const { client: seeder, address } = await author(t, goods[0]!, find)
  seeder.add(goods[1]!, { path: createFolder(t), inputs: { folder: createFolder(t), find } })
  seeder.add(evil, { path: createFolder(t), inputs: { folder: createFolder(t), find } })
  // from the original, and from what is fetched into the cache
  for (const [turn, inputs] of [{ folder: createFolder(t), find }, { folder: createFolder(t) }].entries()) {
    const client = createClient(t)
    const options = { compute: { slots: 1, sandbox: 'none' }, inputs } as const
    const add = (task: Task): ReturnType<BitWorker['add']> => {
      const torrent = client.add(magnetOf(task), { path: createFolder(t), ...options })
      torrent.once('infoHash', () => { torrent.addPeer(address) })
      return torrent
    }
    const bad = add(evil)
    bad.on('computed', () => { t.fail('it has a result') })
    const [failure] = await new Promise<Array<{ code: string }>>(resolve => {
      bad.once('failed', (...args: unknown[]) => { resolve(args as Array<{ code: string }>) })
    })
    t.equal(failure!.code, 'BW_ERR_INPUT')
    const torrent = add(goods[turn]!)
    const sizes: number[] = []
    torrent.on('computed', ({ size }) => { sizes.push(size) })
    await eventOf(torrent, 'done')
    t.deepEqual(sizes, [6, 6])
    t.equal(readFileSync(path.join(torrent.path, String(turn)), 'utf8'), '50000\n50000\n')
    await destroyClient(client)
  }
  t.equal(readFileSync(file, 'utf8'), 'x'.repeat(50_000), 'nobody has written to the original')
})

test('a command sees the same input at its author and elsewhere', async t => {
  const home = createFolder(t)
  const folder = path.join(home, 'folder')
  mkdirSync(path.join(folder, 'd'), { recursive: true })
  for (const name of ['a', 'd/b']) writeFileSync(path.join(folder, name), name.repeat(20_000), { mode: 0o600 })
  mkdirSync(path.join(home, 'frames'))
  for (const name of ['1', '2']) writeFileSync(path.join(home, 'frames', name), name.repeat(20_000), { mode: 0o640 })
  const [data, frames] = [
    await inputOf(folder, 'data', 16_384, { files: 2, length: 80_000 }),
    await inputOf(path.join(home, 'frames'), 'frames', 16_384, { split: { by: 'files' } })
  ]
  const task = createTask({
    name: 'out',
    command: 'tar -c --owner=0 --group=0 --sort=name -h data $INPUT | tar -tv',
    parts: 2,
    inputs: [data.input, frames.input, { name: 'run.sh', data: new Uint8Array([1]) }]
  })
  const find: NonNullable<InputOptions['find']> = async infoHash => await data.find(infoHash) ?? frames.find(infoHash)
  const seen = await seenByBoth(t, task, find)
  t.equal(seen.match(/^-r-xr-xr-x .* 1970-01-01 /gm)?.length, 6, 'files of mode 0555, without a time')
  t.equal(seen.match(/^drwxr-xr-x .* 1970-01-01 /gm)?.length, 4, 'and folders')
})

test('symbolic links of a folder are at their places, at its author and elsewhere', async t => {
  const folder = path.join(createFolder(t), 'data')
  mkdirSync(path.join(folder, 'v/2'), { recursive: true })
  mkdirSync(path.join(folder, 'bin'))
  for (const name of ['a', 'v/2/b']) writeFileSync(path.join(folder, name), name.repeat(20_000))
  for (const [at, target] of [['latest', 'v/2'], ['bin/b', '../latest/b'], ['one', 'two'], ['two', 'a']] as const) {
    symlinkSync(target, path.join(folder, at))
  }
  const info = await hashTree(await readTree(folder), { name: 'data' })
  const input = inputFrom(info, 'data')
  const task = createTask({
    name: 'out',
    command: 'tar -C data -c --owner=0 --group=0 --sort=name . | tar -tv; wc -c data/{bin/b,one,two,latest/b}',
    parts: 1,
    inputs: [input]
  })
  const find: NonNullable<InputOptions['find']> = async wanted => wanted === input.infoHash ? { info, path: folder } : null
  const seen = await seenByBoth(t, task, find)
  const links = [...seen.matchAll(/^l.* 1970-01-01 .* \.\/(.* -> .*)$/gm)].map(([, link]) => link)
  t.deepEqual(links, ['bin/b -> ../v/2/b', 'latest -> v/2', 'one -> two', 'two -> a'])
  t.match(seen, /\n100000 data\/bin\/b\n *20000 data\/one\n *20000 data\/two\n100000 data\/latest\/b\n/)
})

test('a task that lies about an input does not harm another task with it, in either order', async t => {
  const file = path.join(createFolder(t), 'file')
  writeFileSync(file, 'x'.repeat(50_000))
  const { input, find } = await inputOf(file, 'one', 16_384)
  const lies = [{ length: 50_001 }, { sha256: new Uint8Array(32) }, { files: 1 }].map((lie, i) =>
    createTask({ name: `lie ${i}`, command: 'cat one', parts: 1, inputs: [{ ...input, ...lie }] }))
  const good = createTask({ name: 'good', command: 'wc -c < one', parts: 1, inputs: [input] })
  const { client: seeder, address } = await author(t, good, find)
  for (const lie of lies) seeder.add(lie, { path: createFolder(t), inputs: { folder: createFolder(t), find } })
  const client = createClient(t)
  const folder = createFolder(t)
  const [first, ...others] = [...lies, good].map(task => {
    const torrent = client.add(magnetOf(task), {
      path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder }
    })
    torrent.once('infoHash', () => { torrent.addPeer(address) })
    return torrent
  })
  const [last, ...rest] = others.toReversed()
  await Promise.all([eventOf(last!, 'done'), ...[first!, ...rest].map(async torrent => {
    t.match(await refusalOf(torrent) ?? '', /task says 50001|does not match the task|a folder of 1 file/)
  })])
  t.equal(readFileSync(path.join(last!.path, 'good'), 'utf8'), '50000\n')
})

test('an input that is used again at once has its place in the cache again', async t => {
  const file = path.join(createFolder(t), 'file')
  writeFileSync(file, 'x'.repeat(50_000))
  const { input, find } = await inputOf(file, 'one', 16_384)
  const tasks = ['a', 'b', 'c'].map(name => createTask({ name, command: 'wc -c < one', parts: 1, inputs: [input] }))
  const { client: seeder, address } = await author(t, tasks[0]!, find)
  const shared = { folder: createFolder(t), find }
  for (const task of tasks.slice(1)) seeder.add(task, { path: createFolder(t), inputs: shared })
  const [client, folder] = [createClient(t), createFolder(t)]
  for (const task of tasks) {
    const torrent = client.add(magnetOf(task), {
      path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder }
    })
    torrent.once('infoHash', () => { torrent.addPeer(address) })
    await eventOf(torrent, 'done')
    torrent.destroy()
  }
  t.deepEqual(readdirSync(path.join(folder, 'inputs')), [input.infoHash])
})

test('inputs are downloaded only while something computes with them', async t => {
  const home = createFolder(t)
  writeFileSync(path.join(home, 'file'), 'x'.repeat(40 * 16_384))
  const { input, find } = await inputOf(path.join(home, 'file'), 'one', 16_384)
  const task = createTask({ name: 'out', command: 'wc -c < one', parts: 1, inputs: [input] })
  const { client: seeder, address } = await author(t, task, find)
  // slow enough that it is under way when it is stopped
  seeder.throttleUpload(100_000)
  const client = createClient(t)
  const torrent = client.add(magnetOf(task), {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t) }
  })
  torrent.once('infoHash', () => { torrent.addPeer(address) })
  const arrival = async (): Promise<Torrent> => new Promise(resolve => {
    const look = (): void => {
      const found = client.torrents.find(({ infoHash }) => infoHash === input.infoHash)
      if (found?.pieces.includes(null) === true) resolve(found)
      else setTimeout(look, 20)
    }
    look()
  })
  const fetched = await arrival()
  const isIdle = eventOf(fetched, 'uninterested')
  torrent.pauseComputing()
  await isIdle
  torrent.resumeComputing()
  await torrent.stopComputing()
  if (!fetched.destroyed) await new Promise(resolve => { fetched.once('close', resolve as () => void) })
  t.deepEqual(torrent.inputs, [], 'stopped: it is closed')
  seeder.throttleUpload(-1)
  torrent.startComputing({ slots: 2, sandbox: 'none' })
  await eventOf(torrent, 'done')
  t.equal(readFileSync(path.join(torrent.path, 'out'), 'utf8'), `${40 * 16_384}\n`)
})

test('a complete command waits for what it reads; its task can be closed meanwhile', async t => {
  const [home, made] = [createFolder(t), createFolder(t)]
  writeFileSync(path.join(home, 'file'), 'x'.repeat(50_000))
  const { input, find } = await inputOf(path.join(home, 'file'), 'one', 16_384)
  const task = createTask({
    name: 'out', command: 'echo', completeCommand: 'wc -c < one > "$FILE"', parts: 1, inputs: [input]
  })
  const { client: first } = await author(t, task, find)
  const own = createClient(t)
  const computed = own.add(task, {
    path: made, compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t), find }
  })
  await eventOf(computed, 'done')
  await destroyClient(own)
  const holder = createClient(t)
  holder.add(task, { path: made, inputs: { folder: createFolder(t), find: async () => null } })
  const address = await addressOf(holder)
  const start = (at: BitWorker): Torrent => {
    const torrent = at.add(magnetOf(task), {
      path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t) }
    })
    torrent.once('infoHash', () => { torrent.addPeer(address) })
    return torrent
  }
  const client = createClient(t)
  const [waiting, again] = [start(client), start(createClient(t))]
  const warned = eventOf(again, 'warning')
  await Promise.all([waiting, again].map(async torrent => eventOf(torrent, 'completing')))
  t.equal(waiting.inputs[0]?.state, 'fetching')
  const [{ code }] = await warned as [{ code: string }]
  t.equal(code, 'BW_ERR_UNCHECKED', 'its second look cannot be made, which is said')
  await destroyClient(client)
  again.addPeer(await addressOf(first))
  await eventOf(again, 'done')
  t.equal(readFileSync(path.join(again.path, 'out'), 'utf8'), '50000\n')
})

test('who sends wrong data of an input is banned from it and from the task, and not called again', async t => {
  const file = path.join(createFolder(t), 'file')
  // two blocks a torrent piece: both peers may send parts of one
  writeFileSync(file, Buffer.from(Array.from({ length: 40 * 32_768 }, (_, i) => i % 251)))
  const { input, find } = await inputOf(file, 'one', 32_768)
  const { info } = (await find(input.infoHash))!
  const task = createTask({ name: 'out', command: 'sha256sum < one', parts: 1, inputs: [input] })
  const { client: seeder, address } = await author(t, task, find)
  const liar = createClient(t)
  liar.add(task, { path: createFolder(t), inputs: { folder: createFolder(t), find: async () => null } })
  class Liar {
    chunkLength = 32_768
    put (_index: number, _bytes: Uint8Array, cb: (err: null) => void): void { cb(null) }
    get (_index: number, { length = 32_768 }: { length?: number }, cb: (err: null, bytes: Buffer) => void): void {
      cb(null, Buffer.alloc(length, 'lie'))
    }

    close (cb: (err: null) => void): void { cb(null) }
    destroy (cb: (err: null) => void): void { cb(null) }
  }
  const bait = liar.add(torrentFileOf(info), { store: Liar, skipVerify: true, storeCacheSlots: 0 })
  await eventOf(bait, 'ready')
  const liarAddress = await addressOf(liar)
  const client = createClient(t)
  const torrent = client.add(magnetOf(task), {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t) }
  })
  // it is alone at first
  torrent.once('infoHash', () => { torrent.addPeer(liarAddress) })
  const misdeeds: string[] = []
  torrent.on('strike', ({ reason }) => { misdeeds.push(reason) })
  const [{ peer, reason }] = await eventOf(torrent, 'ban') as [{ peer: string, reason: string }]
  t.equal(peer, liarAddress)
  t.match(reason, /sent data for torrent piece \d+ of an input that is wrong/)
  t.equal(misdeeds.length, 1, 'the first time it is forgiven')
  const fetched = client.torrents.find(({ infoHash }) => infoHash === input.infoHash)!
  for (const each of [torrent, fetched]) t.notOk(each.addPeer(liarAddress), 'it is not called again')
  const wires = [...bait.wires]
  await Promise.all(wires.map(async wire => wire.destroyed || new Promise<void>(resolve => { wire.once('close', () => { resolve() }) })))
  torrent.addPeer(address)
  await eventOf(torrent, 'done')
  t.equal(readFileSync(path.join(torrent.path, 'out'), 'utf8'), `${hash('sha256', readFileSync(file))}  -\n`)
  t.equal(bait.wires.length, 0, 'and does not come back')
  await destroyClient(seeder)
})

test('an input that nobody has, or that is open as an ordinary torrent, is waited for, and told', async t => {
  const file = path.join(createFolder(t), 'file')
  writeFileSync(file, 'x'.repeat(50_000))
  const { input, find } = await inputOf(file, 'one', 16_384)
  const { info } = (await find(input.infoHash))!
  const task = createTask({ name: 'out', command: 'wc -c < one', parts: 1, inputs: [input] })
  const begin = Date.now()
  const client = createClient(t)
  const torrent = client.add(task, {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t) }
  })
  torrent.on('failed', () => { t.fail('it does not fail') })
  const [{ state, since, message }] = await eventOf(torrent, 'input') as [InputEvent]
  t.deepEqual([state, message], ['fetching', undefined])
  t.ok(since !== undefined && since >= begin && since <= Date.now(), 'since when')
  const other = createClient(t)
  other.add(torrentFileOf(info), { path: createFolder(t) })
  const second = other.add(task, {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t) }
  })
  const told = await new Promise<string>(resolve => {
    second.on('input', event => { if (event.message !== undefined) resolve(event.message) })
  })
  t.match(told, /"one" is open in this client as a torrent of its own\. It is downloaded when that is closed/)
  t.equal(second.inputs[0]?.state, 'fetching')
})

test('each task is compared with the metadata of an input that another one has, too', async t => {
  const home = createFolder(t)
  for (const name of ['a', 'b']) writeFileSync(path.join(home, name), name.repeat(20_000))
  const { input, find } = await inputOf(home, 'folder', 16_384)
  const good = createTask({ name: 'good', command: 'cat folder/*', parts: 1, inputs: [input] })
  const lie = createTask({
    name: 'lie', command: 'cat', parts: 1000, inputs: [{ ...input, files: 1000, split: { by: 'files' } }]
  })
  const client = createClient(t)
  const options = { compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t), find } } as const
  const first = client.add(good, { path: createFolder(t), ...options })
  await eventOf(first, 'done')
  const second = client.add(lie, { path: createFolder(t), ...options })
  t.match(await refusalOf(second) ?? '', /is a folder of 2 files, but the task says a folder of 1000 files/)
  t.equal(first.inputs[0]?.state, 'ready', 'and the other task goes on')
})

test('a slice that is larger than is allowed is not fetched', async t => {
  const home = createFolder(t)
  writeFileSync(path.join(home, 'a'), 'a'.repeat(200_000))
  writeFileSync(path.join(home, 'b'), 'b'.repeat(16_384))
  const { input, find } = await inputOf(home, 'folder', 16_384, { split: { by: 'files' } })
  const task = createTask({ name: 'out', command: 'wc -c', parts: 2, inputs: [input] })
  const { address } = await author(t, task, find)
  const client = createClient(t)
  const torrent = client.add(magnetOf(task), {
    path: createFolder(t),
    compute: { slots: 1, sandbox: 'none' },
    inputs: { folder: createFolder(t), maxSliceBytes: 100_000 }
  })
  torrent.once('infoHash', () => { torrent.addPeer(address) })
  const computed = new Promise(resolve => { torrent.once('computed', resolve) })
  t.match(await refusalOf(torrent) ?? '', /needs 200000 bytes of the input "folder", more than is allowed here/)
  t.equal((await computed as { piece: number }).piece, 1, 'the other one is computed')
  const { pieces } = client.torrents.find(({ infoHash }) => infoHash === input.infoHash)!
  t.notOk(pieces.slice(0, 12).includes(null), 'nothing of it is here')
})

test('an input that is a task is refused', async t => {
  const inner = createTask({ name: 'inner', command: 'echo', parts: 1 })
  const input = { name: 'one', length: 100, infoHash: inner.infoHash, sha256: new Uint8Array(32) }
  const task = createTask({ name: 'out', command: 'cat one', parts: 1, inputs: [input] })
  const seeder = createClient(t)
  seeder.add(inner, { path: createFolder(t) })
  seeder.add(task, { path: createFolder(t), inputs: { folder: createFolder(t), find: async () => null } })
  const address = await addressOf(seeder)
  const torrent = createClient(t).add(magnetOf(task), {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: createFolder(t) }
  })
  torrent.once('infoHash', () => { torrent.addPeer(address) })
  t.match(await refusalOf(torrent) ?? '', /is a task, not a torrent/)
})

test('an input that does not match the task is refused, and two tasks download one input once', async t => {
  const home = createFolder(t)
  writeFileSync(path.join(home, 'file'), 'x'.repeat(50_000))
  const { input, find } = await inputOf(path.join(home, 'file'), 'one', 16_384)
  const lie = createTask({ name: 'a', command: 'cat one', parts: 1, inputs: [{ ...input, length: 50_001 }] })
  const good = ['b', 'c'].map(name => createTask({ name, command: 'wc -c < one', parts: 1, inputs: [input] }))
  const out = createFolder(t)
  const seeder = createClient(t)
  for (const task of good) seeder.add(task, { path: out, inputs: { folder: out, find } })
  seeder.add(lie, { path: out, inputs: { folder: out, find } })
  const address = await addressOf(seeder)
  const [folder, cache] = [createFolder(t), createFolder(t)]
  const client = createClient(t)
  const options = { path: folder, compute: { slots: 1, sandbox: 'none' }, inputs: { folder: cache } } as const
  const torrents = good.map(task => client.add(magnetOf(task), options))
  for (const torrent of torrents) torrent.once('infoHash', () => { torrent.addPeer(address) })
  await Promise.all(torrents.map(async torrent => eventOf(torrent, 'done')))
  t.equal(readFileSync(path.join(folder, 'b'), 'utf8'), '50000\n')
  t.deepEqual(readdirSync(path.join(cache, 'inputs')), [input.infoHash], 'it is there once')
  const other = createClient(t)
  const empty = createFolder(t)
  const refused = other.add(magnetOf(lie), {
    path: createFolder(t), compute: { slots: 1, sandbox: 'none' }, inputs: { folder: empty }
  })
  refused.once('infoHash', () => { refused.addPeer(address) })
  t.match(await refusalOf(refused) ?? '', /has 50000 bytes, but the task says 50001/)
  t.deepEqual(readdirSync(path.join(empty, 'inputs', input.infoHash)), [], 'and nothing is written')
})

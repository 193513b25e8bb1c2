// Tasks that read the output of other tasks: files that somebody changes, descriptions that are wrong, and too many.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { createTask, createTaskFrom } from '../../lib/index.ts'
import type BitWorker from '../../lib/index.ts'
import type { Task } from '../../lib/index.ts'
import type { ComputeOptions } from '../../lib/webtorrent/options.ts'
import type { InputEvent } from '../../lib/session/events.ts'
import type { Torrent } from '../../lib/webtorrent/public-types.ts'
import { createFolder } from '../helpers/disk.ts'
import { createClient, eventOf } from '../helpers/swarm.ts'

const COMPUTE: ComputeOptions = { slots: 1, sandbox: 'none' }

interface Reader { client: BitWorker, registry: string, first: Task, file: string }

/** A client that has finished a task. */
async function finished (t: Test, completeCommand: string | undefined): Promise<Reader> {
  const registry = createFolder(t)
  const first = await createTaskFrom({
    name: 'first',
    command: 'echo good',
    parts: 2,
    pieceLength: 100,
    registry,
    ...(completeCommand !== undefined && { completeCommand })
  })
  const client = createClient(t)
  const out = createFolder(t)
  await eventOf(client.add(first, { path: out, compute: COMPUTE, inputs: { registry } }), 'done')
  return { client, registry, first, file: path.join(out, 'first') }
}

/** Adds a task of one piece that reads the other one. */
async function addReading (t: Test, { client, registry, first }: Reader, command: string): Promise<Torrent> {
  const last = await createTaskFrom({ name: 'last', command, parts: 1, registry, inputs: [{ outputOf: first, name: 'in' }] })
  return client.add(last, { path: createFolder(t), compute: COMPUTE, inputs: { folder: createFolder(t), registry } })
}

/** Why the input is refused. */
async function refusalOf (t: Test, reader: Reader): Promise<InputEvent> {
  const torrent = await addReading(t, reader, 'cat in')
  return new Promise(resolve => {
    torrent.on('input', event => { if (event.state === 'refused') resolve(event) })
  })
}

/** Begins to compute a task of one piece that reads the other one. */
async function read (t: Test, reader: Reader, command: string): Promise<() => Promise<string>> {
  const torrent = await addReading(t, reader, command)
  torrent.on('stage', stage => { if ((stage as Torrent).computing === 'off') (stage as Torrent).startComputing(COMPUTE) })
  const { path: out } = torrent
  const done = eventOf(torrent, 'done')
  return async () => {
    await done
    return readFileSync(path.join(out, 'last'), 'utf8')
  }
}

for (const [how, completeCommand] of [['joined', undefined], ['made by a command', 'cat $PART_LIST > "$FILE"']] as const) {
  test(`a finished file that was changed before it is read is made again: ${how}`, async t => {
    const reader = await finished(t, completeCommand)
    writeFileSync(reader.file, 'good\nevil\n')
    const result = await read(t, reader, 'cat in')
    t.equal(await result(), 'good\ngood\n')
    t.equal(readFileSync(reader.file, 'utf8'), 'good\ngood\n')
  })

  test(`a finished file that was changed to another length stays as it is: ${how}`, async t => {
    const reader = await finished(t, completeCommand)
    writeFileSync(reader.file, 'words of my own\n')
    reader.client.torrents[0]!.on('error', () => {})
    const { message = '' } = await refusalOf(t, reader)
    t.ok(message.endsWith(': BitWorker did not write it, or it has changed since. Move it away. Then start again.'), message)
    const again = { ...reader, client: createClient(t) }
    t.equal(await (await read(t, again, 'cat in'))(), 'good\ngood\n', 'then another folder is used')
    t.equal(readFileSync(reader.file, 'utf8'), 'words of my own\n')
  })

  test(`a finished file that is changed while it is read is made again: ${how}`, async t => {
    const reader = await finished(t, completeCommand)
    const folder = createFolder(t)
    execFileSync('mkfifo', ['started', 'go'], { cwd: folder })
    const wait = `cd ${folder}; [ -e again ] || { touch again; echo > started; cat go; }`
    const result = await read(t, reader, `(${wait}); cat in`)
    await readFile(path.join(folder, 'started'))
    writeFileSync(reader.file, 'good\nevil\n')
    await writeFile(path.join(folder, 'go'), '')
    t.equal(await result(), 'good\ngood\n')
  })
}

test('a task that describes an earlier one wrongly does not harm another one', async t => {
  const registry = createFolder(t)
  const first = await createTaskFrom({ name: 'first', command: 'echo good', parts: 1, registry })
  const right = await createTaskFrom({ name: 'right', command: 'cat in', parts: 1, registry, inputs: [{ outputOf: first, name: 'in' }] })
  const task = { digest: first.digest.toReversed(), infoHash: first.infoHash }
  const wrong = createTask({ name: 'wrong', command: 'cat in', parts: 1, inputs: [{ name: 'in', length: 9, task }] })
  const client = createClient(t)
  const end = async (each: Task): Promise<string> => {
    const torrent = client.add(each, {
      path: createFolder(t), compute: COMPUTE, inputs: { folder: createFolder(t), registry }
    })
    for (const stage of await eventOf(torrent, 'ready').then(async () => torrent.stages())) stage.startComputing(COMPUTE)
    return new Promise(resolve => {
      torrent.on('input', ({ state, message = '' }) => { if (state === 'refused') resolve(message) })
      torrent.on('done', () => { resolve('done') })
    })
  }
  t.match(await end(wrong), /output of another task than the one that is meant/)
  t.equal(await end(right), 'done')
})

async function joined (torrent: Torrent): Promise<void> {
  if (!torrent.ready) await eventOf(torrent, 'ready')
  for (const stage of await torrent.stages()) await joined(stage)
}

test('no more than 64 tasks are joined for one, in whatever order', async t => {
  const registry = createFolder(t)
  const make = async (name: string, inputs: Task[]): Promise<Task> => createTaskFrom({
    name, command: 'true', parts: 1, registry, ...(inputs.length > 0 && { inputs: inputs.map(outputOf => ({ outputOf })) })
  })
  const branches: Task[] = []
  for (let i = 0; i < 5; i++) {
    const leaves: Task[] = []
    while (leaves.length < 15) leaves.push(await make(`leaf-${i}-${leaves.length}`, []))
    branches.push(await make(`branch-${i}`, leaves))
  }
  const client = createClient(t)
  await joined(client.add(await make('all', branches), { path: createFolder(t), inputs: { folder: createFolder(t), registry } }))
  t.equal(client.torrents.length, 64)
})

// Tasks that bring what they read: one author with the files, volunteers with nothing but the link.
import { hash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { createTaskFrom } from '../../lib/inputs/make-task.ts'
import type { CreateTaskFromOptions } from '../../lib/inputs/make-task.ts'
import { encodeTask, magnetOf } from '../../lib/task/task.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running, Workspace } from '../helpers/cli.ts'

const KIB = 1024

/** Bytes that say where they are from. */
function bytesFor (name: string, length: number): Uint8Array {
  const [block, bytes] = [hash('sha256', name, 'buffer'), new Uint8Array(length)]
  for (let at = 0; at < length; at += block.length) bytes.set(block.subarray(0, length - at), at)
  return bytes
}

interface Made { link: string, infoHash: string, inputs: string[] }

/** Makes task.bitworker, as `create` would. */
async function make ({ dir }: Workspace, opts: CreateTaskFromOptions): Promise<Made> {
  const registry = path.join(dir, '.local/state/bitworker/inputs')
  const task = await createTaskFrom({ ...opts, registry })
  writeFileSync(path.join(dir, 'task.bitworker'), encodeTask(task))
  return {
    link: magnetOf(task),
    infoHash: task.infoHash,
    inputs: (task.inputs ?? []).flatMap(({ infoHash }) => infoHash ?? [])
  }
}

/** The author shares what lies on the disk, and computes nothing. */
async function share ({ start }: Workspace): Promise<{ author: Running, peer: string }> {
  const author = start(['run', 'task.bitworker', '-o', 'author', '--no-compute', '--json', ...OFFLINE])
  return { author, peer: `127.0.0.1:${String((await author.event('listening'))['port'])}` }
}

/** On another machine, as far as it knows: nothing was made there. */
function volunteer (
  { dir, start }: Workspace, name: string, link: string, peer: string, more: string[] = []
): Running {
  return start([
    'run', `${link}&x.pe=${peer}`, '-o', name, '--cache', `${name}.cache`, '--yes', '--json', '-j', '1', ...more, ...OFFLINE
  ], { env: { HOME: path.join(dir, `${name}.home`) } })
}

function computedBy ({ events }: Running): number[] {
  return events.filter(({ event }) => event === 'computed').map(({ piece }) => Number(piece))
}

/** Bytes on the disk. */
function heldIn (folder: string): number {
  if (!existsSync(folder)) return 0
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .reduce((sum, name) => sum + lstatSync(path.join(folder, name)).blocks * 512, 0)
}

test('a file for each piece, and a script: each volunteer takes what it needs', async t => {
  const files = await workspace(t)
  const folder = path.join(files.dir, 'frames')
  mkdirSync(folder)
  const names = Array.from({ length: 9 }, (_, i) => `${String(i).padStart(2, '0')}.raw`)
  for (const name of names) writeFileSync(path.join(folder, name), bytesFor(name, 64 * KIB))
  writeFileSync(path.join(files.dir, 'sum.sh'), '#!/bin/bash\nset -- $(sha256sum); echo "$INPUT $1 $(ls frames)"\n')
  const { link } = await make(files, {
    name: 'sums',
    command: 'sum.sh',
    inputs: [{ path: folder, perPart: true }, { path: path.join(files.dir, 'sum.sh') }]
  })
  const { author, peer } = await share(files)
  const volunteers = ['a', 'b', 'c'].map(name => volunteer(files, name, link, peer, ['--exit']))
  for (const { code, stderr } of await Promise.all(volunteers.map(async each => each.ended))) t.equal(code, 0, stderr)
  const expected = names.map(name => `frames/${name} ${hash('sha256', bytesFor(name, 64 * KIB))} ${name}\n`).join('')
  const computed = volunteers.map(computedBy)
  t.deepEqual(new Set(computed.flat()).size, 9, 'every piece was computed by a volunteer')
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    t.equal(readFileSync(path.join(files.dir, name, 'sums'), 'utf8'), expected, 'every piece is right')
    const held = heldIn(path.join(files.dir, `${name}.cache`, 'inputs'))
    t.comment(`${name} computed ${computed[i]!.length} of 9, and holds ${Math.round(held / 64 / KIB)} slices`)
  }
  t.equal(heldIn(path.join(files.dir, '.cache/bitworker/inputs')), 0, 'nothing is copied at the author')
  t.deepEqual(author.events.filter(({ event }) => event === 'computing'), [], 'who computes nothing')
})

test('the author may go when one has it all; a restart fetches nothing twice', async t => {
  const files = await workspace(t)
  const from = path.join(files.dir, 'data')
  writeFileSync(from, bytesFor('data', 3000 * KIB))
  const sum = hash('sha256', bytesFor('data', 3000 * KIB))
  const { link, inputs } = await make(files, {
    name: 'sums', command: 'sha256sum data; echo $PIECE_IDX', parts: 4, inputs: [{ path: from }]
  })
  const { author, peer } = await share(files)
  const slow = volunteer(files, 'a', link, peer, ['--download-limit', '300K'])
  await slow.event('input', ({ have }) => Number(have) > 500 * KIB)
  const had = Number(slow.events.findLast(({ event }) => event === 'input')?.['have'])
  slow.kill('SIGKILL')
  await slow.ended
  const again = volunteer(files, 'a', link, peer)
  const first = await again.event('input', ({ have }) => Number(have) > 0)
  t.ok(Number(first['have']) >= had, `what was here is here again: ${String(first['have'])} of ${had}`)
  await again.event('done')
  author.kill('SIGINT')
  await author.ended
  const port = String(again.events.find(({ event }) => event === 'listening')?.['port'])
  writeFileSync(from, 'changed')
  const other = volunteer(files, 'b', link, `127.0.0.1:${port}`, ['--exit'])
  t.equal((await other.ended).code, 0)
  const expected = [0, 1, 2, 3].map(piece => `${sum}  data\n${piece}\n`).join('')
  for (const name of ['a', 'b']) t.equal(readFileSync(path.join(files.dir, name, 'sums'), 'utf8'), expected)
  t.equal(statSync(path.join(files.dir, 'a.cache/inputs', inputs[0]!, 'data')).mode & 0o777, 0o555, 'read-only')
})

test('a changed original is not shared, and pieces wait', async t => {
  const files = await workspace(t)
  const from = path.join(files.dir, 'data')
  writeFileSync(from, bytesFor('data', 100 * KIB))
  const { link } = await make(files, { name: 'x', command: 'wc -c data', parts: 1, inputs: [{ path: from }] })
  writeFileSync(from, bytesFor('other', 100 * KIB))
  const { author, peer } = await share(files)
  await author.output(/data has changed since the task was made/)
  const waits = volunteer(files, 'a', link, peer)
  await waits.event('input', ({ state }) => state === 'fetching')
  writeFileSync(from, bytesFor('data', 100 * KIB))
  t.deepEqual(waits.events.filter(({ event }) => ['failed', 'computing'].includes(event)), [], 'it has not failed')
})

test('lines of a list; too much input; inputs are shown before anything is fetched', async t => {
  const files = await workspace(t)
  const lines = new TextEncoder().encode(Array.from({ length: 20_000 }, (_, i) => `line number ${i}\n`).join(''))
  const { link } = await make(files, {
    name: 'x', command: 'echo "$ENTRY" "$(cat)"', inputs: [{ lines, name: 'words', chunk: 1 }], pieceLength: 1000
  })
  const { peer } = await share(files)
  const few = volunteer(files, 'a', link, peer)
  await few.event('computed', () => computedBy(few).length >= 5)
  few.kill('SIGINT')
  await few.ended
  t.ok(heldIn(path.join(files.dir, 'a.cache')) < 200 * KIB, `${heldIn(path.join(files.dir, 'a.cache'))} bytes of the list`)
  const data = path.join(files.dir, 'data')
  writeFileSync(data, bytesFor('data', 100 * KIB))
  await make(files, { name: 'y', command: 'wc -c data', parts: 1, inputs: [{ path: data }] })
  const large = files.start(['run', 'task.bitworker', '-o', 'b', '--yes', '--json', '--max-input', '50K', ...OFFLINE])
  await large.output(/inputs have 100 KiB, more than 50 KiB/)
  const { stdout } = await files.run(['info', 'task.bitworker'])
  t.match(stdout, /data, 100 KiB, torrent [0-9a-f]{40}/, 'shown before the question')
})

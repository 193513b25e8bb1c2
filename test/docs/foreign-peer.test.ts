// A peer in another language, which was written from docs/task-file.md and docs/ut_bitworker.md alone, and a real
// bitworker.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import type { Test } from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent, Running, Workspace } from '../helpers/cli.ts'

const SCRIPT = fileURLToPath(new URL('../fixtures/foreign-peer.py', import.meta.url))
/** 12 pieces of three blocks each. */
const COMMAND = 'head -c 40000 /dev/zero | tr "\\0" "$(printf "\\\\$(printf %o $((65 + PIECE_IDX)))")"'
const EXPECTED = Buffer.concat(Array.from({ length: 12 }, (_, i) => Buffer.alloc(40_000, 65 + i)))

interface Foreign { events: JsonEvent[], event (name: string): Promise<JsonEvent>, ended: Promise<number | null> }

/** Starts the foreign peer; killed when the test ends. */
function foreign (t: Test, args: string[]): Foreign {
  const child = spawn('python3', [SCRIPT, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const events: JsonEvent[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', line => { events.push(JSON.parse(line) as JsonEvent) })
  const find = (name: string): JsonEvent | undefined => events.find(({ event }) => event === name)
  const event = async (name: string): Promise<JsonEvent> => {
    while (find(name) === undefined) {
      const isOver = await Promise.race([once(lines, 'line').then(() => false), ended.then(() => true)])
      if (isOver && find(name) === undefined) throw new Error(`it ended before ${name}: ${JSON.stringify(events)}`)
    }
    return find(name)!
  }
  return { events, event, ended }
}

async function create (files: Workspace): Promise<{ infoHash: string, file: string }> {
  const { code, events, stderr } = await files.run([
    'create',
    '--json',
    '--name',
    'letters',
    '--command',
    COMMAND,
    '--parts',
    '12',
    '--piece-length',
    '48K',
    '-o',
    'letters.bitworker'
  ])
  if (code !== 0) throw new Error(stderr)
  return { infoHash: String(events[0]?.['infoHash']), file: path.join(files.dir, 'letters.bitworker') }
}

async function addressOf (peer: Running): Promise<string> {
  return `127.0.0.1:${String((await peer.event('listening'))['port'])}`
}

const count = (events: JsonEvent[], name: string): number => events.filter(({ event }) => event === name).length

test('it fetches metadata and all pieces of a task that it knows by its info-hash', async t => {
  const files = await workspace(t)
  const { infoHash } = await create(files)
  const peer = files.start(['run', 'letters.bitworker', '-o', 'out', '--yes', '--json', ...OFFLINE])
  await peer.event('done')
  const other = foreign(t, [
    '--info-hash',
    infoHash,
    '--connect',
    await addressOf(peer),
    '--out',
    path.join(files.dir, 'py')
  ])
  t.equal(await other.ended, 0, JSON.stringify(other.events.at(-1)))
  t.deepEqual(
    [count(other.events, 'metadata'), count(other.events, 'downloaded'), count(other.events, 'violation')], [1, 12, 0]
  )
  const parts = await Promise.all(
    Array.from({ length: 12 }, (_, i) => readFile(path.join(files.dir, 'py', String(i).padStart(6, '0'))))
  )
  t.ok(Buffer.concat(parts).equals(EXPECTED))
  t.equal(count(peer.events, 'strike'), 0)
})

test('it computes all pieces, and bitworker, which called it, downloads them', async t => {
  const files = await workspace(t)
  const { file } = await create(files)
  const other = foreign(t, ['--task', file, '--listen', '--compute', '12', '--out', path.join(files.dir, 'py')])
  const { port } = await other.event('listening')
  const peer = await files.run([
    'run',
    'letters.bitworker',
    '-o',
    'out',
    '--no-compute',
    '--exit',
    '--json',
    '--peer',
    `127.0.0.1:${String(port)}`,
    ...OFFLINE
  ])
  t.equal(peer.code, 0, peer.stderr)
  t.ok((await readFile(path.join(files.dir, 'out/letters'))).equals(EXPECTED))
  t.deepEqual([count(peer.events, 'downloaded'), count(peer.events, 'strike')], [12, 0])
  t.equal(count(other.events, 'violation'), 0)
})

test('both compute: each piece is computed and had by both', async t => {
  const files = await workspace(t)
  const { file } = await create(files)
  const peer = files.start(['run', 'letters.bitworker', '-o', 'out', '-j', '1', '--yes', '--json', ...OFFLINE])
  const other = foreign(t, [
    '--task',
    file,
    '--connect',
    await addressOf(peer),
    '--compute',
    '12',
    '--out',
    path.join(files.dir, 'py')
  ])
  t.equal(await other.ended, 0, JSON.stringify(other.events.at(-1)))
  await peer.event('done')
  t.ok((await readFile(path.join(files.dir, 'out/letters'))).equals(EXPECTED))
  t.equal(count(other.events, 'computed') + count(other.events, 'downloaded'), 12)
  t.ok(count(other.events, 'claimed') > 0, 'it hears claims')
  t.deepEqual([count(other.events, 'violation'), count(peer.events, 'strike')], [0, 0])
})

// Tasks that need what this version does not know: nobody computes them, whoever wants them may download and pass them
// on.
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { encode } from '../../lib/base/bencode.ts'
import type { Encodable } from '../../lib/base/bencode.ts'
import { nothingComes } from '../../lib/cli/run/waiting.ts'
import BitWorker, { encodeTask, magnetOf, parseTask } from '../../lib/index.ts'
import type { BitWorkerError, ComputeTorrent, Task, TaskTorrentOptions } from '../../lib/index.ts'
import { workItemEnv } from '../../lib/task/task.ts'
import type { TorrentId } from '../../lib/webtorrent/types.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'
import { destroyClient } from '../helpers/swarm.ts'
import { createPeer, noteEnd, ready } from '../helpers/task-swarm.ts'
import type { Peer } from '../helpers/task-swarm.ts'

type Dict = Record<string, Encodable | undefined>

function file (bitworker: Dict, changes: Dict = {}): Uint8Array {
  return encode({
    info: {
      bitworker: { command: 'echo $PIECE_IDX', version: 1, ...bitworker },
      length: 32,
      name: 'x',
      'piece length': 8,
      ...changes
    }
  })
}

const NEEDS_INPUTS = parseTask(file({ inputs: ['a'] }))

test('unsupported features of a task', t => {
  const cases: Array<[what: string, bitworker: Dict, unsupported: string[] | undefined]> = [
    ['nothing', {}, undefined],
    ['every key that there is', { 'complete command': 'cat', 'complete timeout': 1, memory: 2 ** 20, requires: [], scratch: 2 ** 20, timeout: 1 }, undefined],
    ['a key', { inputs: ['a'] }, ['the key "inputs"']],
    ['a key without a value to speak of', { inputs: '' }, ['the key "inputs"']],
    ['a known key in another case', { Timeout: 1 }, ['the key "Timeout"']],
    ['a known key misspelt', { 'complete-command': 'cat' }, ['the key "complete-command"']],
    ['a key that is no name', { '': 1 }, ['the key ""']],
    ['a key that plays with the terminal', { '\u001b[2J\u202e': 1 }, ['the key "\\u{1b}[2J\\u{202e}"']],
    ['two keys', { a: 1, z: 1 }, ['the key "a"', 'the key "z"']],
    ['many keys', { a: 1, b: 1, d: 1, e: 1, f: 1, g: 1, h: 1 }, ['the key "a"', 'the key "b"', 'the key "d"', 'the key "e"', 'the key "f"', '2 more']],
    ['a feature', { requires: ['gpu'] }, ['the feature "gpu"']],
    ['a feature that is no text', { requires: [1] }, ['a feature without a name']],
    ['features that are no list', { requires: 'gpu' }, ['a list of features that is not a list']],
    ['version 2 without any of its keys', { version: 2 }, undefined],
    ['a key in version 2', { version: 2, env: 1 }, ['the key "env"']],
    ['a key of an input', { version: 2, inputs: [{ name: 'a', data: 'x', mode: 1 }] }, ['the key "mode" of an input']],
    ['version 3', { version: 3 }, ['version 3 of the format']],
    ['a far later version', { version: 2 ** 40 }, ['version 1099511627776 of the format']],
    ['version 3, whose keys may mean anything', { version: 3, command: undefined, timeout: 'soon', memory: [], inputs: 1 }, ['version 3 of the format']],
    ['version 3 with another kind of command', { version: 3, command: ['echo', 'x'] }, ['version 3 of the format']]
  ]
  for (const [what, bitworker, unsupported] of cases) {
    t.deepEqual(parseTask(file(bitworker)).unsupported, unsupported, what)
  }
  t.end()
})

test('keys outside of `bitworker` say nothing about the output', t => {
  const task = parseTask(file({}, { attr: 'x', private: 1, source: 's', zzz: {} }))
  t.equal(task.unsupported, undefined)
  t.equal(
    parseTask(
      encode({
        bitworker: { requires: ['x'] },
        info: { bitworker: { command: 'true', version: 1 }, length: 8, name: 'x', 'piece length': 8 },
        requires: ['x']
      })
    ).unsupported,
    undefined
  )
  t.end()
})

test('the rules of version 1 hold for its keys', t => {
  for (const [bitworker, code] of [
    [{ inputs: 1, command: undefined }, 'BW_ERR_TASK_NO_COMMAND'],
    [{ requires: ['x'], timeout: 0 }, 'BW_ERR_TASK_TIMEOUT'],
    [{ inputs: 1, version: 0 }, 'BW_ERR_TASK_VERSION']
  ] as const) {
    try {
      parseTask(file(bitworker))
      t.fail(code)
    } catch (error) {
      t.equal((error as BitWorkerError).code, code)
    }
  }
  t.end()
})

interface Added { client: BitWorker, torrent: ComputeTorrent, path: string, codes: unknown[] }

/** Adds it; a warning is what is looked for. */
async function add (t: Test, id: TorrentId | Task, opts: TaskTorrentOptions = {}): Promise<Added> {
  const client = new BitWorker({
    dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false, utp: false, secure: 0
  })
  t.teardown(() => destroyClient(client))
  const folder = opts.path ?? createFolder(t)
  const torrent = client.add(id, { ...opts, path: folder })
  const codes: unknown[] = []
  torrent.on('warning', err => { codes.push((err as BitWorkerError).code) })
  return { client, torrent, path: folder, codes }
}

/** A peer of a version that knows all that the task needs. */
async function laterVersion (t: Test, task: Task): Promise<Peer> {
  const { unsupported: _, ...known } = task
  const executor = new FakeExecutor(({ env }) => ({ stdout: `${env['PIECE_IDX']}\n` }))
  const peer = await createPeer(t, known, { compute: { executor } })
  if (!peer.torrent.done) await once(peer.torrent, 'done')
  return peer
}

test('it is not computed', async t => {
  const executor = new FakeExecutor(() => { throw new Error('it was run') })
  for (const task of [NEEDS_INPUTS, parseTask(file({ requires: ['gpu'] })), parseTask(file({ version: 3 }))]) {
    const { torrent, codes } = await add(t, task)
    if (!torrent.ready) await once(torrent, 'ready')
    let code: unknown
    try { torrent.startComputing({ executor }) } catch (error) { code = (error as BitWorkerError).code }
    t.equal(code, 'BW_ERR_TASK_REQUIRES', 'startComputing')
    t.deepEqual(codes, [])
    const asked = await add(t, task, { compute: { executor } })
    await once(asked.torrent, 'warning')
    t.deepEqual([asked.codes, asked.torrent.computing], [['BW_ERR_TASK_REQUIRES'], 'off'], 'the option')
  }
  t.throws(
    () => workItemEnv(NEEDS_INPUTS, 0),
    /does not support what the task needs \(the key "inputs"\)/,
    'nor can anybody else tell a command which piece it is'
  )
  t.equal(executor.items.length, 0)
})

test('it can be downloaded and passed on; a later version makes its files', async t => {
  noteEnd(t)
  const seeder = await laterVersion(t, NEEDS_INPUTS)
  const from = (peer: { client: BitWorker }): string =>
    `${magnetOf(NEEDS_INPUTS)}&x.pe=127.0.0.1:${peer.client.torrentPort}`
  const first = await add(t, from(seeder), { compute: true })
  await once(first.torrent, 'done')
  t.deepEqual(first.codes, ['BW_ERR_TASK_REQUIRES'], 'a link says so, too')
  await destroyClient(seeder.client)
  const second = await add(t, from(first))
  await once(second.torrent, 'done')
  t.deepEqual(second.torrent.stats().downloaded, 4, 'from a peer that does not know it either')
  t.notOk(existsSync(path.join(second.path, 'x')), 'no file')
  const reading = await second.torrent.files[0]!.arrayBuffer().then(() => 'read', (error: BitWorkerError) => error.code)
  t.equal(reading, 'BW_ERR_TASK_REQUIRES', 'nor can it be read as if it were its parts')

  await destroyClient(second.client)
  const { unsupported: _, ...known } = NEEDS_INPUTS
  const updated = await createPeer(t, known, { path: second.path })
  await ready(updated)
  if (!updated.torrent.done) await once(updated.torrent, 'done')
  t.equal(
    await readFile(path.join(second.path, 'x'), 'utf8'),
    '0\n1\n2\n3\n',
    'the next version makes it of what is there'
  )
  t.deepEqual(updated.downloaded, [], 'without a peer')
})

test('run ends when no piece arrives and no peer computes', async t => {
  noteEnd(t)
  const alone = await add(t, NEEDS_INPUTS)
  if (!alone.torrent.ready) await once(alone.torrent, 'ready')
  await nothingComes(alone.torrent, 1)
  t.pass('alone')
  const { client } = await laterVersion(t, NEEDS_INPUTS)
  const other = await add(t, NEEDS_INPUTS)
  if (!other.torrent.ready) await once(other.torrent, 'ready')
  other.torrent.addPeer(`127.0.0.1:${client.torrentPort}`)
  await once(other.torrent, 'done')
  void nothingComes(other.torrent, 1).then(() => { t.fail('what is complete is no reason to end') })
  await destroyClient(other.client)
})

test('the command line says so, asks nothing and runs nothing', async t => {
  const files = await workspace(t)
  await writeFile(
    path.join(files.dir, 'x.bitworker'), file({ command: `touch '${files.dir}/ran'; echo x`, requires: ['gpu'] })
  )
  const info = await files.run(['info', 'x.bitworker'])
  t.match(info.stdout, /unknown +the feature "gpu": not computed by this version; update BitWorker/)
  const json = await files.run(['info', 'x.bitworker', '--json'])
  t.deepEqual(json.events[0]?.['unsupported'], ['the feature "gpu"'])

  const { code, events, stderr } = await files.run(['run', 'x.bitworker', '--exit', '--json', ...OFFLINE])
  t.equal(code, 2, stderr)
  t.match(
    stderr,
    /^bitworker: No peer has the missing pieces.*This version of BitWorker does not support what the task needs \(the feature "gpu"\).*Update BitWorker\.$/m
  )
  t.deepEqual(
    events.filter(({ event }) => ['warning', 'error'].includes(event)).map(event => event['code']),
    ['BW_ERR_TASK_REQUIRES', 'BW_ERR_TASK_REQUIRES']
  )
  t.notOk(existsSync(path.join(files.dir, 'ran')), 'nothing ran')
})

test('run downloads it, and does not pretend that the file is there', async t => {
  noteEnd(t)
  const files = await workspace(t)
  const { client } = await laterVersion(t, NEEDS_INPUTS)
  await writeFile(path.join(files.dir, 'x.bitworker'), encodeTask(NEEDS_INPUTS))
  const { code, events, stderr } = await files.run([
    'run',
    'x.bitworker',
    '-o',
    'out',
    '--yes',
    '--exit',
    '--json',
    '--peer',
    `127.0.0.1:${client.torrentPort}`,
    ...OFFLINE
  ])
  t.equal(code, 1, stderr)
  t.deepEqual(events.find(({ event }) => event === 'done')?.['files'], [])
  t.match(stderr, /All parts are stored, but this version lacks something/)
  t.equal(events.filter(({ event }) => event === 'downloaded').length, 4)
  t.notOk(existsSync(path.join(files.dir, 'out/x')))
})

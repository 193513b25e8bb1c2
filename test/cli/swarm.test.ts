import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--name', 'squares', '--parts', '8', '--command', 'echo $((PIECE_IDX*PIECE_IDX))', '--json']
const EIGHT_SQUARES = '0\n1\n4\n9\n16\n25\n36\n49\n'
const QUIET = ['--no-lsd', '--no-nat', '--no-utp']

test('info of a magnet link asks a peer', async t => {
  const files = await workspace(t)
  const { infoHash, magnet } = (await files.run(CREATE)).events[0]!
  const seed = files.start(['run', 'squares.bitworker', '-o', 'seed', '--yes', '--json', ...OFFLINE])
  const peer = `127.0.0.1:${String((await seed.event('listening'))['port'])}`
  for (const id of [String(magnet), String(infoHash)]) {
    const { code, events, stderr } = await files.run(['info', id, '--json', '--peer', peer, ...OFFLINE])
    t.equal(code, 0, stderr)
    t.equal(events[0]?.['command'], 'echo $((PIECE_IDX*PIECE_IDX))')
  }
})

test('a magnet link of a task runs nothing without an answer', async t => {
  const files = await workspace(t)
  const { magnet } = (await files.run(CREATE)).events[0]!
  const seed = files.start(['run', 'squares.bitworker', '-o', 'seed', '--no-compute', '--json', ...OFFLINE])
  const peer = `127.0.0.1:${String((await seed.event('listening'))['port'])}`
  const { code, events, stderr } = await files.run([
    'run', String(magnet), '-o', 'out', '--exit', '--json', '--peer', peer, ...OFFLINE
  ])
  t.equal(code, 2, stderr)
  t.deepEqual(
    events.filter(({ event }) => ['error', 'computing', 'computed'].includes(event)).map(event => event['code']),
    ['BW_ERR_CONSENT']
  )
  t.match(stderr, /│ echo/, 'but shows what it would have run')
})

test('info gives up on a magnet link that no peer has', async t => {
  const { run } = await workspace(t)
  const { code, events, stderr } = await run(['info', 'a'.repeat(40), '--timeout', '1', '--json', ...OFFLINE])
  t.deepEqual([code, events.map(event => event['code'])], [1, ['BW_ERR_NO_METADATA']], stderr)
})

test('two peers that only know the tracker', async t => {
  const files = await workspace(t)
  const { magnet } = (await files.run(CREATE)).events[0]!
  const tracker = files.start(['tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0', '--json'])
  const [http] = (await tracker.event('listening'))['announce'] as string[]
  const one = files.start([
    'run', 'squares.bitworker', '-o', 'one', '--yes', '--json', '--announce', http!, '--no-dht', ...QUIET
  ])
  await one.event('done')
  const two = await files.run([
    'run', String(magnet), '-o', 'two', '--no-compute', '--exit', '--json', '--announce', http!, '--no-dht', ...QUIET
  ])
  t.equal(two.code, 0, two.stderr)
  t.equal(await readFile(path.join(files.dir, 'two/squares'), 'utf8'), EIGHT_SQUARES)
})

test('two peers that only know a DHT node', async t => {
  const files = await workspace(t)
  const { magnet } = (await files.run(CREATE)).events[0]!
  const tracker = files.start(['tracker', '--host', '127.0.0.1', '--port', '0', '--dht-port', '0', '--json'])
  const node = `127.0.0.1:${String((await tracker.event('listening'))['dhtPort'])}`
  const flags = ['--exit', '--json', '--dht-bootstrap', node, '--no-tracker', ...QUIET]
  const one = files.start([
    'run', 'squares.bitworker', '-o', 'one', '--yes', ...flags.filter(flag => flag !== '--exit')
  ])
  await one.event('done')
  const two = await files.run(['run', String(magnet), '-o', 'two', '--no-compute', ...flags])
  t.equal(two.code, 0, two.stderr)
  t.equal(await readFile(path.join(files.dir, 'two/squares'), 'utf8'), EIGHT_SQUARES)
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent } from '../helpers/cli.ts'
import { EIGHT_SQUARES, SQUARES, create, piecesOf, portOf } from '../helpers/runs.ts'

test('run computes a task and leaves', async t => {
  const files = await workspace(t)
  const { infoHash } = await create(files, [...SQUARES, '--parts', '8'])
  const { code, events, stderr } = await files.run([
    'run', 'squares.bitworker', '-o', 'out', '-j', '2', '--yes', '--exit', '--json', ...OFFLINE
  ])
  t.equal(code, 0, stderr)
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), EIGHT_SQUARES)

  const names = events.map(({ event }) => event)
  t.ok(names.includes('listening'))
  t.equal(events.find(({ event }) => event === 'task')?.['infoHash'], infoHash)
  const computed = events.filter(({ event }) => event === 'computed')
  t.deepEqual(piecesOf('computed', events), [0, 1, 2, 3, 4, 5, 6, 7])
  for (const { size, sha256, ms } of computed) {
    t.ok(Number(size) > 0 && /^[0-9a-f]{64}$/.test(String(sha256)) && Number(ms) >= 0, 'says what it computed')
  }
  t.deepEqual(events.find(({ event }) => event === 'done')?.['files'], [
    { path: path.join(files.dir, 'out/squares'), length: EIGHT_SQUARES.length }
  ])
  t.deepEqual(events.at(-1), { event: 'stopped', exitCode: 0 })

  const pieces = async (): Promise<Array<Record<string, unknown>>> =>
    (JSON.parse(await readFile(path.join(files.dir, 'out/squares.results.json'), 'utf8')) as { pieces: JsonEvent[] }).pieces
  const results = await pieces()
  t.same(results.map(({ piece, sha256, accepted }) => [piece, sha256, accepted]), computed
    .sort((a, b) => Number(a['piece']) - Number(b['piece'])).map(({ piece, sha256 }) => [piece, sha256, 'own']),
  'and which results the file is made of')

  t.match(stderr, /│ echo \$\(\(PIECE_IDX\*PIECE_IDX\)\)/, 'people see the command')
  t.match(stderr, /out\/squares/, 'and where the file goes')
  t.match(stderr, /in a sandbox \(bwrap\)|UNSANDBOXED/, 'and a warning')

  const again = await files.run(['run', 'squares.bitworker', '-o', 'out', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(again.code, 0)
  t.notOk(again.events.some(({ event }) => event === 'computed'), 'a second run computes nothing')
  t.same(await pieces(), results, 'and knows no more about the results')
  t.deepEqual(again.events.find(({ event }) => event === 'done')?.['files'], [
    { path: path.join(files.dir, 'out/squares'), length: EIGHT_SQUARES.length }
  ])
})

test('run does not run a command without consent', async t => {
  const files = await workspace(t)
  await create(files, ['--name', 'x', '--parts', '2', '--command', `touch '${files.dir}/ran'`])
  const { code, events, stderr } = await files.run(['run', 'x.bitworker', '--exit', '--json', ...OFFLINE])
  t.deepEqual([code, events.map(event => event['code'])], [2, ['BW_ERR_CONSENT']])
  t.match(stderr, /--yes.*--no-compute/)
  t.notOk(existsSync(path.join(files.dir, 'ran')), 'nothing ran')
})

test('two peers; one computes, the other only has the magnet link and computes nothing', async t => {
  const files = await workspace(t)
  const { magnet } = await create(files, [...SQUARES, '--parts', '8'])
  const one = files.start(['run', 'squares.bitworker', '-o', 'one', '--yes', '--json', ...OFFLINE])
  const peer = await portOf(one)
  const two = await files.run([
    'run', String(magnet), '-o', 'two', '--no-compute', '--exit', '--json', '--peer', peer, ...OFFLINE
  ])
  t.equal(two.code, 0, two.stderr)
  t.equal(await readFile(path.join(files.dir, 'two/squares'), 'utf8'), EIGHT_SQUARES)
  t.equal(two.events.filter(({ event }) => event === 'downloaded').length, 8)
  t.notOk(two.events.some(({ event }) => event === 'computing'))
  t.ok(two.events.some(({ event, peers }) => event === 'peers' && peers === 1), 'says how many peers there are')
  await one.event('done')
  for (const stderr of [one.stderr(), two.stderr]) t.notOk(stderr.includes('(node:'), 'no warnings of Node.js')

  one.kill('SIGINT')
  const { code, events } = await one.ended
  t.equal(code, 130, 'seeds until it is interrupted')
  t.deepEqual(events.at(-1), { event: 'stopped', exitCode: 130 })
})

test('an interrupted run takes its commands with it and continues later', async t => {
  const files = await workspace(t)
  const command = 'if test -e switch/go -o $PIECE_IDX = 0; then echo $PIECE_IDX; else sleep 600; fi'
  await create(files, ['--name', 'slow', '--parts', '3', '--command', command])
  await mkdir(path.join(files.dir, 'switch'))
  const args = ['run', 'slow.bitworker', '-j', '3', '--bind', 'switch', '--yes', '--exit', '--json', ...OFFLINE]
  const first = files.start(args)
  await Promise.all([
    first.event('computed', ({ piece }) => piece === 0),
    first.event('computing', ({ piece }) => piece === 1),
    first.event('computing', ({ piece }) => piece === 2)
  ])
  first.kill('SIGTERM')
  t.equal((await first.ended).code, 130, 'ends, and waits for none of its commands')
  await writeFile(path.join(files.dir, 'switch/go'), '')
  const again = await files.run(args)
  t.equal(again.code, 0, again.stderr)
  t.deepEqual(piecesOf('computed', again.events), [1, 2], 'what was stored is not computed again')
  t.equal(await readFile(path.join(files.dir, 'slow'), 'utf8'), '0\n1\n2\n')
})

test('a second Ctrl-C ends it at once', async t => {
  const files = await workspace(t)
  await create(files, ['--name', 'slow', '--parts', '1', '--command', 'sleep 600'])
  const run = files.start(['run', 'slow.bitworker', '--yes', '--json', ...OFFLINE])
  await run.event('computing')
  run.kill('SIGINT')
  run.kill('SIGINT')
  t.equal((await run.ended).code, 130)
})

test('without a sandbox it ends, and says why', async t => {
  const files = await workspace(t)
  await create(files, [...SQUARES, '--parts', '8'])
  const { code, events, stderr } = await files.run(
    ['run', 'squares.bitworker', '--yes', '--exit', '--json', ...OFFLINE],
    { env: { TMPDIR: path.join(files.dir, 'nowhere') } }
  )
  t.deepEqual([code, events.find(({ event }) => event === 'error')?.['code']], [1, 'BW_ERR_NO_SANDBOX'])
  t.match(stderr, /^bitworker: No peer has the missing pieces or computes them\..*nowhere/m, 'what is missing')
})

test('a reader of --json that leaves stops the work', async t => {
  const files = await workspace(t)
  await create(files, ['--name', 'slow', '--command', 'echo; sleep 0.1', '--parts', '600'])
  const main = new URL('../../lib/cli/main.ts', import.meta.url).pathname
  const command = `'${process.execPath}' '${main}' run slow.bitworker -o out --yes --json ${OFFLINE.join(' ')}`
  const child = spawn('bash', ['-c', `${command} 2> /dev/null | head -1 > /dev/null; echo "\${PIPESTATUS[0]}"`], {
    cwd: files.dir
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output += text })
  await once(child, 'close')
  t.equal(output, '130\n')
})

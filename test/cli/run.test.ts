import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import fixtures from 'webtorrent-fixtures'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { JsonEvent, Running, Workspace } from '../helpers/cli.ts'

const SQUARES = ['--name', 'squares', '--command', 'echo $((PIECE_IDX*PIECE_IDX))']
const EIGHT_SQUARES = '0\n1\n4\n9\n16\n25\n36\n49\n'

async function create (files: Workspace, args: string[]): Promise<JsonEvent> {
  const { code, events, stderr } = await files.run(['create', '--json', '--piece-length', '64K', ...args])
  if (code !== 0) throw new Error(stderr)
  return events[0]!
}

function piecesOf (name: string, events: JsonEvent[]): number[] {
  return events.filter(({ event }) => event === name).map(({ piece }) => Number(piece)).sort((a, b) => a - b)
}

async function portOf (peer: Running): Promise<string> {
  return `127.0.0.1:${String((await peer.event('listening'))['port'])}`
}

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

test('a piece that always fails', async t => {
  const files = await workspace(t)
  await create(files, [
    '--name',
    'broken',
    '--parts',
    '3',
    '--command',
    'if [ $PIECE_IDX = 1 ]; then echo "no luck \u001b[31m" >&2; exit 7; fi; echo $PIECE_IDX'
  ])
  const { code, events, stderr } = await files.run(['run', 'broken.bitworker', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(code, 1)
  const last = events.findLast(({ event }) => event === 'failed')
  t.deepEqual(
    [last?.['piece'], last?.['code'], last?.['exitCode'], last?.['final']], [1, 'BW_ERR_COMMAND_EXIT', 7, true]
  )
  t.match(String(last?.['stderr']), /no luck/)
  t.deepEqual(events.find(({ event }) => event === 'stuck')?.['pieces'], [1])
  t.match(stderr, /Piece 1 failed permanently on this machine\. .*7/)
  t.equal(stderr.match(/7: no luck/g)?.length, 2, 'once, and once in the list at the end')
  t.match(stderr, /1 piece failed here:\n {2}piece 1: .*7: no luck/)
  t.deepEqual(piecesOf('computed', events), [0, 2], 'stops nothing else')
})

test('a command that cannot work ends early, with the likely cause', async t => {
  const files = await workspace(t)
  await create(files, ['--name', 'nowhere', '--parts', '300', '--command', 'nosuchprogram $PIECE_IDX'])
  const { code, events, stderr } = await files.run([
    'run', 'nowhere.bitworker', '-j', '2', '--yes', '--exit', '--json', ...OFFLINE
  ])
  t.equal(code, 1)
  const hopeless = events.find(({ event }) => event === 'hopeless')
  t.deepEqual([hopeless?.['code'], hopeless?.['exitCode']], ['BW_ERR_HOPELESS', 127])
  t.ok(events.filter(({ event }) => event === 'computing').length <= 5, 'most pieces are not tried')
  t.match(
    stderr,
    /The first 3 pieces all failed in the same way, so no more are computed here\. .*127: .*nosuchprogram: command not found$/m
  )
  t.match(stderr, /nosuchprogram is not installed on this machine/)
  t.match(stderr, /pieces? failed here:\n {2}pieces? .*127/)
  t.deepEqual(events.at(-1), { event: 'stopped', exitCode: 1 })
})

test('a piece that failed here is waited for while a peer computes it', async t => {
  const files = await workspace(t)
  await mkdir(path.join(files.dir, 'tool'))
  await create(files, [
    ...SQUARES.slice(0, 2),
    '--parts',
    '8',
    '--command',
    'cd tool || exit; until test -e go; do sleep 0.1; done; echo $((PIECE_IDX*PIECE_IDX))'
  ])
  const has = files.start([
    'run', 'squares.bitworker', '-o', 'has', '-j', '1', '--bind', 'tool', '--yes', '--json', ...OFFLINE
  ])
  const peer = await portOf(has)
  await has.event('computing')
  const lacks = files.start([
    'run', 'squares.bitworker', '-o', 'lacks', '-j', '2', '--yes', '--exit', '--json', '--peer', peer, ...OFFLINE
  ])
  await lacks.event('hopeless')
  await writeFile(path.join(files.dir, 'tool/go'), '')
  const { code, events, stderr } = await lacks.ended
  t.equal(code, 0, stderr)
  t.equal(piecesOf('downloaded', events).length, 8)
  t.match(stderr, /The run ends when none arrives for 10 s/)
  t.match(stderr, /100 %, 0 computed here, 8 downloaded, .*, done, ✓ 0 of 8 own or trusted · 8 by one$/m)
  t.equal(await readFile(path.join(files.dir, 'lacks/squares'), 'utf8'), EIGHT_SQUARES)
})

/** Two peers of a task whose last piece waits for `release`; the first leaves when it is done, and uploads slowly. */
async function slowLeaver (t: Test): Promise<{ one: Running, two: Running, release: () => Promise<void> }> {
  const files = await workspace(t)
  await mkdir(path.join(files.dir, 'switch'))
  const command =
    'if test $PIECE_IDX = 7; then until test -e switch/go; do sleep 0.1; done; fi; head -c 50000 /dev/zero'
  await create(files, ['--name', 'large', '--parts', '8', '--piece-length', '50K', '--command', command])
  const args = ['run', 'large.bitworker', '--yes', '--json', ...OFFLINE]
  const one = files.start([...args, '-o', 'one', '-j', '2', '--bind', 'switch', '--exit', '--upload-limit', '50K'])
  const two = files.start([...args, '-o', 'two', '--no-compute', '--exit', '--peer', await portOf(one)])
  await two.event('downloaded')
  return { one, two, release: () => writeFile(path.join(files.dir, 'switch/go'), '') }
}

test('a peer that leaves when done stays until another one has the pieces that only it has', async t => {
  const { one, two, release } = await slowLeaver(t)
  await release()
  const [first, second] = await Promise.all([one.ended, two.ended])
  t.deepEqual([first.code, second.code], [0, 0], second.stderr)
  t.equal(piecesOf('downloaded', second.events).length, 8)
  t.ok(first.events.some(({ event, peers }) => event === 'leaving' && peers === 1))
  t.match(first.stderr, /Leaving when 1 peer has the last (piece|\d+ pieces)\. Press Ctrl-C to leave at once\./)
})

test('a peer that waits for others leaves at once when told to', async t => {
  const { one, release } = await slowLeaver(t)
  await release()
  await one.event('leaving')
  one.kill('SIGINT')
  t.equal((await one.ended).code, 130)
})

test('--seed-ratio leaves when so much was uploaded, --seed-time when so long was seeded', async t => {
  const files = await workspace(t)
  const { magnet } = await create(files, [
    '--name', 'large', '--parts', '4', '--piece-length', '100K', '--command', 'head -c 100000 /dev/zero'
  ])
  const one = files.start(['run', 'large.bitworker', '--yes', '--json', '-o', 'one', '--seed-ratio', '1', ...OFFLINE])
  const peer = await portOf(one)
  await one.event('done')
  t.equal(
    (
      await files.run([
        'run', String(magnet), '-o', 'two', '--no-compute', '--json', '--seed-time', '0.01', '--peer', peer, ...OFFLINE
      ])
    ).code,
    0
  )
  t.equal((await one.ended).code, 0)
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

test('a complete command: makes the file, or fails', async t => {
  const files = await workspace(t)
  await create(files, [
    '--name',
    'sum',
    '--parts',
    '3',
    '--command',
    'echo $PIECE_IDX',
    '--complete-command',
    'cat $PART_LIST | paste -sd+ | bc > "$FILE" || echo $(( $(cat $PART_LIST | paste -sd+) )) > "$FILE"'
  ])
  const good = await files.run(['run', 'sum.bitworker', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(good.code, 0, good.stderr)
  t.equal(await readFile(path.join(files.dir, 'sum'), 'utf8'), '3\n')
  t.deepEqual(good.events.find(({ event }) => event === 'done')?.['files'], [
    { path: path.join(files.dir, 'sum'), length: 2 }
  ])

  await create(files, [
    '--name',
    'bad',
    '--parts',
    '2',
    '--command',
    'echo $PIECE_IDX',
    '--complete-command',
    'echo cannot merge >&2; exit 3'
  ])
  const bad = await files.run(['run', 'bad.bitworker', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(bad.code, 1)
  t.deepEqual(
    bad.events.filter(({ event }) => event === 'failed').map(each => [each['piece'], each['exitCode']]), [[null, 3]]
  )
  t.match(bad.stderr, /complete command.*: cannot merge/)
  t.deepEqual(bad.events.filter(({ event }) => event === 'completing').map(({ file }) => file), [0])
})

test('--bind shows a file of this machine to the command', async t => {
  const files = await workspace(t)
  await writeFile(path.join(files.dir, 'words.txt'), 'one\ntwo\n')
  await create(files, ['--name', 'bound', '--parts', '2', '--command', 'sed -n "$((PIECE_IDX+1))p" input'])
  const good = await files.run(['run', 'bound.bitworker', '--yes', '--exit', '--bind', 'words.txt:input', ...OFFLINE])
  t.equal(good.code, 0, good.stderr)
  t.match(good.stderr, /Warning: What --bind shows is not part of the task/)
  t.equal(await readFile(path.join(files.dir, 'bound'), 'utf8'), 'one\ntwo\n')
  const bad = await files.run([
    'run', 'bound.bitworker', '--yes', '--exit', '--bind', 'missing.txt', '--json', ...OFFLINE
  ])
  t.deepEqual([bad.code, bad.events.map(event => event['code'])], [2, ['BW_ERR_BIND']])
})

test('a file in the way is not overwritten without --force', async t => {
  const files = await workspace(t)
  await create(files, [...SQUARES, '--parts', '8'])
  await mkdir(path.join(files.dir, 'out'))
  await writeFile(path.join(files.dir, 'out/squares'), 'precious')
  const args = ['run', 'squares.bitworker', '-o', 'out', '--yes', '--exit', '--json', ...OFFLINE]
  const refused = await files.run(args)
  t.equal(refused.code, 2, refused.stderr)
  t.match(refused.stderr, /^bitworker: .*--force/m)
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), 'precious')
  t.equal((await files.run([...args, '--force'])).code, 0)
  t.equal(await readFile(path.join(files.dir, 'out/squares'), 'utf8'), EIGHT_SQUARES)
})

test('a run that cannot work ends with one line and exit code 2', async t => {
  const files = await workspace(t)
  await create(files, [...SQUARES, '--parts', '8'])
  await writeFile(path.join(files.dir, 'file'), '')
  const seed = files.start(['run', 'squares.bitworker', '-o', 'seed', '--yes', '--json', ...OFFLINE])
  const port = String((await seed.event('listening'))['port'])
  const cases: Array<[code: string, flags: string[]]> = [
    ['BW_ERR_PORT_IN_USE', ['--port', port]],
    ['BW_ERR_OUTPUT_FOLDER', ['-o', 'file']],
    ['BW_ERR_USAGE', ['--dht-bootstrap', '127.0.0.1:1']]
  ]
  for (const [expected, flags] of cases) {
    const { code, events, stderr } = await files.run([
      'run', 'squares.bitworker', '--yes', '--exit', '--json', ...OFFLINE, ...flags
    ])
    t.deepEqual([code, events.find(({ event }) => event === 'error')?.['code']], [2, expected], stderr)
  }
})

test('a file in the way of an ordinary torrent is not overwritten either', async t => {
  const files = await workspace(t)
  await mkdir(path.join(files.dir, 'out'))
  const file = path.join(files.dir, 'out', fixtures.leaves.parsedTorrent.name)
  await writeFile(file, 'precious')
  await writeFile(path.join(files.dir, 'leaves.torrent'), fixtures.leaves.torrent)
  const refused = await files.run(['run', 'leaves.torrent', '-o', 'out', ...OFFLINE])
  t.equal(refused.code, 2, refused.stderr)
  t.match(refused.stderr, /^bitworker: .*--force/m)
  t.equal(await readFile(file, 'utf8'), 'precious')
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

// Files of a run: those that it makes, those that it shows to commands, and those in its way.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import fixtures from 'webtorrent-fixtures'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { EIGHT_SQUARES, SQUARES, create } from '../helpers/runs.ts'

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

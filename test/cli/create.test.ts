import { execFileSync } from 'node:child_process'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { parseTask } from '../../lib/task/task.ts'
import { workspace } from '../helpers/cli.ts'

const SQUARES = ['create', '--name', 'squares', '--parts', '4', '--command', 'echo $((PIECE_IDX*PIECE_IDX))']

test('create writes a task file', async t => {
  const { dir, run } = await workspace(t)
  const before = Date.now()
  const { code, stdout, stderr } = await run(SQUARES)
  t.deepEqual([code, stderr], [0, ''])
  const task = parseTask(await readFile(path.join(dir, 'squares.bitworker')))
  t.equal(task.name, 'squares')
  t.equal(task.command, 'echo $((PIECE_IDX*PIECE_IDX))')
  t.deepEqual([task.pieceCount, task.pieceLength], [4, 1024 ** 2])
  t.match(task.createdBy ?? '', /^BitWorker\/\d/)
  t.ok(Number(task.created) >= before - 1000 && Number(task.created) <= Date.now(), 'made now')
  t.ok(stdout.includes(task.infoHash), 'prints the info-hash')
  t.ok(stdout.includes(`magnet:?xt=urn:btih:${task.infoHash}`), 'prints the magnet link')
})

test('create with everything', async t => {
  const { dir, run } = await workspace(t)
  const { code, events, stderr } = await run([
    'create',
    '--name',
    'frames',
    '--command',
    'true',
    '--file',
    'a.txt:2',
    '--file',
    'sub/b.txt:3',
    '--piece-length',
    '64KiB',
    '--complete-command',
    'cat $PART_LIST > "$FILE"',
    '--timeout',
    '90',
    '--complete-timeout',
    '600',
    '--memory',
    '4G',
    '--scratch',
    '64M',
    '--announce',
    'http://127.0.0.1:1/announce',
    '--announce',
    'udp://127.0.0.1:1',
    '--comment',
    'a test',
    '-o',
    'other.bitworker',
    '--json'
  ])
  t.equal(code, 0, stderr)
  const task = parseTask(await readFile(path.join(dir, 'other.bitworker')))
  t.deepEqual(task.files.map(file => [file.path, file.parts]), [['frames/a.txt', 2], ['frames/sub/b.txt', 3]])
  t.deepEqual([task.pieceLength, task.timeoutMs, task.comment], [65536, 90_000, 'a test'])
  t.deepEqual(task.announce, ['http://127.0.0.1:1/announce', 'udp://127.0.0.1:1'])
  t.equal(task.completeCommand, 'cat $PART_LIST > "$FILE"')
  t.equal(events.length, 1)
  const { event, file, infoHash, pieces, timeout, completeTimeout, memory, scratch, files } = events[0] ?? { event: '' }
  t.deepEqual([timeout, completeTimeout, memory, scratch], [90, 600, 2 ** 32, 2 ** 26])
  t.deepEqual(
    { event, file, infoHash, pieces, files },
    {
      event: 'created',
      file: 'other.bitworker',
      infoHash: task.infoHash,
      pieces: 5,
      files: [
        { path: 'frames/a.txt', parts: 2 }, { path: 'frames/sub/b.txt', parts: 3 }
      ]
    }
  )
})

test('create overwrites nothing without --force', async t => {
  const { dir, run } = await workspace(t)
  const target = path.join(dir, 'squares.bitworker')
  await writeFile(target, 'precious')
  const refused = await run(SQUARES)
  t.equal(refused.code, 2)
  t.match(refused.stderr, /^bitworker: squares\.bitworker already exists.*--force/)
  t.equal(await readFile(target, 'utf8'), 'precious')
  t.equal((await run([...SQUARES, '--force'])).code, 0)
  const written = await readFile(target)
  t.equal(parseTask(written).name, 'squares')
  t.equal((await run(SQUARES)).code, 0, 'the same task again is no conflict')
  t.deepEqual(await readFile(target), written, 'and is not written again')
  t.equal((await run([...SQUARES, '--comment', 'another'])).code, 2, 'one with another comment is')
})

test('create does not replace a pipe or device, and does not read from one', async t => {
  const { dir, run } = await workspace(t)
  const target = path.join(dir, 'pipe')
  execFileSync('mkfifo', [target])
  for (const flags of [[], ['--force']]) {
    const { code, stderr } = await run([...SQUARES, '-o', 'pipe', ...flags])
    t.equal(code, 2)
    t.match(stderr, /^bitworker: pipe already exists and is not a regular file\. [^\n]*\n$/)
    t.ok((await stat(target)).isFIFO())
  }
})

const WRONG: Array<[args: string[], code: string]> = [
  [['--command', 'true', '--parts', '1'], 'BW_ERR_USAGE'],
  [['--name', 'x', '--parts', '1'], 'BW_ERR_USAGE'],
  [['--name', 'x', '--command', 'true'], 'BW_ERR_USAGE'],
  [['--name', 'x', '--command', 'true', '--parts', '1', '--file', 'a:1'], 'BW_ERR_USAGE'],
  [['--name', 'x', '--command', '', '--parts', '1'], 'BW_ERR_TASK_NO_COMMAND'],
  [['--name', '../x', '--command', 'true', '--parts', '1'], 'BW_ERR_TASK_NAME'],
  [['--name', 'x', '--command', 'true', '--file', '../a:1'], 'BW_ERR_TASK_NAME'],
  [['--name', 'x', '--command', 'true', '--parts', '99999999999'], 'BW_ERR_TASK_TOO_MANY_PIECES'],
  [['--name', 'x', '--command', 'true', '--parts', '1', '--piece-length', '4T'], 'BW_ERR_TASK_PIECE_LENGTH'],
  [['--name', 'x', '--command', 'true', '--parts', '1', '-o', 'nowhere/x.bitworker'], 'BW_ERR_NOT_FOUND'],
  [['--name', 'x', '--command', 'true', '--parts', '1', '-o', 'folder'], 'BW_ERR_FILE_EXISTS'],
  [['--name', 'x', '--command', 'true', '--parts', '1', '-o', 'folder', '--force'], 'BW_ERR_NOT_A_FILE']
]

test('create refuses', async t => {
  const { dir, run } = await workspace(t)
  await mkdir(path.join(dir, 'folder'))
  for (const [args, expected] of WRONG) {
    const { code, events, stderr } = await run(['create', ...args, '--json'])
    t.deepEqual([code, events.map(event => event['code'])], [2, [expected]], args.join(' '))
    t.match(stderr, /^bitworker: [^\n]*\n$/, stderr)
  }
})

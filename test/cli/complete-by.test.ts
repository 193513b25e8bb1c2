// A complete command that only the author of the task runs.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const RUN = ['--yes', '--json', ...OFFLINE]

test('create --complete-by author', async t => {
  const { dir, run, start } = await workspace(t)
  const made = await run([
    'create', '--no-try', '--json', '--piece-length', '64', '--name', 'x', '--parts', '3', '--command', 'echo $PIECE_IDX',
    '--complete-command', 'cat $PART_LIST > "$FILE"', '--complete-by', 'author'
  ])
  t.same([made.code, made.events[0]?.['completeBy']], [0, 'author'], made.stderr)
  t.match((await run(['info', 'x.bitworker'])).stdout, /^ {2}at the end {2}│ cat .*\n {14}run by its author only; others keep the parts$/m)

  // another user of the machine: another home, in which nothing was made
  const env = { HOME: path.join(dir, 'elsewhere') }
  const volunteer = start(['run', 'x.bitworker', '-o', 'volunteer', ...RUN], { env })
  const { port } = await volunteer.event('listening')
  const done = await volunteer.event('done')
  t.same(done['files'], [], 'done without a file')
  await volunteer.output(/All parts are stored\. The files are made from them by the author of the task\. To make them here as well, run the same command with --complete\./)
  t.notOk(volunteer.events.some(({ event }) => event === 'completing'))

  const peer = ['--peer', `127.0.0.1:${String(port)}`]
  const author = await run(['run', 'x.bitworker', '-o', 'author', '--exit', ...peer, ...RUN])
  t.equal(author.code, 0, author.stderr)
  t.equal(author.events.filter(({ event }) => event === 'downloaded').length, 3, 'the parts are those of the others')
  t.equal(await readFile(path.join(dir, 'author/x'), 'utf8'), '0\n1\n2\n')
  volunteer.kill('SIGINT')
  await volunteer.ended

  const again = await run(['run', 'x.bitworker', '-o', 'volunteer', '--exit', ...RUN], { env })
  t.equal(again.code, 0, again.stderr)
  t.notOk(existsSync(path.join(dir, 'volunteer/x')))
  const asked = await run(['run', 'x.bitworker', '-o', 'volunteer', '--exit', '--complete', ...RUN], { env })
  t.equal(asked.code, 0, asked.stderr)
  t.equal(await readFile(path.join(dir, 'volunteer/x'), 'utf8'), '0\n1\n2\n')
  t.same(asked.events.filter(({ event }) => event === 'computed'), [], 'of the parts that were kept')
})

test('--complete-by without a complete command', async t => {
  const { run } = await workspace(t)
  const { code, stderr } = await run(['create', '--name', 'x', '--parts', '3', '--command', 'true', '--complete-by', 'author'])
  t.equal(code, 2)
  t.match(stderr, /--complete-by says who runs the complete command\. Pass --complete-command CMD as well\./)
})

test('an input that only the author of its task can make is refused, in one line', async t => {
  const { run } = await workspace(t)
  const first = await run([
    'create', '--name', 'first', '--parts', '3', '--command', 'true', '--complete-command', 'cat $PART_LIST > "$FILE"',
    '--complete-by', 'author', '--no-try'
  ])
  t.equal(first.code, 0, first.stderr)
  const args = ['create', '--name', 'second', '--command', 'true', '--no-try']
  const { code, stderr } = await run([...args, '--parts', '2', '--input', 'task:first.bitworker'])
  t.equal(code, 2)
  t.match(stderr, /^bitworker: .*is the output of a task whose files only its author makes; seal it and use its torrent\.\n$/)
  t.equal((await run([...args, '--input-per-part', 'task:first.bitworker'])).code, 0, 'its pieces are computed everywhere')
})

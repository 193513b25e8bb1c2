// bitworker log, and run --joblog: what became of each piece.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

/** Piece 1 fails, and says why in characters that a terminal would obey. */
const COMMAND = 'if [ $PIECE_IDX = 1 ]; then printf "first\\n\\033[31mbad\\tpixel\\033[0m\\n" >&2; exit 3; fi; echo $PIECE_IDX'
const CREATE = ['create', '--no-try', '--name', 'x', '--parts', '4', '--command', COMMAND]
const RUN = ['run', 'x.bitworker', '-o', 'out', '--yes', '-j', '2', '--exit', ...OFFLINE]

test('log shows each attempt, log --failed what is still missing', async t => {
  const { run } = await workspace(t)
  await run(CREATE)
  const before = await run(['log', 'x.bitworker', '-o', 'out'])
  t.equal(before.code, 2)
  t.match(before.stderr, /^bitworker: .*out contains nothing of x\. Name the folder of its files with -o\.\n$/)
  t.equal((await run(RUN)).code, 1)

  const all = await run(['log', 'x.bitworker', '-o', 'out'])
  t.equal(all.code, 0, all.stderr)
  const rows = all.stdout.split('\n')
  t.match(rows[0]!, /^ +PIECE ENDED .*WHERE$/)
  t.equal(rows.filter(row => /^ +[023] .* computed here$/.test(row)).length, 3)
  t.equal(rows.filter(row => /^ +1 .* exit 3 +here$/.test(row)).length, 3, 'each attempt')
  t.doesNotMatch(all.stdout, /^.{81}/m, 'fits 80 columns')
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  t.doesNotMatch(all.stdout, /[\u0000-\u0009\u000b-\u001f]/, 'nothing for the terminal')

  const failed = await run(['log', 'out', '--failed'])
  t.match(failed.stdout, /\n +1 [^\n]* exit 3 +here\n {8}The command exited with code 3\.\n {8}│ bad\\x09pixel\n$/, 'the last one, by the folder alone')
  t.match((await run(['log', 'out', '1'])).stdout, /│ first\n {8}│ bad/, 'all of stderr')
  const { events } = await run(['log', 'x.bitworker', '-o', 'out', '1', '--json', '--failed'])
  t.equal(events.length, 1)
  // measured now and then
  const { at, ms, cpuMs: _, memoryBytes: __, ...fields } = events[0]!
  t.deepEqual(fields, {
    piece: 1,
    event: 'failed',
    code: 'BW_ERR_COMMAND_EXIT',
    exitCode: 3,
    final: true,
    message: 'The command exited with code 3: bad\tpixel',
    stderr: 'first\nbad\tpixel'
  })
  t.ok(Number(at) > 1.7e12 && Number(ms) >= 0)
  t.equal((await run(['log', 'out', '4'])).code, 2, 'there is no piece 4')
})

test('log ends when its reader does, and has colours only on a terminal that wants them', async t => {
  const { dir, run } = await workspace(t)
  await run(CREATE)
  await run(RUN)
  const main = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))
  const child = spawn('bash', ['-c', `'${process.execPath}' '${main}' log out | true; echo "\${PIPESTATUS[0]}"`], { cwd: dir })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { output += text })
  await once(child, 'close')
  t.equal(output, '0\n')
  // oxlint-disable-next-line no-control-regex -- colours are what is looked for
  const colours = /\u001b\[3\dm/
  t.match((await run(['log', 'out'], { terminal: true, columns: 60 })).stdout, colours)
  t.doesNotMatch((await run(['log', 'out'], { terminal: true, env: { NO_COLOR: '1' } })).stdout, colours)
})

test('GNU parallel reads the job log', async t => {
  const { dir, run } = await workspace(t)
  await run([...CREATE.slice(0, -1), 'if [ $PIECE_IDX = 1 ]; then exit 3; fi\necho "it\'s" $PIECE_IDX'])
  const flags = [...RUN, '--joblog', 'jobs']
  t.equal((await run(flags)).code, 1)
  const lines = readFileSync(path.join(dir, 'jobs'), 'utf8').trimEnd().split('\n').map(line => line.split('\t'))
  t.deepEqual(lines[0], ['Seq', 'Host', 'Starttime', 'JobRuntime', 'Send', 'Receive', 'Exitval', 'Signal', 'Command'])
  t.deepEqual(lines.slice(1).map(([seq, host, ,, send, receive, exit, signal]) =>
    [seq, host, send, receive, exit, signal].join(' ')).sort(), ['1 : 0 7 0 0', '2 : 0 0 3 0', '3 : 0 7 0 0', '4 : 0 7 0 0'])
  const again = execFileSync('parallel', ['-k', '--resume-failed', '--joblog', 'jobs', 'echo again {}', ':::', '0', '1', '2', '3'], {
    cwd: dir, encoding: 'utf8'
  })
  t.equal(again, 'again 1\n', 'parallel runs only what failed')
  t.equal((await run(flags)).code, 1)
  const count = readFileSync(path.join(dir, 'jobs'), 'utf8').split('\n').filter(line => /^(?:Seq|\d+)\t/.test(line)).length
  t.equal(count, 1 + 4 + 1 + 1, 'the next run appends')
  writeFileSync(path.join(dir, 'notes'), 'something else\n')
  const refused = await run([...RUN, '--joblog', 'notes'])
  t.deepEqual([refused.code, readFileSync(path.join(dir, 'notes'), 'utf8')], [2, 'something else\n'])
})

test('what parallel would run of a job log gives the pieces', async t => {
  const { dir, run } = await workspace(t)
  await run([...CREATE.slice(0, -1), 'cat gone || exit 3\nprintf "%s\\n" "it\'s $PIECE_IDX of $PIECE_COUNT"'])
  t.equal((await run([...RUN, '--joblog', 'jobs'])).code, 1)
  writeFileSync(path.join(dir, 'gone'), '')
  const retried = execFileSync('parallel', ['-k', '--retry-failed', '--joblog', 'jobs'], {
    cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']
  })
  t.match(retried, /^(?:it's \d of 4\n){3,4}$/, 'also those that were not tried three times')
})

test('run --retry-failed computes nothing but what has failed', async t => {
  const { run } = await workspace(t)
  await run(CREATE)
  const first = await run([...RUN, '--retry-failed', '--json'])
  t.deepEqual([first.code, first.events.filter(({ event }) => event === 'computing').length], [1, 0], first.stderr)
  t.match(first.stderr, /No missing piece has failed here: nothing is tried again\./)
  t.equal((await run(RUN)).code, 1)
  const again = await run([...RUN, '--retry-failed', '--json'])
  const tried = again.events.filter(({ event }) => event === 'computing').map(({ piece }) => piece)
  t.deepEqual([again.code, tried], [1, [1, 1, 1]], again.stderr)
})

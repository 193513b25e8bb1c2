import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import test from 'tape'
import { workspace } from './helpers/cli.ts'

const left = (): string[] => readdirSync(tmpdir()).filter(name => name.startsWith('bitworker-try-'))

test('try computes one piece of a task, and shows output, stderr, size and time', async t => {
  const { run } = await workspace(t)
  await run(['create', '--name', 'squares', '--parts', '50', '--command', 'echo why >&2; echo $((PIECE_IDX * PIECE_IDX))'])
  const { code, stdout, stderr } = await run(['try', 'squares.bitworker', '--piece', '7', '--yes'])
  t.deepEqual([code, stdout], [0, '49\n'])
  t.match(stderr, /^ {2}│ why\npiece 7: 3 B in \d+\.\d\d s\n$/)
  const { events } = await run(['try', 'squares.bitworker', '--piece', '7', '--yes', '--json'])
  t.deepEqual(events.map(({ event }) => event), ['sandbox', 'tried'])
  const { piece, size, stderr: said, sha256, ms } = events[1]!
  t.deepEqual([piece, size, said], [7, 3, 'why'])
  t.match(String(sha256), /^[0-9a-f]{64}$/)
  t.ok(Number(ms) > 0)
  const refused = await run(['try', 'squares.bitworker'])
  t.equal(refused.code, 2, 'a task is not run unasked')
  t.match(refused.stderr, /no terminal to ask you on; pass --yes/)
  const none = await run(['try', 'squares.bitworker', '--piece', '50', '--yes'])
  t.equal(none.code, 2)
  t.match(none.stderr, /there is no piece 50: the task has 50/)
})

test('try runs a command that is no task yet', async t => {
  const { run } = await workspace(t)
  const printed = await run(['try', '--command', 'printf "%s %s" "$PIECE_IDX" "$PIECE_COUNT"; exec > >(cat); (sleep 0.2; echo late) &', '--piece', '2'])
  t.deepEqual([printed.code, printed.stdout], [0, '2 3late\n'], 'as run would: until the end of its stdout')
  const failed = await run(['try', '--command', 'echo partial; nosuchcmd; exit 4', '--json'])
  t.equal(failed.code, 1)
  t.match(failed.stderr, /nosuchcmd: command not found\nbitworker: the command exited with code 4/)
  t.deepEqual(failed.events.map(({ event, exitCode }) => [event, exitCode]), [['sandbox', undefined], ['failed', 4], ['error', undefined]])
  const large = await run(['try', '--command', 'head -c 2000 /dev/zero', '--piece-length', '1K'])
  t.equal(large.code, 1)
  t.match(large.stderr, /beyond the piece length of 1024 bytes/)
  for (const [args, says] of [[['try'], /a task file, or --command/], [['try', 'x', '--command', 'y'], /leave out --command/]] as const) {
    const { code, stderr } = await run([...args])
    t.equal(code, 2)
    t.match(stderr, says)
  }
  t.deepEqual(left(), [], 'nothing is left')
})

test('create says how to try, and --try does it first', async t => {
  const { dir, run } = await workspace(t)
  const made = await run(['create', '--name', 'good', '--parts', '2', '--command', 'echo said >&2; echo $PIECE_IDX', '--try'])
  t.equal(made.code, 0)
  t.match(made.stdout, /^try it {5}bitworker try good\.bitworker$/m)
  t.match(made.stderr, /│ said\npiece 0: 2 B in/)
  const bad = await run(['create', '--name', 'bad', '--parts', '2', '--command', 'exit 3', '--try'])
  t.equal(bad.code, 1)
  t.match(bad.stderr, /exited with code 3/)
  t.deepEqual(readdirSync(dir).filter(name => !name.startsWith('.')), ['good.bitworker'], 'what fails is not written')
})

test('run --verbose shows what good pieces said', async t => {
  const { run } = await workspace(t)
  await run(['create', '--name', 'out', '--parts', '2', '--command', 'nosuchcmd; echo end'])
  const flags = ['--yes', '--exit', '--no-dht', '--no-lsd', '--no-nat', '--no-utp', '--no-tracker']
  const { code, stderr } = await run(['run', 'out.bitworker', '-o', 'a', '-v', ...flags])
  t.equal(code, 0)
  t.match(stderr, /piece [01] was computed, and said:\n {2}│ .*nosuchcmd: command not found/)
  const { events } = await run(['run', 'out.bitworker', '-o', 'b', '--json', ...flags])
  t.deepEqual(events.filter(({ event }) => event === 'computed').map(({ stderr: said }) => /not found/.test(String(said))), [true, true], 'events have it in any case')
})

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'tape'
import fixtures from 'webtorrent-fixtures'
import { encode } from '../../lib/base/bencode.ts'
import { JsonOutput } from '../../lib/cli/output/json-output.ts'
import type { Confinement } from '../../lib/cli/run/confinement.ts'
import { tryPiece } from '../../lib/cli/run/try-piece.ts'
import type { BitWorkerError } from '../../lib/index.ts'
import { createTask } from '../../lib/index.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running } from '../helpers/cli.ts'

// of this test alone: what others leave is theirs
process.env['TMPDIR'] = mkdtempSync(path.join(tmpdir(), 'bitworker-cli-'))
test.onFinish(() => { rmSync(tmpdir(), { recursive: true }) })

const left = (): string[] => readdirSync(tmpdir()).filter(name => name.startsWith('bitworker-try-'))

test('try computes one piece of a task, and shows output, stderr, size and time', async t => {
  const { run } = await workspace(t)
  await run([
    'create', '--name', 'squares', '--parts', '50', '--command', 'echo why >&2; echo $((PIECE_IDX * PIECE_IDX))'
  ])
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
  t.match(refused.stderr, /no terminal to ask for your consent\. Pass --yes/)
  const none = await run(['try', 'squares.bitworker', '--piece', '50', '--yes'])
  t.equal(none.code, 2)
  t.match(none.stderr, /There is no piece 50: the pieces of this task are 0 to 49\./)
})

test('try runs a command that is no task yet', async t => {
  const { run } = await workspace(t)
  const printed = await run([
    'try',
    '--command',
    'printf "%s %s" "$PIECE_IDX" "$PIECE_COUNT"; exec > >(cat); (sleep 0.2; echo late) &',
    '--piece',
    '2'
  ])
  t.deepEqual([printed.code, printed.stdout], [0, '2 3late\n'], 'as run would: until the end of its stdout')
  const failed = await run(['try', '--command', 'echo partial; nosuchcmd; exit 4', '--json'])
  t.equal(failed.code, 1)
  t.match(failed.stderr, /│ .*nosuchcmd: command not found\nbitworker: The command exited with code 4\.\n$/)
  t.deepEqual(
    failed.events.map(({ event, exitCode }) => [event, exitCode]),
    [
      ['sandbox', undefined], ['failed', 4], ['error', undefined]
    ]
  )
  const large = await run(['try', '--command', 'head -c 2000 /dev/zero', '--piece-length', '1K'])
  t.equal(large.code, 1)
  t.match(large.stderr, /more than the piece length of 1024 bytes/)
  for (const [args, says] of [
    [['try'], /a task file, or pass --command/], [['try', 'x', '--command', 'y'], /Leave out either --command/]
  ] as const) {
    const { code, stderr } = await run([...args])
    t.equal(code, 2)
    t.match(stderr, says)
  }
  t.deepEqual(left(), [], 'nothing is left')
})

test('create says how to try, and --try does it first', async t => {
  const { dir, run } = await workspace(t)
  const made = await run([
    'create', '--name', 'good', '--parts', '2', '--command', 'echo said >&2; echo $PIECE_IDX', '--try'
  ])
  t.equal(made.code, 0)
  t.match(made.stdout, /^try it {5}bitworker try good\.bitworker$/m)
  t.match(made.stderr, /│ said\npiece 0: 2 B in/)
  const bad = await run(['create', '--name', 'bad', '--parts', '2', '--command', 'exit 3', '--try'])
  t.equal(bad.code, 1)
  t.match(bad.stderr, /exited with code 3/)
  t.deepEqual(readdirSync(dir).filter(name => !name.startsWith('.')), ['good.bitworker'], 'what fails is not written')
})

test('try gives the command its inputs, if they are in the task file', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(path.join(dir, 'tool'), '#!/bin/bash\necho "$lr/$seed of $1"')
  await writeFile(path.join(dir, 'grid.csv'), 'lr,seed\n0.1,1\n0.2,7\n')
  const args = ['create', '--name', 'grid', '--input', 'tool', '--params', 'grid.csv', '--command', 'tool "$ENTRY"']
  t.match((await run(args)).stdout, /^try it/m)
  const { code, stdout } = await run(['try', 'grid.bitworker', '--yes', '--piece', '1'])
  t.equal(code, 0)
  t.equal(stdout, '0.2/7 of 0.2\t7\n')
})

test('run --verbose shows the stderr of successful commands', async t => {
  const { run } = await workspace(t)
  await run(['create', '--name', 'out', '--parts', '2', '--command', 'nosuchcmd; echo end'])
  const flags = ['--yes', '--exit', '--no-dht', '--no-lsd', '--no-nat', '--no-utp', '--no-tracker']
  const { code, stderr } = await run(['run', 'out.bitworker', '-o', 'a', '-v', ...flags])
  t.equal(code, 0)
  t.match(stderr, /Piece [01] was computed\. Its stderr:\n {2}│ .*nosuchcmd: command not found/)
  const { events } = await run(['run', 'out.bitworker', '-o', 'b', '--json', ...flags])
  t.deepEqual(
    events.filter(({ event }) => event === 'computed').map(({ stderr: said }) => /not found/.test(String(said))),
    [true, true],
    'events have it in any case'
  )
})

/** A signal to the command that script(1) runs. */
async function signal ({ pid }: Running, name: NodeJS.Signals): Promise<void> {
  process.kill(Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')), name)
}

const codeOf = (tried: Promise<void>): Promise<string> =>
  tried.then(
    () => 'none', (error: BitWorkerError) => error.code
  )

test('an interrupted try stops its command, at any moment', async t => {
  const confinement: Confinement = {
    mayCompute: true, options: { sandbox: 'none' }, fields: { tier: 'none', problems: [] }, banner: ''
  }
  const options = {
    task: createTask({ name: 'x', command: 'sleep 600', parts: 1 }),
    piece: 0,
    confinement,
    binds: [],
    out: new JsonOutput(false)
  }
  t.equal(
    await codeOf(tryPiece({ ...options, signal: AbortSignal.abort() })),
    'BW_ERR_COMMAND_KILLED',
    'before it began'
  )
  t.equal(
    await codeOf(tryPiece({ ...options, binds: [{ path: '/usr', name: 'a/b' }], signal: AbortSignal.abort() })),
    'BW_ERR_BIND'
  )
  t.deepEqual(left(), [], 'nothing is left')

  const { run, start } = await workspace(t)
  await run(['create', '--name', 'slow', '--parts', '2', '--command', 'echo begun >&2; sleep 600'])
  const asked = start(['try', 'slow.bitworker'], { terminal: true })
  await asked.output(/Run this command on your machine\?/)
  await signal(asked, 'SIGTERM')
  t.equal((await asked.ended).code, 130, 'at the question')
  const running = start(['try', 'slow.bitworker', '--yes', '--json'])
  await running.event('sandbox')
  running.kill('SIGINT')
  t.equal((await running.ended).code, 130, 'while it runs')
})

test('a task that cannot be tried is reported before the prompt', async t => {
  const { dir, run } = await workspace(t)
  await writeFile(
    path.join(dir, 'later.bitworker'),
    encode({
      info: { bitworker: { command: 'true', requires: ['gpu'], version: 1 }, length: 8, name: 'x', 'piece length': 8 }
    })
  )
  await writeFile(path.join(dir, 'leaves.torrent'), fixtures.leaves.torrent)
  await run(['create', '--name', 'x', '--parts', '2', '--command', 'true'])
  for (const [args, expected, says, env] of [
    [['later.bitworker'], 2, /does not support what the task needs \(the feature "gpu"\)/, {}],
    [['leaves.torrent', '--yes'], 2, /an ordinary torrent, which has no command to try/, {}],
    [['x.bitworker', '--piece', '2'], 2, /There is no piece 2/, {}],
    [['x.bitworker'], 2, /No sandbox works here.*See bitworker doctor/s, { TMPDIR: path.join(dir, 'nowhere') }],
    [['nowhere.bitworker'], 2, /No such file/, {}]
  ] as const) {
    const { code, stderr } = await run(['try', ...args], { env })
    t.equal(code, expected, args.join(' '))
    t.match(stderr, says)
    t.equal(stderr.trim().split('\n').length, 1, 'one line')
  }
})

test('try says why a program is missing', async t => {
  const { run } = await workspace(t)
  const { code, stderr } = await run(['try', '--command', 'nosuchprogram 1'])
  t.equal(code, 1)
  t.match(stderr, /nosuchprogram is not installed on this machine/)
})

test('try downloads the task of a link from a peer', async t => {
  const { run, start } = await workspace(t)
  const {
    events: [created]
  } = await run([
    'create', '--name', 'squares', '--parts', '9', '--command', 'echo $((PIECE_IDX * PIECE_IDX))', '--json'
  ])
  const peer = start(['run', 'squares.bitworker', '-o', 'peer', '--yes', '--json', ...OFFLINE])
  const address = `127.0.0.1:${String((await peer.event('listening'))['port'])}`
  const { code, stdout, stderr } = await run([
    'try', String(created!['magnet']), '--piece', '8', '--yes', '--peer', address, ...OFFLINE
  ])
  t.deepEqual([code, stdout], [0, '64\n'], stderr)
})

test('create asks at a terminal whether to try it', async t => {
  const { dir, start } = await workspace(t)
  const OFFER = /Try the command now by computing the first piece\?/
  const create = async (
    name: string, command: string, key: string | null
  ): Promise<{ code: number | null, stdout: string }> => {
    const run = start(['create', '--name', name, '--parts', '2', '--command', command], {
      terminal: true, columns: 200
    })
    await run.output(OFFER)
    if (key === null) await signal(run, 'SIGTERM')
    else run.stdin.write(key)
    return run.ended
  }
  const good = await create('good', 'echo "piece $PIECE_IDX"', '\r')
  t.equal(good.code, 0)
  t.match(
    good.stdout,
    /piece 0\r\npiece 0: 8 B in .*good\.bitworker: 2 pieces/s,
    'Enter: what it printed, and then what was made'
  )
  const bad = await create('bad', 'echo oh >&2; exit 3', 'y')
  t.equal(bad.code, 1)
  t.match(bad.stdout, /│ oh.*code 3.*bad\.bitworker was not written\. Correct the command, or pass --no-try/s)
  for (const [name, key, code] of [
    ['no', 'n', 0], ['eof', '\u0004', 0], ['stopped', '\u0003', 130], ['killed', null, 130]
  ] as const) {
    const ended = await create(name, 'exit 3', key)
    t.equal(ended.code, code, ended.stdout)
    t.equal(existsSync(path.join(dir, `${name}.bitworker`)), code === 0, name)
  }
  const quiet = await start(['create', '--name', 'quiet', '--parts', '2', '--command', 'exit 3', '--no-try'], {
    terminal: true
  }).ended
  t.equal(quiet.code, 0)
  t.doesNotMatch(quiet.stdout, OFFER)
})

// try gives a command the inputs that are on this machine as run does, and fetches nothing.
import { mkdirSync, readFileSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import fixtures from 'webtorrent-fixtures'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--no-try', '--json', '--name', 'x', '--force', '--command']

/** A line of the large file. */
function line (at: number): string { return String(at).padStart(9) }

/** A volunteer that has fetched the inputs of the task, and computed it. */
async function volunteer ({ dir, start }: Workspace, magnet: string): Promise<{ HOME: string }> {
  const author = start(['run', 'x.bitworker', '-o', 'author', '--no-compute', '--json', ...OFFLINE])
  const port = String((await author.event('listening'))['port'])
  const env = { HOME: path.join(dir, 'volunteer') }
  const args = ['run', `${magnet}&x.pe=127.0.0.1:${port}`, '-o', 'result', '--yes', '--json', '--exit', ...OFFLINE]
  await start(args, { env }).ended
  author.kill('SIGINT')
  await author.ended
  return env
}

test('try of a list that is a torrent', async t => {
  const { run } = await workspace(t)
  const made = await run([...CREATE, 'cat; echo "$ENTRY"; [[ ! -w $INPUT ]]', '--each', '0-99999'])
  t.equal(made.code, 0, made.stderr)
  for (const [piece, entry] of [['0', '0'], ['77777', '77777'], ['99999', '99999']] as const) {
    const { code, stdout, stderr } = await run(['try', 'x.bitworker', '--yes', '--piece', piece])
    t.deepEqual([code, stdout], [0, `${entry}\n${entry}\n`], stderr)
  }
})

test('try of a folder and a large file, for the author and for a volunteer', async t => {
  const space = await workspace(t)
  const { dir, run } = space
  mkdirSync(path.join(dir, 'folder/sub'), { recursive: true })
  writeFileSync(path.join(dir, 'folder/sub/a'), 'of the folder\n', { mode: 0o600 })
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => line(i)).join('\n') + '\n')
  writeFileSync(path.join(dir, 'large'), text)
  const command = 'cat folder/sub/a; head -c 19 "$INPUT"; head -c 1 >&2; stat -c %a:%Y folder/sub/a'
  const made = await run([
    ...CREATE, command, '--parts', '4', '--input', 'folder', '--input-per-part', 'large', '--piece-length', '1K'
  ])
  t.equal(made.code, 0, made.stderr)
  const expected = `of the folder\n${line(10_000)}\n${line(10_001)}555:0\n`
  const tried = await run(['try', 'x.bitworker', '--yes', '--piece', '2'])
  t.deepEqual([tried.code, tried.stdout], [0, expected], tried.stderr)
  utimesSync(path.join(dir, 'large'), 1, 1)
  const touched = await run(['try', 'x.bitworker', '--yes', '--piece', '2'])
  t.deepEqual([touched.code, touched.stdout], [0, expected], 'touched, but what it was')

  const env = await volunteer(space, String(made.events[0]!['magnet']))
  const there = await run(['try', 'x.bitworker', '--yes', '--piece', '2'], { env })
  t.deepEqual([there.code, there.stdout], [0, expected], there.stderr)

  // what is in the cache goes for what has changed
  renameSync(path.join(dir, 'volunteer/.cache'), path.join(dir, 'their.cache'))
  writeFileSync(path.join(dir, 'large'), Buffer.alloc(text.length, '!'))
  const changed = await run(['try', 'x.bitworker', '--yes'])
  t.equal(changed.code, 2)
  t.equal(
    changed.stderr,
    `bitworker: The input "large" is not shared: ${path.join(dir, 'large')} has changed since the task was made. Put it back as it was, or name another copy of it.\n`
  )
  const cached = await run(['try', 'x.bitworker', '--yes', '--piece', '2'], {
    env: { XDG_CACHE_HOME: path.join(dir, 'their.cache') }
  })
  t.deepEqual([cached.code, cached.stdout], [0, expected], cached.stderr)
})

test('try of a folder that is split by files', async t => {
  const space = await workspace(t)
  const { dir, run } = space
  mkdirSync(path.join(dir, 'data'))
  for (const name of ['a', 'b', 'c']) writeFileSync(path.join(dir, 'data', name), `${name}\n`)
  const made = await run([...CREATE, 'echo "$INPUT"; cat', '--input-per-part', 'data'])
  const lacking = { HOME: path.join(dir, 'volunteer') }
  const without = await run(['try', 'x.bitworker'], { env: lacking })
  t.deepEqual([without.code, without.stderr], [
    2,
    'bitworker: The input "data" is not on this machine, and nothing is fetched for single pieces. Run the task, which fetches its inputs; run --seed-inputs fetches all of them.\n'
  ], 'said before the question')
  t.throws(() => readdirSync(path.join(dir, 'volunteer/.cache')), 'nothing is made there')
  const env = await volunteer(space, String(made.events[0]!['magnet']))
  for (const where of [{}, env]) {
    const { code, stdout, stderr } = await run(['try', 'x.bitworker', '--yes', '--piece', '1'], { env: where })
    t.deepEqual([code, stdout], [0, 'data/b\nb\n'], stderr)
  }
})

test('all inputs that are missing are named, in one line', async t => {
  const { dir, run } = await workspace(t)
  writeFileSync(path.join(dir, 'leaves.torrent'), fixtures.leaves.torrent)
  writeFileSync(path.join(dir, 'large'), Buffer.alloc(100_000))
  const args = [...CREATE, 'true', '--parts', '2', '--input', 'leaves.torrent', '--input', 'large']
  t.equal((await run(args)).code, 0)
  const { stderr } = await run(['try', 'x.bitworker', '--yes'])
  t.match(stderr, /^bitworker: The input "leaves" is not on this machine, and nothing is fetched for single pieces\. .*\n$/)
  const none = await run(['try', 'x.bitworker', '--yes'], { env: { HOME: path.join(dir, 'nobody') } })
  t.match(none.stderr, /^bitworker: The inputs "leaves", "large" are not on this machine.*\n$/)
  t.equal(none.code, 2)
  const advised = await run(args.filter(arg => arg !== '--json'))
  t.notOk(/^try it/m.test(advised.stdout), 'what would not work is not advised')
})

test('create tries a task with a large input first', async t => {
  const { dir, run } = await workspace(t)
  writeFileSync(path.join(dir, 'large'), Buffer.alloc(100_000, 'x'))
  const args = ['create', '--name', 'x', '--parts', '2', '--input', 'large', '--try', '--command']
  const made = await run([...args, 'wc -c < large'])
  t.equal(made.code, 0, made.stderr)
  t.match(made.stderr, /^100000\npiece 0: 7 B in/)
  t.match(made.stdout, /^try it {5}bitworker try x\.bitworker$/m)
  t.equal(readFileSync(path.join(dir, 'large'), 'latin1'), 'x'.repeat(100_000))
})

// Tasks that read the output of other tasks, by real commands: made one after the other, run from the last link alone.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running, Workspace } from '../helpers/cli.ts'

const CREATE = ['--no-try', '--json']

async function create (t: Test, files: Workspace, args: string[]): Promise<string> {
  const { code, events, stderr } = await files.run(['create', ...args, ...CREATE])
  t.equal(code, 0, stderr)
  return String(events.find(({ event }) => event === 'created')?.['magnet'])
}

/** Makes first.bitworker, second.bitworker and last.bitworker; resolves with the last link. */
async function chain (t: Test, files: Workspace): Promise<string> {
  await create(t, files, ['--name', 'first', '--parts', '8', '--command', 'echo $((PIECE_IDX * PIECE_IDX))'])
  await create(t, files, [
    '--name', 'second', '--input-per-part', 'task:first.bitworker:n', '--command', 'read n; echo $((n + 1))'
  ])
  return await create(t, files, [
    '--name', 'last', '--parts', '1', '--input', 'task:second.bitworker', '--command', 'echo $(($(paste -sd+ second))); cat second'
  ])
}

const EXPECTED = `${[0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum + i * i + 1, 0)}\n${[0, 1, 2, 3, 4, 5, 6, 7].map(i => `${i * i + 1}\n`).join('')}`

async function share ({ start }: Workspace, file = 'last.bitworker'): Promise<string> {
  const author = start(['run', file, '-o', 'author', '--no-compute', '--json', ...OFFLINE])
  return `127.0.0.1:${String((await author.event('listening'))['port'])}`
}

/** On another machine, as far as it knows. */
function volunteer (
  { dir, start }: Workspace, name: string, link: string, peers: string[], more: string[] = ['--yes', '--exit']
): Running {
  return start([
    'run', `${link}${peers.map(peer => `&x.pe=${peer}`).join('')}`, '-o', name, '--json', '-j', '1', ...more, ...OFFLINE
  ], { env: { HOME: path.join(dir, `${name}.home`) } })
}

function stageEvents ({ events }: Running, name: string): number[] {
  return events.filter(({ event, what }) => event === 'stage' && what === name).map(({ piece }) => Number(piece))
}

test('map, map, reduce: an author who computes nothing, and two volunteers with the last link', async t => {
  const files = await workspace(t)
  const link = await chain(t, files)
  const peer = await share(files)
  const two = ['a', 'b'].map(name => volunteer(files, name, link, [peer]))
  for (const { code, stderr } of await Promise.all(two.map(async each => each.ended))) t.equal(code, 0, stderr)
  for (const name of ['a', 'b']) t.equal(readFileSync(path.join(files.dir, name, 'last'), 'utf8'), EXPECTED)
  for (const each of two) {
    t.comment(`computed in the stages: ${stageEvents(each, 'computed').length}`)
    t.deepEqual(each.events.filter(({ what }) => what === 'task').map(({ name }) => name), ['first', 'second'])
    t.match(each.stderr(), /Its output is read, so it is computed as well:[^]*first: a task of 8 pieces[^]*second: a task/)
  }
})

test('killed in the middle, it goes on where it was', async t => {
  const files = await workspace(t)
  const link = await chain(t, files)
  const peer = await share(files)
  const first = volunteer(files, 'a', link, [peer], ['--yes'])
  await first.event('stage', () => stageEvents(first, 'computed').length >= 4)
  first.kill('SIGKILL')
  await first.ended
  const had = stageEvents(first, 'computed').length
  const again = volunteer(files, 'a', link, [peer])
  t.equal((await again.ended).code, 0)
  t.equal(readFileSync(path.join(files.dir, 'a', 'last'), 'utf8'), EXPECTED)
  const more = stageEvents(again, 'computed').length
  t.ok(had + more <= 17, `${had} were computed before, and ${more} of 16 afterwards`)
})

test('files of a task: each piece gets one, or all get one; made by a complete command', async t => {
  const files = await workspace(t)
  await create(t, files, [
    '--name', 'first', '--file', 'a.txt:2', '--file', 'sub/b.txt:1', '--command', 'echo $PIECE_IDX',
    '--complete-command', 'cat $PART_LIST > "$FILE"; echo end >> "$FILE"'
  ])
  await create(t, files, ['--name', 'second', '--input-per-part', 'task:first.bitworker:in', '--command', 'echo $INPUT $(cat) $(find in -type f)'])
  const link = await create(t, files, [
    '--name', 'last', '--parts', '1', '--input', 'task:second.bitworker', '--input', 'task:first.bitworker/sub/b.txt',
    '--input', 'task:first.bitworker:all', '--command', 'cat second b.txt; find all -type f | sort'
  ])
  const peer = await share(files)
  const { code, stderr } = await volunteer(files, 'a', link, [peer]).ended
  t.equal(code, 0, stderr)
  t.equal(readFileSync(path.join(files.dir, 'a', 'last'), 'utf8'), [
    'in/a.txt 0 1 end in/a.txt', 'in/sub/b.txt 2 end in/sub/b.txt', '2', 'end', 'all/a.txt', 'all/sub/b.txt', ''
  ].join('\n'))
})

test('what was run, and what was sealed, is taken from where it is', async t => {
  const files = await workspace(t)
  const first = await create(t, files, ['--name', 'first', '--out-pattern', '%d.txt', '--parts', '3', '--command', 'echo $PIECE_IDX'])
  const ran = await files.run(['run', 'first.bitworker', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(ran.code, 0, ran.stderr)
  const args = ['--name', 'last', '--input-per-part', 'task:first.bitworker:in', '--command', 'echo $INPUT $(cat)']
  const expected = 'in/0.txt 0\nin/1.txt 1\nin/2.txt 2\n'
  await create(t, files, args)
  const once = await files.run(['run', 'last.bitworker', '-o', 'x', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(once.code, 0, once.stderr)
  t.equal(readFileSync(path.join(files.dir, 'x', 'last'), 'utf8'), expected)
  t.deepEqual(once.events.filter(({ what }) => what === 'computed'), [], 'nothing of it is computed again')
  t.equal((await files.run(['seal', 'first.bitworker'])).code, 0)
  const link = await create(t, files, [...args, '--force'])
  const { stdout } = await files.run(['info', 'last.bitworker'])
  t.match(stdout, /in\/, 6 B, torrent [0-9a-f]{40}, 3 files, one file for each piece/)
  const { code, stderr } = await volunteer(files, 'a', link, [await share(files)]).ended
  t.equal(code, 0, stderr)
  t.equal(readFileSync(path.join(files.dir, 'a', 'last'), 'utf8'), expected)
  const again = await files.run(['create', '--name', 'y', '--parts', '1', '--command', 'true', '--input', `task:${first}/1.txt:one`, ...CREATE])
  t.equal(again.code, 0, again.stderr)
  t.match((await files.run(['info', 'y.bitworker'])).stdout, /one, 1 MiB, 1\.txt of the output of task/, 'by its link')
})

test('no command runs that nobody agreed to; a trusted signature covers the earlier tasks', async t => {
  const files = await workspace(t)
  await chain(t, files)
  const refused = await files.run(['run', 'last.bitworker', '-o', 'a', '--json', ...OFFLINE])
  t.equal(refused.code, 2, 'there is nobody to ask')
  t.equal((await files.run(['keygen'])).code, 0)
  t.equal((await files.run(['sign', 'last.bitworker'])).code, 0)
  const key = readFileSync(path.join(files.dir, '.config/bitworker/signing.pub'), 'utf8').match(/[0-9a-f]{64}/)![0]
  t.equal((await files.run(['trust', 'add', key, '--max-size', '4M'])).code, 0)
  const limited = await files.run(['run', 'last.bitworker', '-o', 'a', '--exit', '--json', ...OFFLINE])
  t.equal(limited.code, 2, 'the earlier tasks have 8 MiB each')
  t.match(limited.stderr, /no terminal to ask/)
  t.deepEqual(limited.events.filter(({ what, event }) => what === 'computing' || event === 'computing'), [])
  t.equal((await files.run(['trust', 'add', key, '--max-size', '8M'])).code, 0)
  const exceeded = await files.run(['run', 'last.bitworker', '-o', 'a', '--exit', '--json', ...OFFLINE])
  t.equal(exceeded.code, 2, 'each of them alone would be within the limits')
  t.match(exceeded.stderr, /^Signed by [0-9a-f]{64}, whom you trust, but its limits are exceeded: the files of the 3 tasks that the signature covers may have 17825792 bytes, more than 8388608\.$/m)
  t.deepEqual(exceeded.events.filter(({ what, event }) => what === 'computing' || event === 'computing'), [])
  t.equal((await files.run(['trust', 'add', key, '--max-size', '17M'])).code, 0)
  const trusted = await files.run(['run', 'last.bitworker', '-o', 'a', '--exit', '--json', ...OFFLINE])
  t.equal(trusted.code, 0, trusted.stderr)
  t.equal(readFileSync(path.join(files.dir, 'a', 'last'), 'utf8'), EXPECTED)
})

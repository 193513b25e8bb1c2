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

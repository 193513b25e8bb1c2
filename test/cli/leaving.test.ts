// When a run that is done leaves the swarm.
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import type { Test } from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running } from '../helpers/cli.ts'
import { create, piecesOf, portOf } from '../helpers/runs.ts'

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

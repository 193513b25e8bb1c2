// run --halt: GNU parallel's words for when failures end a run.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

test('run --halt ends after so many failures: now, or when what runs has ended', async t => {
  const { dir, run, start } = await workspace(t)
  // pieces 1 and 3 fail, piece 0 and 2 end when somebody has failed for good
  const command = 'case $PIECE_IDX in 1|3) exit 3;; esac; until [ -e go/on ]; do sleep 0.1; done; echo $PIECE_IDX'
  await run(['create', '--no-try', '--name', 'x', '--parts', '4', '--command', command])
  mkdirSync(path.join(dir, 'go'))
  const flags = ['run', 'x.bitworker', '--yes', '-j', '4', '--json', '--bind', 'go:go', ...OFFLINE]
  const now = await run([...flags, '-o', 'now', '--halt', 'now,fail=1'])
  t.equal(now.code, 1, now.stderr)
  t.match(now.stderr, /Halting: 1 piece failed here \(--halt\)\./)
  t.equal(now.events.filter(({ event }) => event === 'computed').length, 0, 'what ran was killed')

  const soon = start([...flags, '-o', 'soon', '--halt', 'soon,fail=50%'])
  t.deepEqual((await soon.event('halted'))['pieces'], [1, 3])
  writeFileSync(path.join(dir, 'go/on'), '')
  const ended = await soon.ended
  t.equal(ended.code, 1)
  const computed = ended.events.filter(({ event }) => event === 'computed').map(({ piece }) => piece)
  t.deepEqual(new Set(computed), new Set([0, 2]), 'what ran has ended')

  // nobody's resume starts anything again; three pieces fail, and three take all slots but one
  rmSync(path.join(dir, 'go/on'))
  const others = command.replace('1|3', '1|3|5')
  await run(['create', '--no-try', '--name', 'y', '--parts', '6', '--command', others])
  const resumed = start(['run', 'y.bitworker', ...flags.slice(2), '-o', 'y', '--halt', 'soon,fail=1'])
  await resumed.event('halted')
  await run(['pause', 'y'])
  const { events: [status] } = await run(['resume', 'y', '--json'])
  t.deepEqual((status?.['running'] as { paused: string[] } | undefined)?.paused, ['halting after failures'])
  writeFileSync(path.join(dir, 'go/on'), '')
  const { events, code } = await resumed.ended
  t.equal(code, 1)
  const halted = events.findIndex(({ event }) => event === 'halted')
  t.deepEqual(events.slice(halted).filter(({ event }) => event === 'computing'), [], 'nothing was started')
  t.match((await run([...flags, '-o', 'x', '--halt', 'later,fail=1'])).stderr, /now,fail=3 or soon,fail=10%/)
})

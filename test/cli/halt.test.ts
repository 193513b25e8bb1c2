// run --halt: GNU parallel's words for when failures end a run.
import { mkdirSync, writeFileSync } from 'node:fs'
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
  t.match((await run([...flags, '-o', 'x', '--halt', 'later,fail=1'])).stderr, /now,fail=3 or soon,fail=10%/)
})

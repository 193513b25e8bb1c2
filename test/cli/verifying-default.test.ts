// What a run does about results of others if nobody says anything, with real processes.
import test from 'tape'
import { verificationSummary } from '../../lib/cli/run/verification.ts'
import { WrongResults } from '../../lib/cli/run/wrong-results.ts'
import type { VerificationReport } from '../../lib/index.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { portOf } from '../helpers/runs.ts'

function taking (name: string, ...more: string[]): string[] {
  return ['run', 'squares.bitworker', '--yes', '--json', '-o', name, ...more, ...OFFLINE]
}

test('who downloads only, and trusts somebody who is not there, is told so', async t => {
  const { run, start } = await workspace(t)
  await run(['create', '--no-try', '--name', 'squares', '--parts', '2', '--command', 'echo $PIECE_IDX'])
  const stranger = start(taking('s'))
  const at = await portOf(stranger)
  await stranger.event('done')
  t.match(stranger.stderr(), /^results: checked by lot$/m)
  const reader = start(taking('r', '--no-compute', '--checker', 'ab'.repeat(32), '--peer', at))
  const { message } = await reader.event('waiting')
  t.match(String(message), /^Nobody you trust takes part: .* Nothing that others computed is used until one does\./)
  t.notOk(reader.events.some(({ event }) => event === 'downloaded'))
})

test('who checks nothing is told so, and why', async t => {
  const { run, start } = await workspace(t)
  await run(['create', '--no-try', '--name', 'squares', '--parts', '2', '--command', 'echo $RANDOM', '--not-deterministic'])
  const alone = await run(taking('a', '--exit'))
  t.equal(alone.code, 0)
  t.match(alone.stderr, /^Warning: results: not checked: results of this task differ from run to run, and no trusted key is named$/m)
  const seeder = start(taking('a'))
  const reader = await run(taking('r', '--no-compute', '--exit', '--peer', await portOf(seeder)))
  t.equal(reader.code, 0, reader.stderr)
  t.match(reader.stderr, /^Warning: results: not checked: without computing nothing can be checked, and no trusted key is named$/m)
  const refused = await run(taking('x', '--no-compute', '--verify', 'audit=1%', '--exit'))
  t.equal(refused.code, 2)
  t.match(refused.stderr, /The sample of audit=1% is computed here, and nothing is computed here\. Choose audit or trust\./)
})

test('the summary says that nobody trusted took part, where somebody was expected to', t => {
  const states = {
    own: 1, verified: 0, trusted: 0, confirmed: 0, attested: 3, doubtful: 0, unattested: 0, missing: 0
  }
  const report: VerificationReport = {
    policy: 'audit',
    isMemberExpected: true,
    states,
    lots: { drawn: 0, wrong: 0, open: 0, atMost: 1 },
    sample: null,
    open: 0,
    excluded: 0,
    suspected: 0,
    members: 0,
    level: 0
  }
  const isSaid = (more: Partial<VerificationReport>): boolean => (
    verificationSummary({ ...report, ...more }, new WrongResults()).some(line => line.startsWith('Nobody you trust'))
  )
  t.ok(isSaid({}))
  t.notOk(isSaid({ isMemberExpected: false }))
  t.notOk(isSaid({ members: 1 }))
  t.notOk(isSaid({ states: { ...states, own: 4, attested: 0 } }), 'all was computed here')
  t.end()
})

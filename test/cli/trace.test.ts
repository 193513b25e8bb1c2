// DEBUG=bitworker:* tells what happens inside; without it nothing does.
import test from 'tape'
import { TRACE_AREAS } from '../../lib/base/trace.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'

test('a run can be traced, area by area', async t => {
  const { run } = await workspace(t)
  await run(['create', '--name', 'n.txt', '--parts', '3', '--piece-length', '64', '--command', 'echo $PIECE_IDX'])
  const args = ['run', 'n.txt.bitworker', '--yes', '--exit', ...OFFLINE]
  const silent = await run([...args, '-o', 'a'])
  t.doesNotMatch(silent.stderr, /bitworker:/, 'nothing unless it is asked for')
  const { code, stderr, stdout } = await run([...args, '-o', 'b'], { env: { DEBUG: 'bitworker:*' } })
  t.equal(code, 0)
  t.doesNotMatch(stdout, /bitworker:/, 'stdout is the results\'')
  for (const area of ['scheduling', 'claims', 'store', 'executor', 'discovery']) {
    t.match(stderr, new RegExp(`bitworker:${area} `), area)
  }
  t.match(stderr, /piece 2 starts[^]*piece 2 is stored[^]*piece 2 is computed: 2 bytes/, 'the way of a piece')
  const one = await run([...args, '-o', 'c'], { env: { DEBUG: 'bitworker:store' } })
  t.match(one.stderr, /bitworker:store /)
  t.doesNotMatch(one.stderr, /bitworker:(?!store)/, 'one area alone')
  const help = await run(['--help'])
  t.deepEqual(TRACE_AREAS.filter(area => !help.stdout.includes(`:${area}`)), [], 'the help knows each area')
})

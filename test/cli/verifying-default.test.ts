// What a run does about results of others if nobody says anything, with real processes.
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Running } from '../helpers/cli.ts'

async function portOf (peer: Running): Promise<string> {
  return `127.0.0.1:${String((await peer.event('listening'))['port'])}`
}

function taking (name: string, ...more: string[]): string[] {
  return ['run', 'squares.bitworker', '--yes', '--json', '-o', name, ...more, ...OFFLINE]
}

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

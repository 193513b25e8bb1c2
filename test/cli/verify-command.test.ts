// A run whose task has a verify command: nothing that was stored without it counts before it has judged.
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import test from 'tape'
import { parseTask } from '../../lib/task/task.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { close, openStore, put } from '../helpers/stores.ts'

test('a finished file that nobody has verified is verified before the run is done', async t => {
  const { dir, run, start } = await workspace(t)
  const made = await run([
    'create', '--no-try', '--name', 'x', '--parts', '3', '--command', 'echo right $PIECE_IDX',
    '--verify-command', '[ "$(cat)" = "right $PIECE_IDX" ]'
  ])
  t.equal(made.code, 0, made.stderr)
  const task = parseTask(readFileSync(path.join(dir, 'x.bitworker')))
  const out = path.join(dir, 'out')
  mkdirSync(out)
  const store = await openStore(t, task, out)
  for (let index = 0; index < 3; index++) await put(store, index, index === 1 ? 'wrong 1\n' : `right ${index}\n`)
  await store.finishFile(0, { run: false })
  await close(store)

  const careless = await run(['run', 'x.bitworker', '-o', 'out', '--no-compute', '--exit', ...OFFLINE])
  t.equal(careless.code, 0, careless.stderr)
  t.match(careless.stderr, /Nothing of it is verified/)
  // who does not answer delays the start
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => { silent.close() })
  const peer = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const careful = start(['run', 'x.bitworker', '-o', 'out', '--yes', '--exit', '--json', '--peer', peer, ...OFFLINE])
  t.equal((await careful.ended).code, 0)
  t.equal(readFileSync(path.join(out, 'x'), 'utf8'), 'right 0\nright 1\nright 2\n')
})

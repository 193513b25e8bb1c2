// `run --on-done` and `--on-exit`: when the user's commands run, and what they are told.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Workspace } from '../helpers/cli.ts'

const NAME = 'a $(touch harm) `touch harm`'
const HOOKS = ['--on-done', 'echo "done $TASK $NAME $DIR $(cat "$DIR/$NAME")" >> told', '--on-exit', 'echo "exit $EXIT_CODE" >> told; echo said']

async function create (work: Workspace, command: string): Promise<string> {
  const { events } = await work.run(['create', '--name', NAME, '-o', 't.bitworker', '--parts', '2', '--command', command, '--json'])
  return String(events[0]?.['infoHash'])
}

const told = async ({ dir }: Workspace): Promise<string> => readFile(path.join(dir, 'told'), 'utf8')

test('when the task is done, and before the run exits', async t => {
  const work = await workspace(t)
  const infoHash = await create(work, 'echo $PIECE_IDX')
  const { code, events, stderr } = await work.run(['run', 't.bitworker', '--yes', '--exit', '--json', '-o', 'out', ...OFFLINE, ...HOOKS])
  t.equal(code, 0)
  t.equal(await told(work), `done ${infoHash} ${NAME} ${path.join(work.dir, 'out')} 0\n1\nexit 0\n`, 'names are no commands')
  t.match(stderr, /^said$/m, 'what they print is on stderr')
  t.equal(events.at(-1)?.event, 'stopped')
})

test('a task that fails is not done', async t => {
  const work = await workspace(t)
  await create(work, 'exit 1')
  t.equal((await work.run(['run', 't.bitworker', '--yes', '--exit', ...OFFLINE, ...HOOKS])).code, 1)
  t.equal(await told(work), 'exit 1\n')
})

test('after Ctrl-C', async t => {
  const work = await workspace(t)
  await create(work, 'sleep 1000')
  const run = work.start(['run', 't.bitworker', '--yes', '--json', ...OFFLINE, ...HOOKS])
  await run.event('computing')
  run.kill('SIGINT')
  t.equal((await run.ended).code, 130)
  t.equal(await told(work), 'exit 130\n')
})

test('one that fails is a warning', async t => {
  const work = await workspace(t)
  await create(work, 'echo')
  const { code, events, stderr } = await work.run(['run', 't.bitworker', '--yes', '--exit', '--json', ...OFFLINE, '--on-done', 'exit 7'])
  t.equal(code, 0)
  t.match(stderr, /^Warning: The command of --on-done failed \(exit code 7\)\.$/m)
  t.ok(events.some(({ event, message }) => event === 'warning' && String(message).includes('--on-done')))
})

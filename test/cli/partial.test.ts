// What is left of a task that ended early: under a name that no finished file has.
import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'tape'
import { OFFLINE, workspace } from '../helpers/cli.ts'

const CREATE = ['create', '--no-try', '--piece-length', '64']

test('run --partial', async t => {
  const { dir, run, start } = await workspace(t)
  const read = (name: string): Promise<string> => readFile(path.join(dir, name), 'utf8')
  // parts 1 and 3 need what only a later run shows
  await writeFile(path.join(dir, 'command.sh'), '#!/usr/bin/env bash\n(( PART_IDX % 2 == 0 )) || cat allowed || exit 1\necho "$FILE_IDX.$PART_IDX"\n')
  await writeFile(path.join(dir, 'allowed'), '')
  const made = await run([...CREATE, '--name', 'x', '--file', 'a:5', '--file', 'a.partial:1', '--file', 'b:1', '--command-file', 'command.sh'])
  t.equal(made.code, 0, made.stderr)
  const args = ['run', 'x.bitworker', '--yes', '--exit', '--json', '--partial', '-j', '7', ...OFFLINE]
  const failed = await run(args)
  t.equal(failed.code, 1, 'the exit code is that of the run')
  t.equal(await read('x/a.partial.partial'), '0.0\n0.2\n0.4\n', 'the parts that are there; the name is nobody else\'s')
  t.match(failed.stderr, /^\S*x\/a\.partial\.partial {2}12 B, not finished; missing: parts 1, 3$/m, 'what is missing, in one line')
  t.same(failed.events.filter(({ event }) => event === 'partial').map(({ file, length, missing }) => ({ file, length, missing })),
    [{ file: 'x/a', length: 12, missing: [1, 3] }])
  t.same((await readdir(path.join(dir, 'x'))).sort(), ['a.partial', 'a.partial.partial', 'b'], 'nothing else')

  const again = await run(args)
  t.same([again.code, await read('x/a.partial.partial')], [1, '0.0\n0.2\n0.4\n'], 'the next run writes over it')
  await writeFile(path.join(dir, 'x/a.partial.partial'), 'mine')
  const refused = await run(args)
  t.match(refused.stderr, /^Warning: No partial files were made\. .*a\.partial\.partial already exists: BitWorker did not write it, or it has changed since/m)
  t.equal(await read('x/a.partial.partial'), 'mine', 'but not over what is somebody else\'s')
  t.equal((await run([...args, '--force'])).code, 1)
  t.equal(await read('x/a.partial.partial'), '0.0\n0.2\n0.4\n', 'unless it may')

  const whole = await run([...args, '--bind', 'allowed'])
  t.same([whole.code, await read('x/a')], [0, '0.0\n0.1\n0.2\n0.3\n0.4\n'], 'finished')
  t.notOk(existsSync(path.join(dir, 'x/a.partial.partial')), 'and only that')

  t.equal((await run([...CREATE, '--name', 'slow', '--parts', '3', '--command', '((PIECE_IDX < 2)) || sleep 600; echo $PIECE_IDX'])).code, 0)
  const slow = start(['run', 'slow.bitworker', '--yes', '--json', '--partial', '-j', '3', ...OFFLINE])
  await Promise.all([0, 1].map(piece => slow.event('computed', event => event['piece'] === piece)))
  slow.kill('SIGINT')
  const interrupted = await slow.ended
  t.equal(interrupted.code, 130)
  t.equal(await read('slow.partial'), '0\n1\n')
  t.notOk(existsSync(path.join(dir, 'slow')))
})

test('a complete command needs all parts', async t => {
  const { dir, run } = await workspace(t)
  await run([...CREATE, '--name', 'y', '--parts', '2', '--command', 'exit $PIECE_IDX', '--complete-command', 'cp $PART_LIST "$FILE"'])
  const { code, stderr } = await run(['run', 'y.bitworker', '--yes', '--exit', '--partial', ...OFFLINE])
  t.equal(code, 1)
  t.match(stderr, /^y: not made, because its complete command needs all parts; missing: part 1$/m)
  t.notOk(existsSync(path.join(dir, 'y.partial')))
})

test('create --command-file', async t => {
  const { dir, run } = await workspace(t)
  const create = (...args: string[]): ReturnType<typeof run> => run([...CREATE, '--name', 'z', '--parts', '1', ...args])
  await writeFile(path.join(dir, 'x.py'), '#!/usr/bin/env -S python3 -u\nprint(1)\n')
  await writeFile(path.join(dir, 'binary'), Buffer.from([0x7f, 0xff, 0xfe]))
  for (const [args, says] of [
    [['--command-file', 'x.py'], /begins with #!\/usr\/bin\/env -S python3 -u, but a command is run by bash\. Pass it as --script\./],
    [['--command-file', 'binary'], /not text in UTF-8/],
    [['--command-file', 'nothing'], /nothing: No such file or folder/],
    [['--command-file', 'x.py', '--command', 'true'], /Both --command and --command-file say what to run/]
  ] as const) {
    const { code, stderr } = await create(...args)
    t.equal(code, 2)
    t.match(stderr, says)
  }
  for (const first of ['#!/bin/sh', '#! /usr/bin/bash -e', '#!/usr/bin/env bash', '# none']) {
    await writeFile(path.join(dir, 'script'), `${first}\necho ok\n`)
    const { code, events } = await create('--command-file', 'script', '--force', '--json')
    t.same([code, events[0]?.['command']], [0, `${first}\necho ok\n`])
  }
})

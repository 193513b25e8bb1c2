// What a task asks for, what the volunteer gives, and what a command gets of it: through the real client and sandbox.
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Command } from 'commander'
import test from 'tape'
import { addOptions, confinement } from '../../lib/cli/flags/shared.ts'
import { DEFAULT_LIMITS } from '../../lib/executor/limits.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import type { Workspace } from '../helpers/cli.ts'

const MIB = 2 ** 20
/** KiB of memory (RLIMIT_DATA), and bytes in the working folder. */
const SHOW = 'ulimit -d; stat -f -c "%b %S" . | (read -r blocks size; echo $((blocks * size)))'

/** What the command of a task with these flags gets, and what people are told of it. */
async function seen (
  { dir, run }: Workspace, asks: string[], given: string[]
): Promise<{ memory: number, scratch: number, said: string }> {
  const made = await run(['create', '--name', 'x', '--parts', '1', '--command', SHOW, '--force', ...asks])
  if (made.code !== 0) throw new Error(made.stderr)
  const { code, stderr } = await run([
    'run', 'x.bitworker', '--yes', '--exit', '-o', `out ${asks.join(' ')} ${given.join(' ')}`, ...given, ...OFFLINE
  ])
  if (code !== 0) throw new Error(stderr)
  const [memory, scratch] = (await readFile(path.join(dir, `out ${asks.join(' ')} ${given.join(' ')}`, 'x'), 'utf8'))
    .split('\n')
    .map(Number)
  return { memory: memory! * 1024, scratch: scratch!, said: stderr }
}

test('a command gets the limits that its task asks for, but not more than the volunteer allows', async t => {
  const files = await workspace(t)
  const plain = await seen(files, [], [])
  t.deepEqual(
    [plain.memory, plain.scratch],
    [DEFAULT_LIMITS.memoryBytes, DEFAULT_LIMITS.scratchBytes],
    'who does not ask gets the default'
  )
  t.match(plain.said, /^ {2}it may use {2}1 h, 2 GiB of memory, 512 MiB in its folder, 128 processes per command$/m)
  t.doesNotMatch(plain.said, /it needs/)

  const less = await seen(files, ['--memory', '64M', '--scratch', '8M', '--timeout', '60'], [])
  t.deepEqual([less.memory, less.scratch], [64 * MIB, 8 * MIB], 'less')
  t.match(less.said, /^ {2}it needs {4}64 MiB of memory, 8 MiB in its folder per command$/m)
  t.match(less.said, /it may use {2}1 min, 64 MiB of memory, 8 MiB in its folder/)

  const greedy = await seen(files, ['--memory', '1T', '--scratch', '1G'], [])
  t.deepEqual(
    [greedy.memory, greedy.scratch], [DEFAULT_LIMITS.memoryBytes, DEFAULT_LIMITS.scratchBytes], 'more than anybody gave'
  )
  t.match(
    greedy.said, /less than it needs; to allow it more, pass --max-memory 1099511627776 --max-scratch 1073741824$/m
  )

  const given = await seen(files, ['--memory', '3G'], ['--max-memory', '4G'])
  t.equal(given.memory, 3 * 2 ** 30, 'more, where the volunteer gives it')
  t.doesNotMatch(given.said, /less than it needs/)

  const capped = await seen(
    files, ['--memory', '1G', '--scratch', '64M'], ['--max-memory', '128M', '--max-scratch', '4M']
  )
  t.deepEqual([capped.memory, capped.scratch], [128 * MIB, 4 * MIB], 'the volunteer decides')
})

test('a task that asks for little room cannot write endlessly either, before anybody looks', async t => {
  const { run } = await workspace(t)
  // pauses first: what writes later than a moment after its start is looked at less often
  await run([
    'create',
    '--name',
    'x',
    '--parts',
    '1',
    '--piece-length',
    '1M',
    '--scratch',
    '1M',
    '--command',
    'sleep 0.2; cat /dev/zero'
  ])
  const { code, events } = await run(['run', 'x.bitworker', '--yes', '--exit', '--json', ...OFFLINE])
  t.equal(code, 1)
  const failures = events.filter(({ event }) => event === 'failed')
  t.ok(failures.length > 0 && failures.every(failure => failure['code'] === 'BW_ERR_COMMAND_OUTPUT'))
  for (const { message } of failures) {
    t.ok(Number(/wrote (\d+) bytes/.exec(String(message))?.[1]) <= 16 * MIB, String(message))
  }
})

test('a complete command gets the limits that the task asks for, too', async t => {
  const { dir, run } = await workspace(t)
  await run([
    'create',
    '--name',
    'x',
    '--parts',
    '1',
    '--command',
    'true',
    '--memory',
    '64M',
    '--complete-command',
    'ulimit -d > "$FILE"'
  ])
  t.equal((await run(['run', 'x.bitworker', '--yes', '--exit', ...OFFLINE])).code, 0)
  t.equal(await readFile(path.join(dir, 'x'), 'utf8'), '65536\n')
  await run([
    'create',
    '--name',
    'y',
    '--parts',
    '1',
    '--command',
    'true',
    '--complete-timeout',
    '1',
    '--complete-command',
    'sleep 20; : > "$FILE"'
  ])
  const { code, stderr } = await run(['run', 'y.bitworker', '--yes', '--exit', ...OFFLINE])
  t.equal(code, 1)
  t.match(stderr, /longer than its time limit of 1 s/)
  t.match(stderr, /it may use {2}1 h \(1 s per file at the end\), 2 GiB/)
  t.match(
    stderr,
    /^ {2}time limit {2}none given; the default is 1 h per piece, unless the volunteer sets another\n {14}1 s per file at the end$/m
  )
})

function read (...flags: string[]): unknown {
  return addOptions(new Command(), confinement()).parse(flags, { from: 'user' }).opts()['limits']
}

test('each flag is a limit by its own name', t => {
  t.deepEqual(
    read(...'--max-time 2 --max-cpu 3 --max-memory 4M --max-processes 5 --max-open-files 6 --max-scratch 7M --max-file 8G'
      .split(' ')),
    {
      timeoutMs: 2000,
      cpuMs: 3000,
      memoryBytes: 4 * MIB,
      processes: 5,
      openFiles: 6,
      scratchBytes: 7 * MIB,
      fileBytes: 8 * 1024 * MIB
    }
  )
  t.equal(read(), undefined, 'who says nothing gives what each command gets')
  t.deepEqual(read('--max-time', '2', '--max-time', '3'), { timeoutMs: 3000 }, 'the last one counts')
  t.end()
})

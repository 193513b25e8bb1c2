/** The requirements that every executor meets, the fake one of other tests included. */
import { readFileSync, statSync } from 'node:fs'
import test from 'tape'
import { CommandError } from '../../lib/base/errors.ts'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import type { Executor, RunningItem, WorkItem } from '../../lib/executor/bash-executor.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import { failure, work } from '../helpers/bash-items.ts'
import { createFolder } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'

const { sandbox, problems } = await detectSandbox()

const fakes: Record<string, () => ReturnType<ConstructorParameters<typeof FakeExecutor>[0] & object>> = {
  'printf hello': () => ({ stdout: 'hello' }),
  true: () => ({}),
  'head -c 1000 /dev/zero': () => ({ stdout: new Uint8Array(1000) }),
  'head -c 1001 /dev/zero': () => ({ stdout: new Uint8Array(1001) }),
  'echo oops >&2; exit 3': () => ({ stderr: 'oops', exitCode: 3 }),
  'kill -SEGV $$': () => ({ signal: 'SIGSEGV' }),
  'sleep 1000': () => new Promise(() => {})
}

const executors: Array<[string, () => Executor]> = [
  ['bash', () => new BashExecutor({ shells: 'fresh' })],
  ['warm bash', () => new BashExecutor({ shells: 'warm' })],
  ['bash in a sandbox', () => new BashExecutor({ sandbox: sandbox! })],
  ['fake', () => new FakeExecutor(({ command }) => fakes[command]!())]
]

for (const [name, create] of executors) {
  test(`${name} executor: ends of an item`, async t => {
    if (name === 'bash in a sandbox' && sandbox === null) return t.fail(problems.join('; '))
    const folder = createFolder(t)
    const executor = create()
    const run = (command: string, more?: Partial<WorkItem>): RunningItem => executor.run(work(folder, command, more))

    const hello = work(folder, 'printf hello')
    const { size, stderr, ms } = await executor.run(hello).done
    t.deepEqual(
      { size, stderr, out: readFileSync(hello.stdout, 'utf8') },
      { size: 5, stderr: '', out: 'hello' },
      'stdout is in the part file'
    )
    t.ok(ms > 0, 'it took some time')
    t.equal(statSync(hello.stdout).mode & 0o777, 0o600, 'the part file is private')
    t.equal((await run('true').done).size, 0, 'no output is a result')
    t.equal((await run('head -c 1000 /dev/zero').done).size, 1000, 'exactly the limit is a result')

    const tooMuch = await failure(run('head -c 1001 /dev/zero'))
    t.equal(tooMuch.code, 'BW_ERR_COMMAND_OUTPUT', 'one byte more is a failure')
    t.match(tooMuch.message, /1001 bytes.*1000 bytes/, 'which names both sizes')

    const exit = await failure(run('echo oops >&2; exit 3'))
    t.ok(exit instanceof CommandError)
    t.deepEqual(
      [exit.code, exit.exitCode, exit.signal, exit.stderr], ['BW_ERR_COMMAND_EXIT', 3, null, 'oops'], 'exit code'
    )
    const signal = await failure(run('kill -SEGV $$'))
    t.deepEqual([signal.code, signal.exitCode, signal.signal], ['BW_ERR_COMMAND_SIGNAL', null, 'SIGSEGV'], 'signal')
    t.equal((await failure(run('sleep 1000', { timeoutMs: 100 }))).code, 'BW_ERR_COMMAND_TIMEOUT', 'time-out')

    const killed = run('sleep 1000')
    killed.kill()
    killed.kill()
    t.equal((await failure(killed)).code, 'BW_ERR_COMMAND_KILLED', 'killed at once, twice')
    t.equal(
      (await failure(executor.run(hello))).code, 'BW_ERR_OUTPUT_FOLDER', 'a part file that exists is not overwritten'
    )
    t.equal(readFileSync(hello.stdout, 'utf8'), 'hello')

    const open = [run('sleep 1000'), run('sleep 1000')]
    open[1]!.pause()
    await executor.close()
    for (const item of open) {
      t.equal((await failure(item)).code, 'BW_ERR_COMMAND_KILLED', 'killed by close, paused or not')
    }
    t.equal((await failure(run('printf hello'))).code, 'BW_ERR_COMMAND_KILLED', 'nothing runs after close')
    await executor.close()
  })
}

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import type { Test } from 'tape'
import { CommandError } from '../../lib/base/errors.ts'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import type { Executor, RunningItem, WorkItem } from '../../lib/executor/bash-executor.ts'
import { commandEnv } from '../../lib/executor/env.ts'
import { Sessions } from '../../lib/executor/process/sessions.ts'
import { cleanText, lastLines } from '../../lib/executor/process/stderr.ts'
import { WAIT } from '../../lib/executor/process/watchdog.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import { isRunning, readStat } from '../../lib/system/process-table.ts'
import { cleanUp, createFolder, livingIn, rejection, statesIn, until } from '../helpers/disk.ts'
import { FakeExecutor } from '../helpers/fake-executor.ts'

const { sandbox, problems } = await detectSandbox()
let count = 0

const openFiles = (): number => readdirSync('/proc/self/fd').length

function work (folder: string, command: string, more: Partial<WorkItem> = {}): WorkItem & { stdout: string } {
  return {
    command,
    env: {},
    cwd: folder,
    stdout: path.join(folder, `out-${count++}`),
    maxOutputBytes: 1000,
    timeoutMs: 0,
    ...more
  } as WorkItem & { stdout: string }
}

function bash (
  t: Test, opts?: ConstructorParameters<typeof BashExecutor>[0]
): { folder: string, executor: BashExecutor } {
  const folder = createFolder(t)
  const executor = new BashExecutor(opts)
  cleanUp(t, () => executor.close())
  return { folder, executor }
}

async function failure (item: RunningItem): Promise<CommandError> {
  return rejection<CommandError>(item.done)
}

//
// WHAT EVERY EXECUTOR KEEPS
//

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

//
// BASH
//

/** Tests both ways of running an item; `leaders` of a session are left when an item has ended: the warm shell. */
function both (name: string, run: (t: Test, shells: 'fresh' | 'warm', leaders: 0 | 1) => Promise<void>): void {
  test(name, async t => run(t, 'fresh', 0))
  test(`${name} (warm shells)`, async t => run(t, 'warm', 1))
}

both('the environment is an allow-list', async (t, shells) => {
  const parent = {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    LC_ALL: 'C',
    TZ: 'UTC',
    SECRET_TOKEN: 's3cret',
    HOME: '/root',
    BASH_ENV: '/x',
    LD_PRELOAD: ''
  }
  const { folder, executor } = bash(t, { env: parent, shells })
  const item = work(folder, 'env -0', { env: { PIECE_IDX: '7', TRICKY: 'a\nb=c' } })
  await executor.run(item).done
  const seen = Object.fromEntries(
    readFileSync(item.stdout, 'utf8')
      .split('\0')
      .slice(0, -1)
      .map(entry => /^([^=]*)=(.*)$/s.exec(entry)!.slice(1, 3) as [string, string])
  )
  const ofBash = new Set(['PWD', 'SHLVL', '_', 'OLDPWD'])
  t.deepEqual(Object.fromEntries(Object.entries(seen).filter(([name]) => !ofBash.has(name))), {
    HOME: folder,
    LANG: 'C.UTF-8',
    LC_ALL: 'C',
    PATH: `${parent.PATH}:${folder}`,
    PIECE_IDX: '7',
    TMPDIR: folder,
    TRICKY: 'a\nb=c',
    TZ: 'UTC'
  })
  t.equal(commandEnv({}, '/s', {})['PATH'], '/usr/local/bin:/usr/bin:/bin:/s', 'a default for PATH')
  t.equal(commandEnv({ LC_X$: 'a', LCD: 'b', LANGUAGE: 'c' }, '/s', {})['LANGUAGE'], undefined, 'no near misses')
})

both('no file descriptor of the parent, no stdin, arguments', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const item = work(folder, 'cat; cd /proc/$BASHPID/fd; echo *')
  await executor.run(item).done
  const inherited = spawnSync('/bin/bash', ['-c', 'cd /proc/$$/fd; echo *'], {
    stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8'
  }).stdout
  t.equal(readFileSync(item.stdout, 'utf8'), inherited, 'only what any child of this process inherits')
  const given = work(folder, 'echo "$0 $1"', { args: ['zero', 'one two'] })
  await executor.run(given).done
  t.equal(readFileSync(given.stdout, 'utf8'), 'zero one two\n')
})

both('stderr: a flood, escape sequences, /dev/stderr, the last lines', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const run = (command: string): RunningItem => executor.run(work(folder, command))
  const temporary = createFolder(t)
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = temporary
  cleanUp(t, () => { if (before === undefined) delete process.env['TMPDIR']; else process.env['TMPDIR'] = before })
  t.equal(
    (await run('echo one >/dev/stderr; printf "\\033[31mred\\033[0m \\a\\001two\\r\\n" >&2').done).stderr,
    'one\nred two'
  )
  const flood = await failure(run('seq 1 300000 >&2; echo last >&2; exit 1'))
  t.equal(flood.stderr.split('\n').length, 20, 'only the last lines are kept')
  t.match(flood.stderr, /\n299999\n300000\nlast$/)
  t.match(flood.message, /exited with code 1: last$/, 'the last one is in the message')
  const endless = run('yes >&2')
  await until('the flood runs', () => livingIn(endless.pid!).length > 0)
  endless.kill()
  t.equal((await failure(endless)).code, 'BW_ERR_COMMAND_KILLED', 'an endless flood is no obstacle')
  t.equal((await run('true').done).stderr, '', 'nothing of it is seen by the next one')
  t.deepEqual(readdirSync(temporary), [], 'it leaves no file behind')
  process.env['TMPDIR'] = '/nowhere'
  t.deepEqual(
    await Promise.all(
      ['echo a >&2', 'echo b >&2', 'echo c >&2'].map(async command => (await run(command).done).stderr)
    ),
    ['a', 'b', 'c'],
    'nor does it need a temporary folder'
  )
  t.deepEqual(readdirSync(folder).filter(name => name.endsWith('.stderr')), [])
})

test('lastLines and cleanText', t => {
  const table: Array<[string, string]> = [
    ['plain', 'plain'],
    ['\u001B[1;31mbold\u001B[m', 'bold'],
    ['\u001B]0;title\u0007after', 'after'],
    ['\u001B]8;;http://x\u001B\\link\u001B]8;;\u001B\\', 'link'],
    ['\u009B31mC1', 'C1'],
    ['\u001BPdevice\u001B\\x', 'x'],
    ['tab\tstays\nlines stay', 'tab\tstays\nlines stay'],
    ['10%\r20%\r\n30%', '10%\n20%\n30%'],
    ['\u202Eevil\u2066', 'evil'],
    ['\u0000\u0008\u007F\u0085', ''],
    ['cut \u001B[', 'cut ']
  ]
  for (const [raw, clean] of table) t.equal(cleanText(raw), clean, JSON.stringify(raw))
  t.equal(lastLines('rest of a line\nwhole\n', true), 'whole', 'a line that was cut is left out')
  t.equal(lastLines('only one', true), 'only one', 'unless there is no other')
  t.equal(lastLines('x'.repeat(5000), false).length, 2001, 'a long line is cut')
  t.end()
})

both('a kill takes everything in the session', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const commands = [
    'sleep 1000',
    'sleep 1000 & sleep 1000 & wait',
    'trap "" TERM INT HUP; sleep 1000; sleep 1000',
    '(trap "" TERM; sleep 1000) | sleep 1000',
    'timeout 1000 sleep 1000',
    'set -m; sleep 1000 & sleep 1000 & wait',
    'kill -STOP $$'
  ]
  for (const command of commands) {
    const item = executor.run(work(folder, `echo; ${command}`))
    const sid = item.pid!
    const isUp = (): boolean =>
      /STOP/.test(command)
        ? statesIn(sid).includes('T')
        : livingIn(sid).some(pid => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n')
    await until(`runs: ${command}`, isUp)
    item.kill()
    t.equal((await failure(item)).code, 'BW_ERR_COMMAND_KILLED', command)
    t.deepEqual(livingIn(sid), [], 'nothing of it lives')
    t.equal(item.pid, undefined)
  }
})

both('what an item leaves running ends with it', async (t, shells, leaders) => {
  const { folder, executor } = bash(t, { shells })
  for (const command of [
    'sleep 1000 >/dev/null & echo hi',
    'nohup sleep 1000 >/dev/null 2>&1 & echo hi',
    '(exec >&-; sleep 1000; echo late) & echo hi'
  ]) {
    const item = executor.run(work(folder, command))
    const sid = item.pid!
    t.equal((await item.done).size, 3, command)
    t.equal(livingIn(sid).length, leaders, 'nothing of it lives')
  }
  const item = executor.run(
    work(
      folder,
      'timeout 1000 sleep 1000 >/dev/null & until read -r _ _ _ _ group _ < /proc/$!/stat && [ "$group" != $BASHPID ]; do :; done'
    )
  )
  const sid = item.pid!
  await item.done
  await until('what made itself a group of its own is gone too', () => livingIn(sid).length === leaders)
  t.pass('even in a group of its own')
})

both('output beyond the limit ends an endless command', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const endless = executor.run(work(folder, 'yes & yes'))
  const sid = endless.pid!
  const err = await failure(endless)
  t.equal(err.code, 'BW_ERR_COMMAND_OUTPUT')
  t.deepEqual(livingIn(sid), [])
  t.equal(
    (await failure(executor.run(work(folder, 'truncate -s 1T /dev/stdout')))).code,
    'BW_ERR_COMMAND_EXIT',
    'there can be no hole'
  )
})

both('pause and resume; the time-out stands still', async (t, shells, leaders) => {
  const { folder, executor } = bash(t, { shells })
  const item = executor.run(work(folder, 'timeout 1000 sleep 1000 & wait', { timeoutMs: 1500 }))
  const sid = item.pid!
  await until('all run', () => livingIn(sid).length === 3 + leaders)
  item.pause()
  item.pause()
  await until('all are stopped', () => statesIn(sid).every(state => state === 'T'))
  const other = executor.run(work(folder, 'sleep 1000', { timeoutMs: 1700 }))
  t.equal(
    (await failure(other)).code, 'BW_ERR_COMMAND_TIMEOUT', 'another item, started later, ran out of a longer time'
  )
  t.equal(livingIn(sid).length, 3 + leaders, 'the paused one did not')
  item.resume()
  item.resume()
  t.equal((await failure(item)).code, 'BW_ERR_COMMAND_TIMEOUT', 'it goes on, and then does')
  const quick = executor.run(work(folder, 'sleep 0.2; echo done'))
  quick.pause()
  await until('it is stopped', () => statesIn(sid).every(state => state === 'T'))
  quick.resume()
  t.equal((await quick.done).size, 5, 'an item ends well after a pause')
  quick.pause()
  quick.resume()
  quick.kill()
})

both('stopped and let go on while it starts processes', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const one = async (): Promise<number> => {
    const item = executor.run(work(folder, 'for i in 1 2 3; do sleep 0.01; done; echo done'))
    item.pause()
    item.resume()
    return (await item.done).size
  }
  let rounds = 0
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (rounds++ < 160) if ((await one()) !== 5) t.fail('incomplete')
    })
  )
  t.pass('none of them stays stopped')
})

test('what cannot be started', async t => {
  const { folder, executor } = bash(t, { shell: '/nowhere/bash' })
  const noShell = await failure(executor.run(work(folder, 'true')))
  t.equal(noShell.code, 'BW_ERR_NO_SHELL')
  t.match(noShell.message, /\/nowhere\/bash is missing.*Install/)
  const real = bash(t)
  t.equal(
    (await failure(real.executor.run(work(folder, 'true', { cwd: '/nowhere' })))).code,
    'BW_ERR_COMMAND_SPAWN',
    'no such working directory'
  )
  t.equal(
    (await failure(real.executor.run(work(folder, 'true', { env: { BIG: 'x'.repeat(200_000) } })))).code,
    'BW_ERR_COMMAND_SPAWN',
    'a variable beyond 128 KiB'
  )
  t.equal(
    (await failure(real.executor.run(work(folder, 'true', { env: { NUL: '\0' } })))).code,
    'BW_ERR_COMMAND_SPAWN',
    'a NUL'
  )
  t.equal(
    (await failure(real.executor.run(work('/nowhere', 'true')))).code,
    'BW_ERR_OUTPUT_FOLDER',
    'no folder for the part file'
  )
  writeFileSync(path.join(folder, 'not-bash'), 'x')
  t.equal(
    (await failure(bash(t, { shell: path.join(folder, 'not-bash') }).executor.run(work(folder, 'true')))).code,
    'BW_ERR_NO_SHELL',
    'a shell without x'
  )
})

both('one watchdog, which ends with its executor and is replaced when killed', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  t.equal(executor.watchdogPid, undefined, 'none before it is needed')
  await executor.run(work(folder, 'true')).done
  const watchdog = executor.watchdogPid!
  const item = executor.run(work(folder, 'sleep 1000'))
  t.equal(executor.watchdogPid, watchdog, 'one for all')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(watchdog, signal)
  process.kill(watchdog, 'SIGKILL')
  await until('the watchdog is gone', () => executor.watchdogPid !== watchdog)
  await executor.run(work(folder, 'true')).done
  const second = executor.watchdogPid!
  t.notEqual(second, watchdog)
  item.kill()
  await executor.close()
  t.notOk(isRunning(second), 'gone after close')
})

both('the watchdog outlives signals that it is not meant to obey', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  const item = executor.run(work(folder, 'sleep 1000'))
  const watchdog = executor.watchdogPid!
  await until(
    'it waits for lines',
    () =>
      readFileSync(`/proc/${watchdog}/comm`, 'utf8') === 'sh\n' &&
      /^SigIgn:\s*0*[0-9a-f]*[4-7c-f][0-9a-f]{3}$/m.test(readFileSync(`/proc/${watchdog}/status`, 'utf8'))
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) process.kill(watchdog, signal)
  await executor.run(work(folder, 'true')).done
  t.equal(executor.watchdogPid, watchdog)
  t.ok(isRunning(watchdog))
  item.kill()
})

test('the watchdog remembers what is left', t => {
  const folder = createFolder(t)
  const shell = path.join(folder, 'shell')
  writeFileSync(shell, '#!/bin/sh\necho "$6|$7 $8 $9"\n', { mode: 0o755 })
  // far beyond every process's number, as it is to kill them
  const [a, b, c] = [90_000_001, 900_000_012, 90_000_0123]
  const table: Array<[string, string]> = [
    [`+${a}\n+${b}\n+${c}\n`, `m|${a} ${b} ${c}\n`],
    [`+${a}\n+${b}\n+${c}\n-${a}\n`, `m|${b} ${c} \n`],
    [`+${a}\n+${b}\n+${c}\n-${b}\n`, `m|${a} ${c} \n`],
    [`+${a}\n+${b}\n+${c}\n-${c}\n`, `m|${a} ${b} \n`],
    [`+${b}\n-${a}\n-1\n-9\n`, `m|${b}  \n`],
    [`+${a}\n-${a}\n+${b}\n-${b}\n+${a}\n`, `m|${a}  \n`],
    [`+${a}\n-${a}\n`, 'm|  \n'],
    ['', 'm|  \n'],
    [`+${a}\n.\n`, ''],
    [`+${a}\n+${b}`, `m|${a}  \n`]
  ]
  for (const sh of ['/bin/sh', '/bin/bash']) {
    for (const [input, expected] of table) {
      t.equal(
        spawnSync(sh, ['-c', WAIT, 'watchdog', shell, 'KILL', 'm'], { input, encoding: 'utf8' }).stdout,
        expected,
        `${sh}: ${JSON.stringify(input)}`
      )
    }
    t.equal(
      spawnSync(sh, ['-c', WAIT, 'watchdog', shell, 'KILL', ''], { input: `+${a}\n-${a}\n`, encoding: 'utf8' }).stdout,
      '',
      'nothing is left'
    )
  }
  t.end()
})

test('no command begins before the watchdog has heard of it', async t => {
  const folder = createFolder(t)
  const [launch, spawned] = ['launch', 'process/spawn'].map(name =>
    JSON.stringify(new URL(`../../lib/executor/${name}.ts`, import.meta.url).href)
  )
  const script = `
    import { openSync, writeFileSync } from 'node:fs'
    import { PlainLauncher } from ${launch}
    import { spawnLaunch } from ${spawned}
    const launch = new PlainLauncher('/bin/bash', process.env).launch({ command: 'echo begun; sleep 1000', cwd: '.', env: {} })
    spawnLaunch(launch, openSync('out', 'wx'), openSync('err', 'wx'), pid => {
      writeFileSync('pid', String(pid))
      process.kill(process.pid, 'SIGKILL')
    })`
  const client = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, stdio: 'ignore' })
  await once(client, 'exit')
  const pid = Number(readFileSync(path.join(folder, 'pid'), 'utf8'))
  await until('it has ended', () => livingIn(pid).length === 0)
  t.equal(readFileSync(path.join(folder, 'out'), 'utf8'), '')
})

test('a process that is seen late is let go on, too', async t => {
  const sessions = new Sessions()
  const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
  cleanUp(t, () => sessions.end(child.pid!))
  sessions.order(child.pid!, 'SIGCONT')
  for (const ms of [20, 200]) {
    await new Promise(resolve => { setTimeout(resolve, ms) }) // later than the first looks, or than the second
    process.kill(child.pid!, 'SIGSTOP')
    await until('it runs', () => readStat(child.pid!)?.[0] === 'S')
  }
  t.pass('both times')
})

test('a pause at the very end of an item does not stop the next one', async t => {
  const { folder, executor } = bash(t, { shells: 'warm' })
  const start = (): RunningItem =>
    executor.run(work(folder, 'sleep 1000 >/dev/null & echo $ROUND', { env: { ROUND: '1' }, timeoutMs: 10_000 }))
  for (let round = 0; round < 30; round++) {
    const item = start()
    const state = { isOver: false }
    const done = item.done.finally(() => { state.isOver = true })
    for (let turn = round; !state.isOver; turn++) {
      if (turn % 2 === 0) item.pause()
      else item.resume()
      await new Promise(resolve => { setImmediate(resolve) })
    }
    await done
    await start().done
  }
  t.pass('none hangs')
})

for (const how of ['SIGKILL', 'SIGTERM'] as const) {
  both(`nothing survives the client's ${how}`, async (t, shells) => {
    const folder = createFolder(t)
    const program = fileURLToPath(new URL('../fixtures/runaway-client.ts', import.meta.url))
    const commands = ['sleep 1000 & sleep 1000', 'trap "" TERM; timeout 1000 sleep 1000; sleep 1000', 'kill -STOP $$']
    const client = spawn(process.execPath, [program, folder, shells, ...commands], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    const [line] = await once(client.stdout.setEncoding('utf8'), 'data') as [string]
    const { items, watchdog } = JSON.parse(line) as { items: number[], watchdog: number }
    cleanUp(t, () => { for (const sid of items) try { process.kill(-sid, 'SIGKILL') } catch {} })
    await until('everything runs', () => livingIn(...items).length >= 6)
    t.ok(isRunning(watchdog), 'a watchdog watches')
    process.kill(client.pid!, how)
    await once(client, 'exit')
    await until('nothing lives', () => livingIn(...items, watchdog).length === 0)
    t.pass('all is gone, the watchdog too')
  })
}

both('nothing survives process.exit, and a watchdog keeps no process alive', async (t, shells) => {
  const folder = createFolder(t)
  const lib = new URL('../../lib/executor/bash-executor.ts', import.meta.url).href
  const script = `
    import { BashExecutor } from ${JSON.stringify(lib)}
    const executor = new BashExecutor({ shells: '${shells}' })
    const item = (n, command) => ({ command, env: {}, cwd: '.', stdout: 'o' + n, maxOutputBytes: 9, timeoutMs: 0 })
    await executor.run(item(1, 'true')).done
    if (process.argv[1] === 'exit') {
      console.log(executor.run(item(2, 'sleep 1000 & sleep 1000')).pid)
      process.exit()
    }`
  for (const how of ['exit', 'end']) {
    mkdirSync(path.join(folder, how))
    const client = spawn(process.execPath, ['--input-type=module', '-e', script, how], {
      cwd: path.join(folder, how), stdio: ['ignore', 'pipe', 'inherit']
    })
    let out = ''
    client.stdout.setEncoding('utf8').on('data', (text: string) => { out += text })
    const [code] = await once(client, 'close') as [number]
    t.equal(code, 0, `ends by itself (${how})`)
    if (how === 'exit') await until('all is gone', () => livingIn(Number(out)).length === 0)
  }
})

both('a stream of tiny items leaves the event loop its turns', async (t, shells) => {
  const { folder, executor } = bash(t, { shells })
  let turns = 0
  const timer = setInterval(() => { turns++ }, 1)
  cleanUp(t, () => { clearInterval(timer) })
  let next = 0
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next++ < 240) await executor.run(work(folder, 'true')).done
    })
  )
  t.ok(turns >= 10, `a timer ran ${turns} times`)
})

both('many items leave no handle, no listener and no file behind', async (t, shells) => {
  const atStart = openFiles()
  const { folder, executor } = bash(t, { shells })
  const one = async (i: number): Promise<number> =>
    (await executor.run(work(folder, 'echo $((PIECE_IDX*PIECE_IDX))', { env: { PIECE_IDX: String(i) } })).done).size
  await Promise.all(Array.from({ length: 8 }, () => one(0)))
  const before = openFiles()
  const sizes: number[] = []
  let next = 1
  await Promise.all(Array.from({ length: 8 }, async () => { while (next <= 400) sizes.push(await one(next++)) }))
  t.equal(sizes.length, 400)
  t.ok(openFiles() <= before + 2 * 128, 'no more open files than before, and pipes made ahead')
  await until('no process keeps this one alive', () => !process.getActiveResourcesInfo().includes('ProcessWrap'))
  const others = Array.from({ length: 20 }, () => new BashExecutor())
  await Promise.all(others.map(async other => other.run(work(folder, 'true')).done))
  t.equal(
    process.listeners('exit').filter(fn => fn.name === 'onProcessExit').length, 1, 'one listener for all executors'
  )
  await Promise.all([...others, executor].map(async other => other.close()))
  t.equal(
    process.listeners('exit').filter(fn => fn.name === 'onProcessExit').length, 0, 'and none when they are closed'
  )
  t.equal(openFiles(), atStart, 'nor is any file open')
})

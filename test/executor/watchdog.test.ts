/** Nothing that an item started outlives the process that ran it. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { WAIT } from '../../lib/executor/process/watchdog.ts'
import { isRunning } from '../../lib/system/process-table.ts'
import { bash, both, work } from '../helpers/bash-items.ts'
import { cleanUp, createFolder, livingIn, until } from '../helpers/disk.ts'

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

test('the watchdog remembers the remaining groups', t => {
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

import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import test from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { commandEnv } from '../../lib/executor/env.ts'
import { bash, both, failure, work } from '../helpers/bash-items.ts'
import { cleanUp, livingIn, until } from '../helpers/disk.ts'

const openFiles = (): number => readdirSync('/proc/self/fd').length

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

test('commands that cannot be started', async t => {
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

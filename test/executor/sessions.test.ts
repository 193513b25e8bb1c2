/** Kill, pause and resume reach every process of an item, and only those. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import test from 'tape'
import type { RunningItem } from '../../lib/executor/bash-executor.ts'
import { Sessions } from '../../lib/executor/process/sessions.ts'
import { readStat } from '../../lib/system/process-table.ts'
import { bash, both, failure, work } from '../helpers/bash-items.ts'
import { cleanUp, livingIn, statesIn, until } from '../helpers/disk.ts'

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

both('processes that an item leaves running end with it', async (t, shells, leaders) => {
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

both('paused and resumed while it starts processes', async (t, shells) => {
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

test('a process that is noticed late is continued, too', async t => {
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

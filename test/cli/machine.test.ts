// The limits of a volunteer's machine, in runs.
import { readFileSync, readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import process from 'node:process'
import test from 'tape'
import { readStat } from '../../lib/system/process-table.ts'
import { OFFLINE, workspace } from '../helpers/cli.ts'
import { until } from '../helpers/disk.ts'

test('outside its hours, nothing is computed, and status says why', async t => {
  const work = await workspace(t)
  await work.run(['create', '--name', 'squares', '--parts', '4', '--command', 'echo'])
  const now = new Date().getHours()
  const hours = `${(now + 2) % 24}-${(now + 3) % 24}`
  const run = work.start(['run', 'squares.bitworker', '--yes', '--json', '--hours', hours, ...OFFLINE])
  t.deepEqual(await run.event('paused'), { event: 'paused', reasons: [`hours ${hours}`], running: 'suspend' })
  t.match((await work.run(['status'])).stdout, new RegExp(`paused: hours ${hours}`))
  t.match((await work.run(['resume'])).stdout, new RegExp(`paused: hours ${hours}`), 'a limit is not taken back by it')
  run.kill('SIGINT')
  t.equal((await run.ended).code, 130)
  t.notOk(run.events.some(({ event }) => event === 'computed'))
  const inside = await work.run(['run', 'squares.bitworker', '--yes', '--exit', '--hours', `${now}-${(now + 2) % 24}`, ...OFFLINE])
  t.equal(inside.code, 0)
})

test('nothing starts without memory', async t => {
  const work = await workspace(t)
  await work.run(['create', '--name', 'squares', '--parts', '4', '--command', 'echo'])
  const run = work.start(['run', 'squares.bitworker', '--yes', '--json', '-j', '50%', '--memfree', '1000T', ...OFFLINE])
  t.deepEqual((await run.event('paused'))['reasons'], ['less than 1000 TiB of memory available'])
  const { events: [status] } = await work.run(['status', '--json'])
  const { slots, computing } = status!['running'] as Record<string, unknown>
  t.deepEqual([slots, computing], [Math.max(1, Math.floor(availableParallelism() / 2)), 'paused'])
  t.match((await work.run(['finish'])).stdout, /finishing/)
  t.equal((await run.ended).code, 130, 'nothing ran, so it ends at once')
})

test('commands are as nice as they should be', async t => {
  const work = await workspace(t)
  const mark = `100.${process.pid}`
  await work.run(['create', '--name', 'squares', '--parts', '1', '--command', `sleep ${mark}`])
  const run = work.start(['run', 'squares.bitworker', '--yes', '--json', '--nice', '19', ...OFFLINE])
  await run.event('computing')
  const sleeping = (): string | undefined => readdirSync('/proc').find(name => /^\d+$/.test(name) && commandOf(name) === `sleep\0${mark}\0`)
  await until('it sleeps', () => sleeping() !== undefined)
  t.equal(readStat(sleeping()!)?.[16], '19')
  run.kill('SIGINT')
  await run.ended
})

function commandOf (pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

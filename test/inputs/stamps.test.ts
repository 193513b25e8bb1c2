// The check of an input's files after a command does not block, and one serves all who asked before it began.
import { setImmediate } from 'node:timers/promises'
import test from 'tape'
import { SharedCheck } from '../../lib/inputs/stamps.ts'

const FILES = 1000

test('many files are looked at in turn with everything else', async t => {
  let looked = 0
  const check = new SharedCheck(() => Array(FILES).keys(), () => ++looked > 0)
  const running = check.run()
  await setImmediate()
  t.ok(looked < FILES, `${looked} files in one turn`)
  t.ok(await running)
  t.equal(looked, FILES)
})

test('who asks gets a check that begins later, together with others', async t => {
  let looked = 0
  const bad = new Set<number>()
  const check = new SharedCheck(() => Array(FILES).keys(), file => {
    looked++
    return !bad.has(file)
  })
  const first = check.run()
  // the first check has passed it already
  bad.add(0)
  const later = [check.run(), check.run(), check.run()]
  t.equal(await first, true)
  t.deepEqual(await Promise.all(later), [false, false, false])
  t.equal(looked, FILES + 1, 'one for three')
  bad.clear()
  t.equal(await check.run(), true)
  const broken = new SharedCheck<number>(() => [1], () => { throw new Error('not accessible') })
  t.equal(await broken.run(), false)
})

test('after a long check the next one waits, for all who ask meanwhile, and sees what has changed', async t => {
  let [now, looked, isGood] = [0, 0, true]
  const timers: Array<{ ms: number, callback: () => void }> = []
  const after = (ms: number, callback: () => void): () => void => {
    timers.push({ ms, callback })
    return () => {}
  }
  // 50 ms for all
  const isIntact = (): boolean => {
    now += 0.05
    looked++
    return isGood
  }
  const check = new SharedCheck(() => Array(FILES).keys(), isIntact, { now: () => now, after })
  t.ok(await check.run(), 'the first one at once')
  now += 50
  const asked = [check.run(), check.run()]
  isGood = false
  asked.push(check.run())
  t.ok(await check.before(), 'as it was, for those that ask again later')
  await setImmediate()
  t.deepEqual([looked, timers.length], [FILES, 1])
  t.ok(Math.abs(timers[0]!.ms - 400) <= 1, `${timers[0]!.ms} ms`)
  now += timers[0]!.ms
  timers[0]!.callback()
  t.deepEqual(await Promise.all(asked), [false, false, false])
  t.notOk(await check.before(), 'what is known to be wrong is not given')
  now += 1_000
  isGood = true
  t.ok(await check.run(), 'at once, after a rest')
  t.equal(timers.length, 1)
})

test('few files are looked at whenever somebody asks', async t => {
  let [now, looked] = [0, 0]
  const after = (): () => void => {
    t.fail('waits')
    return () => {}
  }
  const check = new SharedCheck(() => [0], () => {
    now += 0.1
    return ++looked > 0
  }, { now: () => now, after })
  t.ok(await check.run())
  t.ok(await check.run())
  t.ok(await check.before())
  t.equal(looked, 3)
})

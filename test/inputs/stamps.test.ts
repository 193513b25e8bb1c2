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

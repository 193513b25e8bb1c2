// Which stored results are held back while checks are open, and when they are no longer waited for.
import test from 'tape'
import type { BitWorkerError } from '../../lib/base/errors.ts'
import { ABSENT_MS, HeldResults } from '../../lib/session/held-results.ts'
import type { Reach } from '../../lib/session/held-results.ts'
import { createTask } from '../../lib/task/task.ts'

/** Two pieces in one file; the second one needs a second look. */
function held ({ isSettled = true, isSampling = false } = {}) {
  const told = { settled: 0, warnings: [] as BitWorkerError[] }
  const results = new HeldResults(createTask({ name: 'out', command: 'true', parts: 2 }), {
    verification: () => ({ isSettled, isSampling }),
    settled: () => { told.settled++ },
    warn: err => { told.warnings.push(err) }
  })
  results.setComputing(true)
  results.set(1, true, isSettled)
  const look = (now: number, reach: Reach, isIdle = true): boolean => results.look(now, { isIdle, reach })
  return { results, told, look }
}

test('a second look whose inputs are nowhere is waited for only for a while, which is said once', t => {
  const { results, told, look } = held()
  t.notOk(results.mayFinish(0) || results.isReadable(1))
  t.notOk(look(0, 'absent') || look(ABSENT_MS - 1, 'absent') || results.mayFinish(0), 'time to find peers')
  t.ok(look(ABSENT_MS, 'absent'), 'then it is not waited for')
  t.ok(results.mayFinish(0) && results.isReadable(1))
  t.same(told.warnings.map(({ code }) => code), ['BW_ERR_UNCHECKED'])
  t.notOk(look(ABSENT_MS + 1, 'coming') || results.mayFinish(0) || results.isReadable(1), 'the inputs come: it is again')
  t.notOk(look(ABSENT_MS + 2, 'absent') || results.mayFinish(0), 'it begins anew')
  t.ok(look(2 * ABSENT_MS + 2, 'absent') && results.mayFinish(0))
  t.equal(told.warnings.length, 1)
  t.end()
})

test('while inputs come, or something is computed, second looks are waited for', t => {
  for (const [reach, isIdle] of [['coming', true], ['here', true], ['absent', false]] as const) {
    const { results, told, look } = held()
    look(0, 'absent')
    look(1, reach, isIdle)
    look(ABSENT_MS, 'absent')
    look(1_000 * ABSENT_MS, reach, isIdle)
    t.notOk(results.mayFinish(0), `${reach}, ${isIdle ? 'idle' : 'busy'}`)
    t.same(told.warnings, [])
  }
  t.end()
})

test('lots whose inputs are nowhere are not waited for; a sample that was asked for is', t => {
  for (const isSampling of [false, true]) {
    const { results, told, look } = held({ isSettled: false, isSampling })
    t.notOk(results.mayFinish(0))
    const before = told.settled
    look(0, 'absent')
    look(ABSENT_MS, 'absent')
    t.equal(results.mayFinish(0), !isSampling)
    t.equal(told.settled - before, isSampling ? 0 : 1, 'files are looked at again')
  }
  t.end()
})

test('nothing is said where nothing is to be checked', t => {
  const { results, told, look } = held()
  results.set(1, true, false)
  look(0, 'absent')
  look(ABSENT_MS, 'absent')
  t.same(told.warnings, [])
  t.end()
})

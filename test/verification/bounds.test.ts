// Nothing from outside takes room without bound, or the room of others.
import test from 'tape'
import { Ledger } from '../../lib/verification/ledger.ts'
import { accounted, result, wrong } from '../helpers/verification.ts'

const MAX_KEYS = 10_000

test('keys have room for ten thousand strangers; members have their own', t => {
  const ledger = new Ledger()
  for (let key = 0; key < MAX_KEYS; key++) ledger.open(`key ${key}`)
  t.equal(ledger.open('one more'), undefined)
  t.ok(ledger.open('key 7'), 'those that are known are still heard')
  t.equal(ledger.openMember('mia', 'lab')?.number, MAX_KEYS + 1)
  t.equal([...ledger].length, MAX_KEYS + 1)
  t.end()
})

test('a new key takes the place of one that was excluded, and of what it attested', t => {
  const { verification, say } = accounted({ pieceCount: MAX_KEYS + 1 })
  for (let key = 0; key < MAX_KEYS; key++) say(`key ${key}`, key)
  t.equal(say('ann', 0), 'refused')
  say('key 0', 0, wrong(0))
  t.ok(verification.isExcluded('key 0'))
  t.equal(say('ann', 0), 'new')
  t.same(verification.statementsOf(0).map(({ key }) => key), ['ann'])
  t.ok(verification.accepts(0, result(0)))
  t.equal(say('ben', 1), 'refused', 'one for one')
  t.end()
})

test('a piece has room for two results with three keys each, and for members', t => {
  const { verification, say } = accounted()
  for (const key of 'abcdef') say(key, 0)
  for (const key of 'ghijkl') say(key, 0, wrong(0))
  for (const key of 'mnopqr') t.equal(say(key, 0, wrong(0, 2)), 'refused', 'a third result')
  t.equal(verification.statementsOf(0).map(({ key }) => key).join(''), 'abcghi')
  for (const [key, lab] of [['x', 'lab'], ['y', 'lab'], ['z', 'home']] as const) verification.setMember(key, lab)
  say('x', 0, wrong(0, 3))
  t.equal(say('y', 0, wrong(0, 3)), 'refused', 'one of each trusted key')
  say('z', 0, wrong(0, 3))
  t.equal(verification.statementsOf(0).map(({ key }) => key).join(''), 'xzabcghi', 'members first')
  t.end()
})

test('a key that was checked takes the place of keys without a record', t => {
  const { verification, say } = accounted()
  say('ann', 1)
  verification.computed(1, result(1))
  for (const key of 'abc') say(key, 0, wrong(0))
  for (const key of 'def') say(key, 0, wrong(0, 2))
  t.equal(say('ben', 0), 'refused')
  t.equal(say('ann', 0), 'new')
  t.ok(verification.accepts(0, result(0)))
  t.end()
})

test('results that come and go take no more numbers than there are at once', t => {
  const { verification, say, told } = accounted()
  say('ann', 0)
  for (let how = 1; how < 2000; how++) {
    verification.stored(0, wrong(0, how))
    verification.judged(0, wrong(0, how), false)
    verification.stored(0, undefined)
  }
  t.ok(verification.accepts(0, result(0)))
  t.notOk(verification.accepts(0, wrong(0, 1999)))
  t.equal(told.refuted.length, 1999)
  t.end()
})

// Small tasks: a result is not made into files on the word of one stranger.
import test from 'tape'
import { accounted, result, wrong } from '../helpers/verification.ts'

test('in a small task, what one stranger attests needs a second look, once', t => {
  const { verification, say, told } = accounted({ pieceCount: 120 })
  verification.setMember('mia', 'lab')
  say('ann', 0)
  t.ok(verification.accepts(0, result(0)), 'it may be downloaded')
  t.ok(verification.needsLook(0))
  told.changed.length = 0
  say('ben', 0)
  t.notOk(verification.needsLook(0), 'two attest it')
  t.same(told.changed, [0], 'which is told')
  say('ann', 1)
  verification.computed(1, result(1))
  say('mia', 2)
  t.same([1, 2, 3].map(index => verification.needsLook(index)), [false, false, false], 'own, trusted, missing')
  say('ann', 4)
  verification.abandoned(4)
  t.notOk(verification.needsLook(4), 'it cannot be computed here')
  t.end()
})

test('a large task, and other policies, leave it to the lots', t => {
  const large = accounted({ pieceCount: 257 })
  const trust = accounted({ policy: { kind: 'quorum', count: 2 } })
  const command = accounted({ comparison: 'command' })
  for (const { verification, say } of [large, trust, command]) {
    say('ann', 0)
    t.notOk(verification.needsLook(0))
  }
  t.end()
})

test('a result that a key with a record contradicts is looked at by everybody', t => {
  const { verification, say } = accounted({ pieceCount: 120 })
  say('ann', 0)
  say('ben', 1)
  for (const index of [0, 1]) verification.computed(index, result(index))
  for (const key of ['ann', 'liar']) say(key, 2, wrong(2))
  t.notOk(verification.needsLook(2))
  say('ben', 2)
  t.ok(verification.needsLook(2), 'although two attest it')
  for (const key of ['ann', 'ben']) say(key, 3)
  say('new', 3, wrong(3))
  t.notOk(verification.needsLook(3), 'a new key costs nothing')
  t.end()
})

test('once a liar was found, second looks end when this peer has done more than its part', t => {
  const { verification, say, told } = accounted({ pieceCount: 120 })
  verification.setMember('mia', 'lab')
  for (const [index, key] of ['mia', 'ann', 'liar'].entries()) say(key, index)
  for (let index = 20; index < 80; index++) verification.computed(index, result(index))
  t.ok(verification.needsLook(1), 'nobody has lied yet')
  say('liar', 100, wrong(100))
  verification.computed(100, result(100))
  t.same(told.suspected, ['liar'])
  say('ann', 101)
  t.notOk(verification.needsLook(101), 'its part is 40')
  t.end()
})

test('a machine that errs once in a while is suspended, not excluded; who lies in one piece of ten is', t => {
  for (const [every, excluded] of [[40, []], [10, ['ann']]] as const) {
    const { verification, say, told } = accounted({ pieceCount: 1000 })
    for (let index = 0; index < 100; index++) {
      say('ann', index, index % every === every - 1 ? wrong(index) : result(index))
      verification.computed(index, result(index))
    }
    t.same(told.excluded, excluded, `one of ${every}`)
    t.ok(told.suspected.length > 0)
    if (every !== 40) continue
    say('ann', 100)
    t.notOk(verification.accepts(100, result(100)), 'its word alone is not enough for a while')
    for (let index = 100; index < 110; index++) {
      say('ann', index)
      verification.computed(index, result(index))
    }
    say('ann', 110)
    t.ok(verification.accepts(110, result(110)), 'thirty right ones later, it is')
  }
  t.end()
})

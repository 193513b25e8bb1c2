// Lots, hints, their share and their cap; the checks of a member.
import test from 'tape'
import { accounted, result, wrong } from '../helpers/verification.ts'

/** Draws every lot that has a chance. */
const lucky = { random: () => 0 }

test('a result that is newly accepted enters the lottery; checks are within their share', t => {
  const { verification, say, told } = accounted({ ...lucky, pieceCount: 2000 })
  for (let index = 0; index < 100; index++) say(`key ${index % 25}`, index)
  t.equal(told.checks.length, 1, 'one check until something was computed here')
  t.same([verification.isSettled, verification.checkShare > 0], [false, true])
  for (let index = 100; index < 140; index++) verification.computed(index, result(index))
  t.equal(told.checks.length, 5, 'a tenth of forty items, rounded')
  verification.computed(told.checks[0]!.index, result(told.checks[0]!.index))
  t.equal(told.checks.length, 5, 'the one that is completed still counts')
  t.same(new Set(told.checked.map(({ by, right }) => `${by} ${right}`)), new Set(['lot true']))
  t.end()
})

test('who announces everything at once is checked although nothing was computed here yet', t => {
  let state = 7
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  let found = 0
  for (let run = 0; run < 100; run++) {
    const { say, told } = accounted({ random, pieceCount: 120 })
    for (let index = 0; index < 120; index++) say('liar', index, wrong(index))
    found += told.checks.length
  }
  t.ok(found > 95, `${found} of 100`)
  t.end()
})

test('nobody is checked twice for one result, and what was computed here is not checked', t => {
  const { verification, say, told } = accounted({ ...lucky, pieceCount: 20 })
  verification.computed(0, result(0))
  say('ann', 0)
  t.same(told.checks, [])
  say('ann', 1)
  verification.computed(1, result(1))
  say('ben', 1)
  t.same(told.checks, [{ index: 1, by: 'lot' }])
  t.ok(verification.isSettled)
  t.equal(verification.checkShare, 0)
  t.end()
})

test('a lot that others settle is dropped', t => {
  const { verification, say, told } = accounted({ ...lucky, pieceCount: 200 })
  say('ann', 1)
  t.same(told.checks, [{ index: 1, by: 'lot' }])
  verification.setMember('mia', 'lab')
  say('mia', 1)
  t.same(told.dropped, [1])
  t.ok(verification.isSettled)
  t.end()
})

test('the estimate counts lots, not the pieces that were suspected', t => {
  const { verification, say } = accounted({ ...lucky, pieceCount: 200 })
  t.equal(verification.stats().lots.atMost, 1, 'nothing is known')
  say('ann', 1, wrong(1))
  verification.computed(1, result(1))
  t.same({ ...verification.stats().lots, atMost: 0 }, { drawn: 1, wrong: 1, open: 0, atMost: 0 })
  t.end()
})

/** How many checks are asked for beside a hundred items, in a swarm of so many others. */
function checksAmong (others: number, ...members: string[]): number {
  const { verification, say, told } = accounted({ ...lucky, pieceCount: 2000 })
  for (const member of members) verification.setMember(member, 'lab')
  for (let index = 0; index < 200; index++) say(`key ${index % others}`, index)
  for (let index = 1000; index < 1100; index++) verification.computed(index, result(index))
  return told.checks.length
}

test('in a swarm of few a larger share is checked, and less of it where members do so', t => {
  t.same([3, 7, 19, 50].map(others => checksAmong(others)), [51, 26, 11, 11], 'half, a quarter, a tenth')
  t.same([3, 7].map(others => checksAmong(others, 'mia')), [20, 11])
  t.end()
})

test('a contradiction is a hint, for some of all peers', t => {
  const few = accounted({ random: () => 0.99, pieceCount: 1000 })
  few.say('ann', 1)
  few.say('ben', 1, wrong(1))
  t.same(few.told.checks, [{ index: 1, by: 'hint' }], 'three of two')
  const { say, told } = accounted({ random: () => 0.5, pieceCount: 1000 })
  for (let key = 0; key < 30; key++) say(`key ${key}`, 100 + key)
  say('ann', 1)
  say('ben', 1, wrong(1))
  t.same(told.checks, [], 'three of thirty')
  t.end()
})

test('a contradiction by, or of, a key that was wrong before is no reason to look', t => {
  for (const [one, other] of [['liar', 'ann'], ['ann', 'liar']] as const) {
    const { verification, say, told } = accounted({ pieceCount: 1000 })
    say('liar', 0, wrong(0))
    verification.computed(0, result(0))
    t.same(told.suspected, ['liar'])
    for (const key of [one, other]) say(key, 1, key === 'liar' ? wrong(1) : result(1))
    t.same(told.checks, [], `${one} first`)
  }
  t.end()
})

test('second opinions are no reason for more checks', t => {
  const { verification, say, told } = accounted({ ...lucky, pieceCount: 1000 })
  say('liar', 0, wrong(0))
  for (let index = 1; index < 40; index++) say('liar', index, result(index), { isFirstHand: false })
  verification.computed(0, result(0))
  for (let index = 100; index < 400; index++) say(`key ${index % 50}`, index)
  const before = told.checks.length
  for (let index = 1; index < 40; index++) {
    if (!verification.needsSecond(index)) t.fail(`piece ${index} is accepted`)
    verification.computed(index, result(index))
  }
  t.equal(told.checks.length, before, 'they have no cap, and give none')
  for (let index = 500; index < 540; index++) verification.computed(index, result(index))
  t.ok(told.checks.length > before, 'more with more work')
  t.end()
})

test('what members attest is checked in one of a hundred', t => {
  let value = 0.02
  const { verification, say, told } = accounted({ random: () => value, pieceCount: 1000 })
  verification.setMember('mia', 'lab')
  verification.computed(999, result(999))
  for (let index = 0; index < 50; index++) say('mia', index)
  t.same(told.checks, [])
  value = 0.0001
  say('mia', 51)
  t.same(told.checks, [{ index: 51, by: 'lot' }])
  verification.computed(51, wrong(51))
  t.same(told.suspected, ['mia'], 'finds broken machines')
  t.end()
})

test('a member looks at keys that no trusted key has checked, those with the most results first', t => {
  const { verification, say, told } = accounted({ pieceCount: 1000 })
  verification.setMember('own', 'lab')
  for (let index = 0; index < 3; index++) say('ann', index)
  for (let index = 10; index < 40; index++) say('ben', index)
  verification.computed(told.checks[0]!.index, result(told.checks[0]!.index))
  verification.computed(500, result(500))
  const looked = told.checks.map(({ index }) => index)
  t.ok(looked.some(index => index < 3) && looked.some(index => index >= 10), looked.join())
  for (let round = 0; round < 5; round++) {
    for (const { index } of told.checks.slice()) verification.computed(index, result(index))
  }
  t.equal(told.checks.length, 2, 'each once')
  t.ok(verification.isSettled)
  t.end()
})

test('the level rises with wrong results that were believed, by several keys, and costs more checks', t => {
  const { verification, say, told } = accounted({ pieceCount: 1000 })
  for (let index = 0; index < 4; index++) say(`liar ${index % 2}`, index, wrong(index))
  for (let index = 10; index < 14; index++) say(`key ${index}`, index)
  say('ann', 20)
  verification.computed(20, result(20))
  say('ann', 21)
  t.ok(verification.accepts(10, result(10)))
  for (const index of [0, 1]) verification.computed(index, result(index))
  t.same(told.levels, [], 'two')
  say('bad', 5, wrong(5))
  verification.computed(5, result(5))
  t.same(told.levels, [1])
  t.notOk(verification.accepts(10, result(10)), 'a peer without a record, for what was believed before, too')
  t.ok(verification.accepts(21, result(21)), 'one with a record')
  say('other', 10)
  t.ok(verification.accepts(10, result(10)), 'a second opinion')
  for (let index = 30; index < 34; index++) say(`new ${index}`, index, wrong(index))
  for (let index = 30; index < 34; index++) say(`more ${index}`, index, wrong(index))
  for (let index = 30; index < 34; index++) verification.computed(index, result(index))
  t.same(told.levels, [1], 'level 2 takes a trusted key')
  verification.setMember('mia', 'lab')
  for (let index = 40; index < 42; index++) say(`x ${index}`, index, wrong(index))
  for (let index = 40; index < 42; index++) say(`y ${index}`, index, wrong(index))
  for (let index = 40; index < 42; index++) say('mia', index)
  t.same(told.levels, [1, 2])
  t.notOk(verification.accepts(10, result(10)), 'two that nobody vouches for')
  t.ok(verification.accepts(21, result(21)))
  t.end()
})

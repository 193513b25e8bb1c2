// Results that are compared by a command: what follows if it says same, different, or cannot tell.
import test from 'tape'
import { accounted, result, wrong } from '../helpers/verification.ts'

const COMMAND = { comparison: 'command' } as const

test('other bytes alone say nothing about anybody', t => {
  const { verification, say, told } = accounted({ ...COMMAND, random: () => 0 })
  say('ann', 0)
  say('ben', 0, wrong(0))
  verification.computed(0, wrong(0, 2))
  t.same([told.suspected, told.checked], [[], []], 'nobody is blamed, and no verdict is told')
  t.same(verification.stats().lots, { drawn: 0, wrong: 0, open: 0, atMost: 1 }, 'it is no lot that was right or wrong')
  t.ok(verification.accepts(0, wrong(0, 2)), 'the own result stands')
  t.end()
})

test('a result that the command finds equal is the own one, and its key was right', t => {
  const { verification, say, told } = accounted({ ...COMMAND, random: () => 0 })
  say('ann', 0)
  verification.stored(0, result(0))
  verification.computed(0, result(0))
  t.equal(verification.stateOf(0), 'own')
  t.same(told.refuted, [])
  t.same(told.checked.map(({ right, key }) => [right, key]), [[true, 'ann']])
  t.end()
})

test('results that it finds to differ count against whoever attests them, then and later', t => {
  const { verification, say, told } = accounted({ ...COMMAND, random: () => 0 })
  say('eve', 0, wrong(0))
  verification.computed(0, result(0), [wrong(0)])
  t.same(told.suspected, ['eve'])
  t.same(told.checked.map(({ right, key }) => [right, key]), [[false, 'eve']])
  t.equal(verification.stats().lots.wrong, 1)
  say('joe', 0, wrong(0))
  t.same(told.suspected, ['eve', 'joe'], 'who attests the same later')
  say('ann', 0, wrong(0, 2))
  t.same(told.suspected, ['eve', 'joe'], 'nobody compared that')
  verification.computed(1, result(1))
  say('eve', 1, wrong(1))
  t.same(told.excluded, [])
  t.end()
})

test('a sample counts only what was compared', t => {
  const { verification, say } = accounted({ ...COMMAND, policy: { kind: 'audit', error: 0.05 }, pieceCount: 3 })
  for (const index of [0, 1, 2]) say('ann', index)
  verification.computed(0, result(0))
  verification.computed(1, wrong(1))
  t.same([verification.stats().sample?.checked, verification.stats().sample?.wrong], [1, 0])
  verification.computed(2, wrong(2), [result(2)])
  t.same([verification.stats().sample?.checked, verification.stats().sample?.wrong], [2, 1])
  t.end()
})

test('quorum: a result is fetched before it is accepted, since ours is compared with it', t => {
  const { verification, say } = accounted({ ...COMMAND, policy: { kind: 'quorum', count: 2 } })
  t.notOk(verification.fetches(0, result(0)), 'nobody attests it')
  say('ann', 0)
  t.ok(verification.fetches(0, result(0)))
  t.notOk(verification.accepts(0, result(0)))
  t.notOk(verification.fetches(0, wrong(0)))
  verification.stored(0, result(0))
  t.ok(verification.needsSecond(0))
  say('ben', 0, result(0), { kind: 1 })
  t.equal(verification.stateOf(0), 'confirmed')
  t.notOk(verification.fetches(0, wrong(0)))
  const bytes = accounted({ policy: { kind: 'quorum', count: 2 } })
  bytes.say('ann', 0)
  t.notOk(bytes.verification.fetches(0, result(0)), 'not where the digests decide')
  t.end()
})

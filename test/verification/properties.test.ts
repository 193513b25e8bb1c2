// What holds whatever peers say, in whatever order.
import fc from 'fast-check'
import test from 'tape'
import type { Policy } from '../../lib/verification/types.ts'
import { accounted, result, wrong } from '../helpers/verification.ts'

const PIECES = 6
const KEYS = ['ann', 'ben', 'cia', 'dan', 'eve', 'fay', 'own']

/** One call, as it may come from the session or by a peer's word. `how`: 0 is right. */
type Step =
  | { do: 'attested', index: number, key: string, how: number, isFirstHand: boolean }
  | { do: 'computed' | 'stored' | 'right' | 'wrong', index: number, how: number }
  | { do: 'member', key: string }

const index = fc.oneof({ weight: 30, arbitrary: fc.nat(PIECES - 1) }, fc.constantFrom(-1, 0.5, PIECES, 2 ** 33))
const how = fc.nat(3)
const key = fc.constantFrom(...KEYS)
const attested = fc.record({ do: fc.constant('attested' as const), index, key, how, isFirstHand: fc.boolean() })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: attested },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('computed', 'stored', 'right', 'wrong'), index, how })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('member' as const), key }) }
)
const policy = fc.constantFrom<Policy>(
  { kind: 'off' }, { kind: 'audit' }, { kind: 'audit', error: 0.2 }, { kind: 'quorum', count: 2 }, { kind: 'trust' },
  { kind: 'all' }
)
const comparison = fc.constantFrom('bytes', 'command', 'none')
const random = fc.constantFrom(0, 0.3, 0.7, 0.999)

const resultFor = (piece: number, which: number) => which === 0 ? result(piece) : wrong(piece, which)

type Account = ReturnType<typeof accounted>

function take ({ verification, say }: Account, at: Step): void {
  switch (at.do) {
    case 'attested': say(at.key, at.index, resultFor(at.index, at.how), { isFirstHand: at.isFirstHand }); break
    case 'computed': verification.computed(at.index, resultFor(at.index, at.how)); break
    case 'stored': verification.stored(at.index, at.how === 3 ? undefined : resultFor(at.index, at.how)); break
    case 'right': case 'wrong':
      verification.judged(at.index, resultFor(at.index, at.how), at.do === 'right')
      break
    case 'member': verification.setMember(at.key, 'lab'); break
    default: throw new Error(at satisfies never)
  }
}

const setup = fc.record({ policy, comparison, random: random.map(value => () => value) })
function check<T> (t: test.Test, name: string, property: fc.IProperty<T>): void {
  const details = fc.check(property, { numRuns: 400 })
  t.notOk(details.failed, details.failed ? fc.defaultReportMessage(details) : name)
}

test('nothing throws, counts add up, and the state is what is accepted', t => {
  check(t, 'any calls', fc.property(setup, fc.array(step, { maxLength: 60 }), (options, steps) => {
    const account = accounted({ ...options, pieceCount: PIECES })
    const { verification } = account
    for (const at of steps) take(account, at)
    const stats = verification.stats()
    if (Object.values(stats.states).reduce((a, b) => a + b) !== PIECES) return false
    if (!(verification.checkShare >= 0 && verification.checkShare <= 1)) return false
    for (let piece = 0; piece < PIECES; piece++) {
      if (verification.statementsOf(piece).length > 12) return false
      const accepted = verification.accepted(piece)
      if (accepted !== null && !verification.accepts(piece, accepted)) return false
      if (accepted !== null && options.policy.kind === 'audit' && verification.needsSecond(piece)) return false
    }
    return JSON.stringify(stats).length > 0
  }))
  t.end()
})

test('an own computation wins, and nobody ever turns it down', t => {
  const statements = fc.array(fc.oneof(attested, fc.record({ do: fc.constant('member' as const), key })), {
    maxLength: 60
  })
  check(t, 'whatever is said', fc.property(setup, statements, statements, (options, before, after) => {
    const account = accounted({ ...options, pieceCount: PIECES })
    for (const at of before) take(account, at)
    account.verification.computed(2, result(2))
    account.verification.stored(2, result(2))
    const refuted = account.told.refuted.length
    for (const at of after) take(account, at)
    return account.verification.accepts(2, result(2)) && account.told.refuted.slice(refuted).every(piece => piece !== 2)
  }))
  t.end()
})

test('what strangers say never excludes who says one thing about each piece', t => {
  const strangers = fc.array(attested, { maxLength: 80 })
  check(t, 'no own or trusted computation', fc.property(setup, strangers, (options, steps) => {
    const account = accounted({ ...options, pieceCount: PIECES })
    const said = new Map<string, number>()
    for (const at of steps) {
      const about = `${at.key} ${at.index}`
      if (said.has(about)) continue
      said.set(about, at.how)
      take(account, at)
    }
    return account.told.excluded.length === 0 && account.told.suspected.length === 0
  }))
  t.end()
})

test('what is trusted, and who is excluded by it, does not depend on the order in which things are said', t => {
  const said = fc.uniqueArray(fc.record({ index: fc.nat(PIECES - 1), key: fc.constantFrom('ann', 'ben', 'cia'), how }), {
    maxLength: 15, selector: ({ index: piece, key: by }) => `${by} ${piece}`
  })
  const shuffled = said.chain(all => (
    fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))
  ))
  check(t, 'members', fc.property(shuffled, orders => {
    const [a, b] = orders.map(order => {
      const account = accounted({ pieceCount: PIECES, policy: { kind: 'trust' } })
      account.verification.setMember('ann', 'lab')
      for (const { index: piece, key: by, how: which } of order) account.say(by, piece, resultFor(piece, which))
      const results = Array.from({ length: PIECES }, (_, piece) => account.verification.accepted(piece))
      return JSON.stringify([results, account.told.excluded.toSorted()])
    })
    return a === b
  }))
  t.end()
})

test('what is saved is what is taken back', t => {
  check(t, 'a restart', fc.property(setup, fc.array(step, { maxLength: 60 }), (options, steps) => {
    const account = accounted({ ...options, pieceCount: PIECES })
    const stored = new Map<number, number>()
    for (const at of steps) {
      if (at.do === 'computed' || at.do === 'right') take(account, { ...at, do: 'stored', how: at.how % 3 })
      if (at.do === 'computed' || at.do === 'right') stored.set(at.index, at.how % 3)
      if (at.do === 'stored' && at.how === 3) continue
      if (at.do === 'stored') stored.set(at.index, at.how)
      take(account, at.do === 'computed' || at.do === 'right' ? { ...at, how: at.how % 3 } : at)
    }
    const saved = account.verification.save()
    const again = accounted({ ...options, pieceCount: PIECES })
    // what is not stored is not ours after a restart
    for (let piece = 0; piece < PIECES; piece++) {
      again.verification.stored(piece, resultFor(piece, stored.get(piece) ?? 0))
    }
    const isTaken = again.verification.restore(JSON.parse(JSON.stringify(saved)))
    return isTaken && JSON.stringify(again.verification.save()) === JSON.stringify(saved)
  }))
  t.end()
})

test('what is not as it was saved is ignored as a whole', t => {
  const good = JSON.parse(JSON.stringify(accounted({ pieceCount: PIECES }).verification.save())) as object
  const changes = fc.dictionary(fc.constantFrom(...Object.keys(good)), fc.jsonValue({ maxDepth: 3 }))
  check(t, 'changes', fc.property(fc.jsonValue(), changes, (other, changed) => {
    const { verification, told } = accounted({ pieceCount: PIECES })
    verification.restore(other)
    if (verification.restore(Object.assign({}, good, changed))) verification.save()
    return told.excluded.length === 0 && verification.level <= 2
  }))
  const { verification } = accounted({ pieceCount: PIECES })
  for (const broken of [
    null, [], 1, {}, { ...good, version: 2 }, { ...good, level: 3 }, { ...good, own: 'f' }, { ...good, own: 'zz' },
    { ...good, keys: [{ key: 'a', state: 'odd', right: 0, proven: 0, wrongAt: [] }] },
    { ...good, keys: [{ key: 'a', state: 'ok', right: -1, proven: 0, wrongAt: [] }] },
    { ...good, keys: [{ key: 'a', state: 'ok', right: 0, wrongAt: [] }] },
    { ...good, keys: [{ key: 'a', state: 'ok', right: 0, proven: 0, wrongAt: [99] }] }, { ...good, checks: {} },
    { ...good, sample: { round: 1 } }
  ]) t.notOk(verification.restore(broken), JSON.stringify(broken))
  t.ok(verification.restore(good))
  t.end()
})

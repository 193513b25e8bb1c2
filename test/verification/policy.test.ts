// Policies as text, and the default.
import test from 'tape'
import { checkedPolicy, defaultPolicy, formatPolicy, parsePolicy, policyIfIncomparable } from '../../lib/verification/policy.ts'
import type { Policy } from '../../lib/verification/types.ts'

const KEY = 'ab'.repeat(32)

const GOOD: ReadonlyArray<readonly [string, Policy, string?]> = [
  ['off', { kind: 'off' }],
  ['all', { kind: 'all' }],
  ['audit', { kind: 'audit' }],
  ['audit=1%', { kind: 'audit', error: 0.01 }],
  ['audit=0.01', { kind: 'audit', error: 0.01 }, 'audit=1%'],
  ['audit=0.7 %', { kind: 'audit', error: 0.7 / 100 }, 'audit=0.7%'],
  ['audit=50%', { kind: 'audit', error: 0.5 }],
  ['quorum=2', { kind: 'quorum', count: 2 }],
  ['trust', { kind: 'trust' }],
  [`trust=${KEY},${'c'.repeat(64)}`, { kind: 'trust', keys: [KEY, 'c'.repeat(64)] }],
  [`trust=${KEY.toUpperCase()}`, { kind: 'trust', keys: [KEY] }, `trust=${KEY}`]
]

test('policies are read, and written as they are read', t => {
  for (const [text, policy, written = text] of GOOD) {
    t.same(parsePolicy(text), policy, text)
    t.equal(formatPolicy(policy), written)
  }
  t.end()
})

test('what is no policy is refused, with what to give', t => {
  for (const text of [
    '', 'on', 'Audit', 'off=1', 'all=', 'audit=', 'audit=0', 'audit=51%', 'audit=-1%', 'audit=1%%', 'audit=1e-2',
    'quorum', 'quorum=1', 'quorum=17', 'quorum=2.5', 'quorum=0x2', 'trust=', 'trust=ab', `trust=${KEY},`, 'audit=1%\n'
  ]) {
    try {
      parsePolicy(text)
      t.fail(text)
    } catch (err) {
      t.equal((err as { code?: string }).code, 'BW_ERR_VERIFY_OPTIONS', text)
      t.match((err as Error).message, /^Invalid policy: .*\. Give .*\.$/)
    }
  }
  t.end()
})

test('policies of the library are held to the same ranges', t => {
  for (const [, policy] of GOOD) t.same(checkedPolicy(policy), policy)
  t.throws(() => checkedPolicy({ kind: 'audit', error: 2 }), /0\.01% to 50%/)
  t.throws(() => checkedPolicy({ kind: 'quorum', count: 1.5 }), /from 2 to 16/)
  t.throws(() => checkedPolicy({ kind: 'trust', keys: [] }), /64 hex digits/)
  t.end()
})

test('the default is what can be had', t => {
  const usual = { hasVerifyCommand: false, isComparable: true, hasTrustedKey: false, computes: true }
  for (const [changes, kind, isWarning] of [
    [{}, 'audit', false],
    [{ hasVerifyCommand: true }, 'all', false],
    [{ hasTrustedKey: true }, 'audit', false],
    [{ isComparable: false }, 'off', true],
    [{ isComparable: false, hasTrustedKey: true }, 'trust', false],
    [{ isComparable: false, hasVerifyCommand: true }, 'all', false],
    [{ computes: false }, 'off', true],
    [{ computes: false, hasVerifyCommand: true }, 'off', true],
    [{ computes: false, hasTrustedKey: true }, 'trust', false]
  ] as const) {
    const { policy, ...said } = defaultPolicy({ ...usual, ...changes })
    t.same([policy.kind, said.isWarning], [kind, isWarning], JSON.stringify(changes))
    t.ok(said.line.length > 0)
  }
  t.end()
})

test('results that turn out not to be comparable: what compares nothing stays, and nobody trusted means no policy', t => {
  const trust: Policy = { kind: 'trust', keys: [KEY] }
  for (const hasTrustedKey of [true, false]) {
    t.same(policyIfIncomparable({ kind: 'all' }, hasTrustedKey), { kind: 'all' })
    t.same(policyIfIncomparable(trust, hasTrustedKey), trust)
    for (const policy of [{ kind: 'audit' }, { kind: 'quorum', count: 2 }] as const) {
      t.same(policyIfIncomparable(policy, hasTrustedKey), hasTrustedKey ? { kind: 'trust' } : undefined, policy.kind)
    }
  }
  t.end()
})

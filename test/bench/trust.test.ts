/** Small swarms with liars, each honest machine with a `Verification`: what they accept, and what it costs them. */
import test from 'tape'
import type { Attack } from '../../bench/trust/attacks.ts'
import { renewing, share, twins } from '../../bench/trust/attacks.ts'
import { POLICIES } from '../../bench/trust/presets.ts'
import { summarise } from '../../bench/trust/report.ts'
import type { Summary } from '../../bench/trust/report.ts'
import { DEFAULTS } from '../../bench/trust/scenario.ts'
import type { Scenario } from '../../bench/trust/scenario.ts'
import { simulate } from '../../bench/trust/swarm.ts'

const SEED = Number(process.env['SEED'] ?? 1)
const RUNS = 5
const SMALL: Scenario = { ...DEFAULTS, machines: 16, pieces: 160, errors: 0 }

async function runs (policy: string, attack: Attack | null): Promise<Summary> {
  const scenario = { ...SMALL, ...POLICIES[policy]!(SMALL.machines), attack }
  const outcomes = []
  for (let seed = SEED; seed < SEED + RUNS; seed++) outcomes.push(await simulate(scenario, seed))
  return summarise(outcomes)
}

test('simulated liars: the same seed, the same swarm', async t => {
  const scenario = { ...SMALL, attack: twins(2, 2) }
  t.same(await simulate(scenario, SEED), await simulate(scenario, SEED))
  t.notSame(await simulate(scenario, SEED), await simulate(scenario, SEED + 1))
})

test('simulated liars: who checks nothing saves what the lies save, and has them all', async t => {
  const { work, wrong, wrongByCost, lied } = await runs('off', share(0.3))
  t.ok(Math.abs(work + wrongByCost - 1) < 1e-9, `work ${work}, wrong ${wrongByCost}`)
  t.ok(Math.abs(wrong - lied / SMALL.pieces) < 1e-9, `${lied} lies`)
  const server = await runs('server, all doubled', null)
  t.ok(Math.abs(server.work - 2) < 1e-9, 'a server that has everything computed twice')
})

// With five of the seeds from 1 to 50 at a time, the most that was wrong and computed: above each.
const BOUNDS: { name: string, policy: string, attack: Attack, wrong: number, work: number }[] = [
  // 0.020, 1.72
  { name: 'liars in 30 % of their pieces', policy: 'audit, 1 member', attack: share(0.3), wrong: 0.03, work: 2 },
  // 0, 2.29
  { name: 'liars', policy: 'audit, 1 member', attack: share(1), wrong: 0.005, work: 2.6 },
  // 0, 3.10
  { name: 'fresh pairs', policy: 'audit, 1 member', attack: renewing({ vouchers: 1 }), wrong: 0.005, work: 3.5 },
  // 0.028, 2.38
  { name: 'twins', policy: 'audit, 1 member', attack: twins(2, 2), wrong: 0.04, work: 2.7 },
  // 0.046, 2.23
  { name: 'liars, no member', policy: 'audit', attack: share(1), wrong: 0.08, work: 2.6 }
]

for (const { name, policy, attack, ...bounds } of BOUNDS) {
  test(`simulated liars: bounds of errors and work: ${name}`, async t => {
    const { wrong, work, banned, open } = await runs(policy, attack)
    t.equal(open, 0, 'a result of each piece is accepted')
    t.ok(wrong <= bounds.wrong, `${(100 * wrong).toFixed(2)} % wrong`)
    t.ok(work <= bounds.work, `${work.toFixed(2)} times the work`)
    t.equal(banned, 0, 'no honest machine was excluded by another')
    const { wrong: unchecked } = await runs('off', attack)
    t.ok(unchecked > bounds.wrong, `unchecked: ${(100 * unchecked).toFixed(2)} %`)
  })
}

test('simulated liars: with nobody who lies, nothing is wrong, and what strangers attest is computed twice', async t => {
  const { wrong, open, work } = await runs('audit, 1 member', null)
  t.same({ wrong, open }, { wrong: 0, open: 0 })
  t.ok(work > 1.7 && work < 2.4, `${work.toFixed(2)} times the work`)
})

// Whole sessions that verify results, in a simulated swarm with a peer whose program is wrong.
import test from 'tape'
import { DEFAULTS } from '../../bench/simulator/scenario.ts'
import type { Forgery, Scenario } from '../../bench/simulator/scenario.ts'
import { simulate } from '../../bench/simulator/swarm.ts'
import { SecondRuns } from '../../lib/session/second-runs.ts'

const SEEDS = [1, 2, 3]

function result (byte: number): { size: number, digest: Uint8Array } {
  return { size: 1, digest: new Uint8Array(32).fill(byte) }
}

function swarm (forgery: Forgery, others: Partial<Scenario>): Scenario {
  return { ...DEFAULTS, pieces: 60, peers: 5, forgers: 0.2, forgery, ...others }
}

test('without verification, most results are those of a peer that takes no time', async t => {
  for (const seed of SEEDS) {
    const { wrong, lastMs } = await simulate(swarm('instant', {}), seed)
    t.ok(wrong > 0.5 && lastMs < Infinity, `seed ${seed}: ${wrong}`)
  }
})

test('with a trusted member, nothing is wrong in the end, or hardly anything of one that was right for long', async t => {
  for (const [forgery, atMost] of [['instant', 0], ['late', 0.03]] as const) {
    for (const seed of SEEDS) {
      const { wrong, lastMs, tally } = await simulate(swarm(forgery, { verify: 'audit', members: 1 }), seed)
      t.ok(wrong <= atMost, `${forgery}, seed ${seed}: ${wrong}`)
      t.equal(tally.slandered, 0)
      t.ok(lastMs < Infinity, 'everybody is done')
      t.ok(tally.exposed > 0, 'the forger is excluded')
    }
  }
})

test('by checks alone, the forger that takes no time is found; no honest peer is blamed', async t => {
  for (const forgery of ['instant', 'tenth', 'late'] as const) {
    for (const seed of SEEDS) {
      const { wrong, lastMs, tally } = await simulate(swarm(forgery, { verify: 'audit' }), seed)
      t.equal(tally.slandered, 0, `${forgery}, seed ${seed}`)
      t.ok(lastMs < Infinity, 'everybody is done')
      if (forgery !== 'instant') continue
      t.ok(wrong < 0.02, `${wrong}`)
      t.ok(tally.exposed > 0, 'it is excluded')
      t.ok(tally.finished < 3.5 * 60, `${tally.finished} items in all, of which 60 are the forger's`)
    }
  }
})

test('the same seed gives the same outcome', async t => {
  const scenario = swarm('late', { verify: 'audit' })
  const [a, b] = [await simulate(scenario, 1), await simulate(scenario, 1)]
  t.same([a.lastMs, a.wrong, a.events, a.tally], [b.lastMs, b.wrong, b.events, b.tally])
})

test('a contested result is computed until two runs agree', t => {
  const runs = new SecondRuns(false)
  t.equal(runs.ended(0, result(1), false), 'sure', 'nobody says anything else')
  t.same([runs.ended(1, result(1), true), runs.ended(1, result(1), true)], ['unsure', 'sure'])
  t.same(
    [runs.ended(2, result(1), true), runs.ended(2, result(2), true), runs.ended(2, result(1), false)],
    ['unsure', 'unsure', 'sure'], 'a machine that errs'
  )
  t.equal(runs.ended(3, result(1), true), 'sure', 'after two such pieces, one run is enough')
  const other = new SecondRuns(false)
  t.same([1, 2, 3].map(byte => other.ended(0, result(byte), true)), ['unsure', 'unsure', 'unequal'])
  t.equal(new SecondRuns(true).ended(0, result(1), true), 'sure')
  t.end()
})

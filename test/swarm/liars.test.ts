// Peers that announce everything and do not deliver cost a swarm little: simulated time, so that a seed repeats it.
import test from 'tape'
import { DEFAULTS } from '../../bench/simulator/scenario.ts'
import type { Lie, Scenario } from '../../bench/simulator/scenario.ts'
import { simulate } from '../../bench/simulator/swarm.ts'

const SEED = Number(process.env['SEED'] ?? 1)
/** Of the time without them. */
const MOST = 1.25
/** Of all computing time. */
const MOST_WASTED = 0.1

/** Sixty pieces of 0.3 s for four peers, and one liar; and a swarm of longer pieces. */
const SWARMS: Array<[string, Partial<Scenario>]> = [
  ['short pieces', { pieces: 60, peers: 4, workMs: 300, liars: 0.2, pieceBytes: 16_384 }],
  ['long pieces', { pieces: 96, peers: 8, liars: 0.12 }]
]
const LIES: Lie[] = ['silent', 'trickle', 'slow', 'reborn', 'bait', 'garbage', 'sizes']

test('liars of each kind', async t => {
  t.comment(`SEED=${SEED}`)
  for (const [name, swarm] of SWARMS) {
    const honest = await simulate({ ...DEFAULTS, ...swarm, liars: 0 }, SEED)
    for (const lie of LIES) {
      const { firstMs, lastMs, tally } = await simulate({ ...DEFAULTS, ...swarm, lie }, SEED)
      const [first, last] = [firstMs / honest.firstMs, lastMs / honest.lastMs]
      t.ok(last <= MOST, `${name}, ${lie}: everybody is done after ${last.toFixed(2)} of the time without`)
      t.ok(first <= MOST, `the first peer after ${first.toFixed(2)}`)
      const waste = tally.wastedMs / tally.computedMs
      t.ok(
        waste <= honest.tally.wastedMs / honest.tally.computedMs + MOST_WASTED, `${(100 * waste).toFixed(1)} % wasted`
      )
    }
  }
})

// What is late, against what is usual in a swarm.
import test from 'tape'
import { chooseBackup } from '../../lib/scheduling/backups.ts'
import type { Claim } from '../../lib/scheduling/claim.ts'
import { Lag, TICK_MS } from '../../lib/scheduling/lag.ts'
import { Lateness } from '../../lib/scheduling/lateness.ts'

const PACE_MS = 2_000

function claims (count: number, startedAt: number): Array<[number, Claim[]]> {
  return Array.from({ length: count }, (_, index) => [
    index, [{ index, isBackup: false, startedAt, heardAt: startedAt, estimateMs: PACE_MS, isProven: true }]
  ])
}

test('a claim is late when it is later than most', t => {
  const rules: Array<[what: string, samples: number[], overrunMs: number, isLate: boolean]> = [
    ['nothing is known', [], 600, true],
    ['a moment more is usual', [], 599, false],
    ['all others were in time', Array.from({ length: 32 }, () => -100), 600, true],
    ['others took far longer, too', Array.from({ length: 32 }, () => 5_000), 6_000, false],
    ['and this one longer still', Array.from({ length: 32 }, () => 5_000), 6_250, true],
    ['one of many was late', Array.from({ length: 32 }, (_, i) => i === 7 ? 60_000 : 0), 600, true]
  ]
  for (const [what, samples, overrunMs, isLate] of rules) {
    const lateness = new Lateness()
    for (const ms of samples) lateness.add(ms)
    const { index } = chooseBackup(claims(1, 0), {
      now: PACE_MS + overrunMs, paceMs: PACE_MS, isHearsay: false, delay: 0, lateness
    })
    t.equal(index !== undefined, isLate, what)
  }
  t.end()
})

test('if all are late at once, only those that are later still count as late', t => {
  const now = PACE_MS + 8_000
  const lateness = new Lateness()
  const all = claims(10, 0)
  t.equal(chooseBackup(all, { now, paceMs: PACE_MS, isHearsay: false, delay: 0, lateness }).index, undefined)
  const late = { index: 10, isBackup: false, startedAt: -60_000, heardAt: 0, estimateMs: PACE_MS, isProven: true }
  const straggler: [number, Claim[]] = [10, [late]]
  t.equal(chooseBackup([...all, straggler], { now, paceMs: PACE_MS, isHearsay: false, delay: 0, lateness }).index, 10)
  t.end()
})

test('a process knows how far it lags', t => {
  let now = 0
  const lag = new Lag(() => now)
  const tick = (ms: number): void => {
    now += ms
    lag.tick()
  }
  tick(TICK_MS)
  t.equal(lag.ms, 0)
  tick(TICK_MS + 1_000)
  t.equal(lag.ms, 1_000)
  for (let i = 0; i < 8; i++) tick(TICK_MS)
  t.ok(lag.ms > 400 && lag.ms < 600, 'half of it two seconds later')
  now += 5_000
  t.equal(lag.ms, 5_000 - TICK_MS, 'also while it lasts')
  t.end()
})

/** The simulator of bench/: right where a formula says what must come out, and the same for the same seed. */
import test from 'tape'
import { expectedRounds } from '../../bench/expected.ts'
import { VirtualClock } from '../../bench/simulator/clock.ts'
import { connections } from '../../bench/simulator/graph.ts'
import { BUSY } from '../../bench/simulator/presets.ts'
import { seeded } from '../../bench/simulator/random.ts'
import { DEFAULTS, LOCK_STEP } from '../../bench/simulator/scenario.ts'
import type { Scenario } from '../../bench/simulator/scenario.ts'
import { simulate } from '../../bench/simulator/swarm.ts'
import type { Progress } from '../../bench/simulator/swarm.ts'

const SEED = Number(process.env['SEED'] ?? 1)

async function meanRatio (scenario: Scenario, runs: number): Promise<number> {
  let sum = 0
  for (let i = 0; i < runs; i++) {
    const { firstMs, idealMs } = await simulate(scenario, SEED + i)
    sum += firstMs / idealMs
  }
  return sum / runs
}

test('virtual clock: in the order of times, and of calls', async t => {
  const clock = new VirtualClock()
  const random = seeded(SEED)
  const seen: number[] = []
  const note = (): void => { seen.push(clock.now()) }
  for (let i = 0; i < 500; i++) {
    clock.post(random() * 300, () => { note(); clock.post(random() * 50, note) })
    clock.after(random() * 300, () => { note(); clock.after(random() * 50, note) })
    const cancel = clock.after(random() * 300, () => { t.fail('was taken back') })
    clock.post(random() * 2, cancel)
    cancel()
  }
  await clock.run(() => false, Infinity)
  t.equal(seen.length, 2_000)
  t.same(seen, seen.toSorted((a, b) => a - b))
  const order: string[] = []
  clock.post(5, () => { order.push('first') })
  clock.after(5, () => { order.push('second') })
  clock.post(5, () => { order.push('third') })
  await clock.run(() => false, Infinity)
  t.same(order, ['first', 'second', 'third'])
})

test('random graphs: everybody has the degree asked for', t => {
  for (const [peers, degree] of [[100, 20], [51, 50], [30, 3], [4, 0]] as const) {
    const counts = Array.from({ length: peers }, () => 0)
    const edges = connections(peers, degree, seeded(SEED))
    for (const edge of edges) for (const end of edge) counts[end]!++
    t.ok(counts.every(count => count === (degree || peers - 1)), `${peers} peers of degree ${degree}`)
    t.equal(
      new Set(edges.map(([a, b]) => Math.min(a, b) * peers + Math.max(a, b))).size, edges.length, 'no connection twice'
    )
  }
  t.end()
})

test('random choice without communication takes the rounds that the paper expects', async t => {
  t.comment(`SEED=${SEED}`)
  // the standard error of these means is below .4 %
  for (const [pieces, peers, runs] of [[64, 4, 100], [64, 8, 100], [128, 8, 30]] as const) {
    const ratio = await meanRatio({ ...DEFAULTS, ...LOCK_STEP, pieces, peers }, runs)
    const expected = expectedRounds(pieces, peers) * peers / pieces
    t.ok(
      Math.abs(ratio / expected - 1) < 0.015, `${pieces}/${peers}: ${ratio.toFixed(3)}, expected ${expected.toFixed(3)}`
    )
  }
})

test('the same seed gives the same outcome', async t => {
  const scenario: Scenario = { ...DEFAULTS, pieces: 100, peers: 12, degree: 5, slow: 0.1, dying: 0.1, squatters: 0.1 }
  const [a, b, other] = [
    await simulate(scenario, SEED),
    await simulate(scenario, SEED),
    await simulate(scenario, SEED + 1)
  ]
  t.same([a.firstMs, a.lastMs, a.events, a.tally], [b.firstMs, b.lastMs, b.events, b.tally])
  t.notEqual(a.firstMs, other.firstMs, 'another seed, another outcome')
  t.ok(a.lastMs < Infinity, 'everybody who lives has everything')
})

test('a run says after each simulated second how far it is', async t => {
  const reports: Progress[] = []
  const { lastMs, idealMs } = await simulate({ ...DEFAULTS, pieces: 20, peers: 4 }, SEED, progress => {
    reports.push(progress)
  })
  t.same(
    reports.map(({ elapsedMs }) => elapsedMs),
    Array.from({ length: Math.ceil(lastMs / 1000) }, (_, i) => 1000 * (i + 1))
  )
  t.ok(reports.every((report, i) => report.idealMs === idealMs && report.done >= (reports[i - 1]?.done ?? 0)))
  t.equal(reports.at(-1)!.done, 20)
})

test('claims avoid most of the work that random choice wastes', async t => {
  const swarm: Scenario = { ...DEFAULTS, pieces: 64, peers: 8 }
  const claims = await meanRatio(swarm, 10)
  const random = await meanRatio({ ...swarm, policy: 'random-async' }, 10)
  t.ok(claims < random - 0.1, `${claims.toFixed(3)} with claims, ${random.toFixed(3)} without`)
})

test('a machine that is too small for its peers does not compute much twice', async t => {
  t.comment(`SEED=${SEED}`)
  const [pieces, runs] = [32, 10]
  let items = 0
  for (let i = 0; i < runs; i++) {
    items += (await simulate({ ...DEFAULTS, ...BUSY, pieces, peers: 8 }, SEED + i)).tally.started
  }
  const perPiece = items / runs / pieces
  t.ok(perPiece <= 1.25, `${perPiece.toFixed(3)} work items a piece`)
})

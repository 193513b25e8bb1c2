// The reader's own sample, and the bounds of statistics.
import test from 'tape'
import { atMost, sampleSize } from '../../lib/verification/statistics.ts'
import { accounted, result, wrong } from '../helpers/verification.ts'

test('upper bounds as in the tables', t => {
  // exact values of the one-sided 95 % bound of Clopper and Pearson
  for (const [wrongOnes, drawn, bound] of [
    [0, 52, 0.05598], [2, 52, 0.11617], [1, 10, 0.39416], [0, 1, 0.95], [5, 5, 1], [0, 0, 1]
  ] as const) {
    t.ok(Math.abs(atMost(wrongOnes, drawn) - bound) < 1e-4, `${wrongOnes} of ${drawn}: ${atMost(wrongOnes, drawn)}`)
  }
  t.ok(atMost(900, 100_000) < 0.0096)
  t.end()
})

const sizes = (error: number): number[] => [200, 640, 2000, 10_000, 100_000].map(n => sampleSize(n, error, 0.05 / 3))

test('how many pieces a sample takes', t => {
  t.same(sizes(0.05), [66, 75, 79, 80, 80])
  t.same(sizes(0.02), [128, 172, 193, 201, 203])
  t.same(sizes(0.01), [174, 283, 369, 400, 407])
  t.equal(sampleSize(3, 0.01, 0.01), 3, 'all of a small task')
  t.end()
})

const audit = { policy: { kind: 'audit', error: 0.05 }, pieceCount: 200 } as const

/** A small generator with a seed. */
function seeded (seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

test('pieces of the sample are computed when somebody has attested them; no difference: satisfied', t => {
  const { verification, say, told } = accounted({ ...audit, random: seeded(1) })
  t.notOk(verification.isSettled)
  verification.computed(0, result(0))
  for (let index = 1; index < 200; index++) say('ann', index)
  const sample = (): number[] => told.checks.filter(({ by }) => by === 'sample').map(({ index }) => index)
  t.equal(sample().length, 66)
  t.equal(verification.checkShare, 0.5)
  for (const { index } of told.checks) verification.computed(index, result(index))
  t.ok(verification.isSettled)
  const stats = verification.stats().sample!
  t.same([stats.state, stats.round, stats.checked, stats.wrong], ['satisfied', 1, 66, 0])
  t.ok(stats.atMost < 0.05)
  t.end()
})

test('a difference: corrected, and a fresh sample; after three of them it has failed', t => {
  const { verification, say, told } = accounted({ ...audit, random: seeded(2), pieceCount: 2000 })
  for (let index = 0; index < 2000; index++) {
    say(`a ${index}`, index, index % 5 === 0 ? wrong(index) : result(index))
    say(`b ${index}`, index, index % 5 === 0 ? wrong(index) : result(index))
  }
  for (let at = 0; at < told.checks.length; at++) {
    const { index } = told.checks[at]!
    verification.computed(index, result(index))
    t.ok(verification.accepts(index, result(index)), 'corrected')
  }
  const stats = verification.stats().sample!
  t.same([stats.state, stats.round], ['failed', 3])
  t.ok(stats.atMost >= 0.2 && stats.atMost < 0.35, `${stats.atMost}`)
  t.ok(verification.isSettled, 'failed is an answer, too')
  t.end()
})

test('what a member checks counts in the sample', t => {
  const { verification, say, told } = accounted({ ...audit, random: seeded(3) })
  for (let index = 0; index < 200; index++) say('ann', index)
  verification.setMember('mia', 'lab')
  for (let index = 0; index < 200; index++) say('mia', index)
  t.ok(told.dropped.length >= 66, `${told.dropped.length} need not be computed here`)
  t.equal(verification.stats().sample!.state, 'satisfied')
  t.equal(verification.stats().sample!.checked, 66)
  t.end()
})

test('in a task that was computed here the sample is empty, and satisfied', t => {
  const { verification, told } = accounted({ ...audit, random: seeded(4) })
  for (let index = 0; index < 200; index++) verification.computed(index, result(index))
  t.same(told.checks, [])
  t.equal(verification.stats().sample!.state, 'satisfied')
  t.end()
})

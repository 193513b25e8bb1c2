/** The paper's model, which the benchmarks are compared with. */
import test from 'tape'
import { expectedRounds, idealRounds, stirling } from '../../bench/expected.ts'

const PIECES = [64, 128, 192]
const ROUNDS: Record<number, number[]> = {
  4: [17.86, 34.12, 50.27],
  8: [9.99, 18.27, 26.45],
  12: [7.27, 12.95, 18.44],
  16: [5.96, 10.20, 14.40]
}

test('Stirling numbers of the second kind', t => {
  t.deepEqual(stirling(0), [1])
  t.deepEqual(stirling(4), [0, 1, 7, 6, 1])
  t.equal(stirling(16)[8], 2_141_764_053)
  t.end()
})

test('expected rounds of the paper', t => {
  for (const [peers, row] of Object.entries(ROUNDS)) {
    row.forEach((rounds, i) => {
      t.equal(expectedRounds(PIECES[i]!, Number(peers)).toFixed(2), rounds.toFixed(2), `n = ${PIECES[i]}, m = ${peers}`)
    })
  }
  t.end()
})

test('the ends of the model', t => {
  t.equal(expectedRounds(1, 16), 1, 'one piece takes one round')
  t.equal(expectedRounds(7, 1), 7, 'one peer never collides')
  t.equal(expectedRounds(2, 2), 1.5, 'two peers choose the same of two pieces half of the time')
  t.equal(idealRounds(192, 16), 12)
  t.equal(idealRounds(64, 12), 6)
  t.end()
})

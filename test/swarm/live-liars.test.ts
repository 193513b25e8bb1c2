// Three honest peers that audit each other, and one liar: nothing of what it says is in any honest peer's file.
import test from 'tape'
import { liarSwarm } from '../helpers/liar-swarm.ts'

const SEED = Number(process.env['SEED'] ?? 1)
const PIECES = 40
const PIECE_MS = 20

for (const kind of ['all at once', 'from half-time', 'one in ten', 'equivocator', 'new keys', 'new keys, half right']) {
  test(`a small swarm with a liar: ${kind}`, async t => {
    const report = await liarSwarm({ kind, seed: SEED, hasMember: false, pieces: PIECES, pieceMs: PIECE_MS })
    t.same([report.wrongFirst, report.wrong], [0, 0], `seed ${SEED}: ${JSON.stringify(report)}`)
    // of the others, the lies may all have come too late to be heard
    if (kind === 'all at once' || kind === 'equivocator') {
      t.ok(report.suspectedBy + report.excludedBy > 0, 'who lied is named')
    }
    t.equal(report.honestExcluded, 0, 'no honest peer is excluded')
  })
}

test('a small swarm with a machine that errs: its errors are in no file of another, and it is not excluded', async t => {
  const options = { kind: 'broken memory', seed: SEED, hasMember: false, pieces: PIECES, pieceMs: PIECE_MS }
  const report = await liarSwarm(options)
  t.equal(report.wrong, 0, `seed ${SEED}: ${JSON.stringify(report)}`)
})

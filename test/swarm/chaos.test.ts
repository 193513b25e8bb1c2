// A swarm in which peers are killed all the time and others lie: the small form. `npm run chaos` is the full one.
import test from 'tape'
import { runChaos } from '../helpers/chaos.ts'
import { createFolder } from '../helpers/disk.ts'

test('six peers, one killed every second; one poisons, one squats, one floods', async t => {
  const seed = Date.now() % 2 ** 31
  t.comment(`seed ${seed}`)
  const { digests, expected, kills, ms, ...counts } = await runChaos({
    dir: createFolder(t),
    peers: 6,
    pieces: 48,
    pieceSeconds: 0.5,
    killEveryMs: 1000,
    seed,
    deadlineMs: 240_000,
    log: line => { t.comment(line) }
  })
  t.comment(`${Math.round(ms)} ms, ${kills} kills, ${JSON.stringify(counts)}`)
  t.ok(kills > 0, 'some were killed')
  t.same(digests, digests.map(() => expected), 'every peer has the right file')
})

// The chaos run in its full form: 16 peers, 192 pieces; a random peer is killed every second; one poisons, one squats,
// one floods.
//   node scripts/chaos.ts [--peers N] [--pieces N] [--seconds PER_PIECE] [--seed N]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { runChaos } from '../test/helpers/chaos.ts'

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '16' },
    pieces: { type: 'string', default: '192' },
    seconds: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) }
  }
})
console.log(`seed ${values.seed}`)
const dir = mkdtempSync(join(tmpdir(), 'bitworker-chaos-'))
try {
  const { digests, expected, kills, ms, ...counts } = await runChaos({
    dir,
    peers: Number(values.peers),
    pieces: Number(values.pieces),
    pieceSeconds: Number(values.seconds),
    killEveryMs: 1000,
    seed: Number(values.seed),
    deadlineMs: 900_000,
    log: console.log
  })
  const right = digests.filter(digest => digest === expected).length
  console.log(
    `${(ms / 1000).toFixed(1)} s, ${kills} kills, ${counts.computed} work items, ${counts.strikes} strikes, ${counts.bans} bans`
  )
  console.log(`${right} of ${digests.length} files are right`)
  if (right < digests.length) process.exitCode = 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}
process.exit()

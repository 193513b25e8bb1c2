/**
 * A swarm on this machine alone: a tracker and some peers, as if so many people had said `bitworker run TASK`. Peer N
 * writes to ./peer-N; when all have the files, they leave.
 *   swarm PEERS TASK [FLAG OF bitworker run ...]
 * The first peer is who made the task: it alone has the input files, and gets `--member KEY`.
 */
import { readFile } from 'node:fs/promises'
import { parseTask } from '../../lib/index.ts'
import { main, screen, swarm } from './show.ts'

await main(async () => {
  const [count = '', taskFile, ...flags] = process.argv.slice(2)
  const peers = Number(count)
  if (!Number.isInteger(peers) || peers < 1 || taskFile === undefined) {
    throw new Error('usage: swarm PEERS TASK [FLAG OF bitworker run ...]', { cause: 'usage' })
  }
  const [done, ms] = await swarm(parseTask(await readFile(taskFile)), { taskFile, dir: process.cwd(), peers, flags })
  for (const { name, computed, downloaded } of done) {
    screen.note(`${name} computed ${computed.length} pieces and downloaded ${downloaded}`)
  }
  screen.note(`done in ${(ms / 1000).toFixed(1)} s`)
})

/**
 * A swarm on this machine alone: a tracker and some peers, as if so many people had said `bitworker run TASK`. Peer N
 * writes to ./peer-N; when all have the files, they leave.
 *   swarm PEERS TASK [FLAG OF bitworker run ...]
 * The first peer is who made the task: it alone has the input files, and gets `--member KEY`.
 */
import { readFile } from 'node:fs/promises'
import { parseTask } from '../../lib/index.ts'
import { summaryOf } from './peers.ts'
import { main, screen, swarm } from './show.ts'

await main(async () => {
  const [count = '', taskFile, ...flags] = process.argv.slice(2)
  const peers = Number(count)
  if (!Number.isInteger(peers) || peers < 1 || taskFile === undefined) {
    throw new Error('usage: swarm PEERS TASK [FLAG OF bitworker run ...]', { cause: 'usage' })
  }
  const task = parseTask(await readFile(taskFile))
  const [done, ms] = await swarm(task, { taskFile, dir: process.cwd(), peers, ...split(flags) })
  for (const peer of done) screen.note(summaryOf(peer))
  screen.note(`done in ${(ms / 1000).toFixed(1)} s`)
})

/** Only who made the task has its key. */
function split (flags: string[]): { flags: string[], authorFlags: string[] } {
  const at = flags.indexOf('--member')
  if (at < 0) return { flags, authorFlags: [] }
  return { flags: flags.toSpliced(at, 2), authorFlags: flags.slice(at, at + 2) }
}

// What a work item costs: one peer with two slots computes `echo $((PIECE_IDX*PIECE_IDX))`, everything included
// (choosing, bash, hashing, storing, journal, joining the file), beside `xargs -P2 bash -c` and GNU parallel writing as
// many files.
//   node bench/items.ts [--rounds 3] [--no-parallel] [PIECES …]     default: 1000 10000
// The three take turns, so that a busy machine is busy for all of them. Prints medians per item: time passed, and time
// of all processors in brackets, which other programs disturb less. BitWorker's is counted from `add` to `done`; its
// processor time is that of the whole process, with its start.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import BitWorker, { createTask } from '../lib/index.ts'

const OPTIONS = { dht: false, lsd: false, natUpnp: false, natPmp: false, tracker: false }

/** The child: one peer. Prints how long it took from `add` to `done`, in milliseconds, and its memory in bytes. */
async function peer (pieces: number, path: string): Promise<void> {
  const client = new BitWorker(OPTIONS)
  await once(client, 'listening')
  const task = createTask({
    name: 'squares.txt', command: 'echo $((PIECE_IDX*PIECE_IDX))', parts: pieces, pieceLength: 1024
  })
  const start = performance.now()
  const torrent = client.add(task, { path, compute: { slots: 2, sandbox: 'none' } })
  await once(torrent, 'done')
  console.log(performance.now() - start, process.resourceUsage().maxRSS * 1024)
  client.destroy(() => { process.exit(0) })
}

interface Run { ms: number, cpuMs: number, out: string }

/** Runs a line of bash in an empty folder, and checks that it left so many files there. */
async function run (line: string, files: number): Promise<Run> {
  const cwd = await mkdtemp(join(tmpdir(), 'bitworker-bench-'))
  try {
    const child = spawn('bash', ['-c', `TIMEFORMAT='%R %U %S'; time { ${line}; }`], {
      cwd, stdio: ['ignore', 'pipe', 'pipe']
    })
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
    const { length } = await readdir(cwd)
    if (length !== files) throw new Error(`${line} made ${length} files, not ${files}: ${err}`)
    const [real, user, sys] = err.trimEnd().split('\n').at(-1)!.split(' ').map(Number)
    return { ms: real! * 1000, cpuMs: (user! + sys!) * 1000, out }
  } finally {
    await rm(cwd, { recursive: true })
  }
}

async function bitworker (pieces: number): Promise<Run & { rssBytes: number }> {
  const result = await run(`'${process.execPath}' '${import.meta.filename}' --peer ${pieces}`, 2)
  const [ms, rssBytes] = result.out.split(' ').map(Number)
  return { ...result, ms: ms!, rssBytes: rssBytes! }
}

function median (numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
}

function hasParallel (): boolean {
  try {
    execFileSync('parallel', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('GNU parallel is not installed; it is left out')
    return false
  }
}

async function measure (pieces: number, rounds: number, withParallel: boolean): Promise<void> {
  const own: Array<Run & { rssBytes: number }> = []
  const xargs: Run[] = []
  const parallel: Run[] = []
  for (let round = 0; round < rounds; round++) {
    own.push(await bitworker(pieces))
    xargs.push(await run(`seq 0 ${pieces - 1} | xargs -P2 -n1 bash -c 'echo $(($0*$0)) > $0'`, pieces))
    if (withParallel) parallel.push(await run(`seq 0 ${pieces - 1} | parallel -j2 'echo $(({}*{})) > {}'`, pieces))
  }
  const ms = (runs: Run[]): number => median(runs.map(each => each.ms)) / pieces
  const cpuMs = (runs: Run[]): number => median(runs.map(each => each.cpuMs)) / pieces
  const cost = (runs: Run[]): string => `${ms(runs).toFixed(3)} ms (${cpuMs(runs).toFixed(3)})`
  const ratio = (a: Run[], b: Run[]): string => `${(ms(a) / ms(b)).toFixed(2)} (${(cpuMs(a) / cpuMs(b)).toFixed(2)})`
  const others = withParallel ? [cost(parallel), ratio(parallel, own)] : ['-', '-']
  const rss = Math.max(...own.map(({ rssBytes }) => rssBytes)) / 2 ** 20
  console.log(
    `| ${[pieces, cost(own), cost(xargs), others[0], ratio(own, xargs), others[1], `${rss.toFixed(0)} MiB`].join(' | ')} |`
  )
}

if (process.argv[2] === '--peer') {
  await peer(Number(process.argv[3]), process.cwd())
} else {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '3' }, 'no-parallel': { type: 'boolean', default: false } }
  })
  const withParallel = !values['no-parallel'] && hasParallel()
  console.log(
    '| pieces | BitWorker | xargs -P2 | parallel -j2 | BitWorker / xargs | parallel / BitWorker | peak memory |'
  )
  console.log('|---|---|---|---|---|---|---|')
  const counts = positionals.length > 0 ? positionals.map(Number) : [1_000, 10_000]
  for (const pieces of counts) await measure(pieces, Number(values.rounds), withParallel)
}

// What the sandbox adds to a work item: the same tiny command with and without it, one by one and some at a time,
// beside the least that bash and bwrap take when a shell's loop starts them.
//   node bench/sandbox.ts [ITEMS] [AT A TIME]       default: 300, and as many as there are processors
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { DEFAULT_LIMITS } from '../lib/executor/limits.ts'
import { bwrapArgs } from '../lib/executor/sandbox/bwrap-args.ts'
import { archOf, systemFolders } from '../lib/executor/sandbox/host.ts'
import { seccompFilter } from '../lib/executor/sandbox/seccomp.ts'
import { BashExecutor, detectSandbox } from '../lib/index.ts'

const COUNT = Number(process.argv[2] ?? 300)
const AT_A_TIME = Number(process.argv[3] ?? availableParallelism())
const ROUNDS = 3

const folder = mkdtempSync(join(tmpdir(), 'bitworker-bench-'))
let made = 0

interface Figures { p50: number, p95: number, amortised: number }

async function item (executor: BashExecutor): Promise<void> {
  const stdout = join(folder, String(made++))
  await executor.run({
    command: 'echo $((PIECE_IDX * PIECE_IDX))',
    env: { PIECE_IDX: '7' },
    cwd: folder,
    stdout,
    maxOutputBytes: 1024,
    timeoutMs: 0
  }).done
}

async function measure (executor: BashExecutor, count: number): Promise<Figures> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    await item(executor)
    times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const start = performance.now()
  let left = count
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => { while (left-- > 0) await item(executor) }))
  return {
    p50: times[Math.floor(count * 0.5)]!,
    p95: times[Math.floor(count * 0.95)]!,
    amortised: (performance.now() - start) / count
  }
}

/** A loop of bash starts the program as often, in as many loops at a time: as little as it can take. */
function floor (program: string[], count: number): Figures {
  const script =
    'exec 5>/dev/null; n=$1 m=$2; shift 2; for ((j = 0; j < m; j++)); do for ((i = 0; i < n; i++)); do "$@" 3<filter >"out$j"; done & done; wait'
  const loops = (n: number): number => {
    const times = Math.ceil(count / n)
    const start = performance.now()
    const { status, stderr } = spawnSync(
      '/bin/bash',
      ['--norc', '-c', script, 'loop', String(times), String(n), ...program],
      {
        cwd: folder, env: { PIECE_IDX: '7' }, stdio: ['ignore', 'ignore', 'pipe']
      }
    )
    if (status !== 0 || stderr.length > 0) throw new Error(String(stderr))
    return (performance.now() - start) / (times * n)
  }
  return { p50: loops(1), p95: NaN, amortised: loops(AT_A_TIME) }
}

const { tier, sandbox, problems } = await detectSandbox()
if (sandbox === null) throw new Error(`no sandbox here: ${problems.join('; ')}`)
writeFileSync(join(folder, 'filter'), seccompFilter(archOf()!))
const bash = ['/bin/bash', '--noprofile', '--norc', '-c', 'echo $((PIECE_IDX * PIECE_IDX))']
const args = bwrapArgs({
  limits: DEFAULT_LIMITS, system: systemFolders(), proc: tier === 'bwrap', seccompFd: 3, infoFd: 5
})
const executors = {
  'bash, kept warm': new BashExecutor(),
  'bash, a fresh one for each': new BashExecutor({ shells: 'fresh' }),
  'sandbox, in nests': new BashExecutor({ sandbox }),
  'sandbox, without nests': new BashExecutor({
    sandbox: { ...sandbox, createLauncher: () => Object.assign(sandbox.createLauncher(), { canNest: () => false }) }
  })
}
type Row = [name: string, run: (count: number) => Figures | Promise<Figures>]
const rows: Row[] = [
  ['loop of bash', count => floor(bash, count)],
  ['loop of bwrap, bash', count => floor(['bwrap', ...args, '--', ...bash], count)],
  ...Object.entries(executors).map(([name, executor]): Row => [name, async count => measure(executor, count)])
]
for (const executor of Object.values(executors)) await measure(executor, 30)
const results = new Map<string, Figures[]>(rows.map(([name]) => [name, []]))
// by turns, so that whatever else this machine does falls on all
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, run] of rows) results.get(name)!.push(await run(Math.ceil(COUNT / ROUNDS)))
}
await Promise.all(Object.values(executors).map(async executor => executor.close()))
rmSync(folder, { recursive: true })

const COLUMNS = ['p50', 'p95', 'amortised'] as const
function median (numbers: number[]): string {
  const middle = numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!
  return Number.isNaN(middle) ? '' : middle.toFixed(2)
}
function minus (name: string, other: string): string[] {
  return COLUMNS.map(column =>
    median(results.get(name)!.map((figures, i) => figures[column] - results.get(other)![i]![column]))
  )
}
console.log(`| ms per work item | one by one, p50 | p95 | ${AT_A_TIME} at a time |\n|---|---|---|---|`)
for (const [name, all] of results) {
  console.log(`| ${[name, ...COLUMNS.map(column => median(all.map(figures => figures[column])))].join(' | ')} |`)
}
for (const other of ['bash, a fresh one for each', 'bash, kept warm']) {
  console.log(`| ${[`overhead of nests over ${other}`, ...minus('sandbox, in nests', other)].join(' | ')} |`)
}
console.log(
  `| ${['overhead of bwrap itself over bash', ...minus('loop of bwrap, bash', 'loop of bash')].join(' | ')} |`
)

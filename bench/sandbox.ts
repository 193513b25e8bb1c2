// What the sandbox adds to a work item: the same tiny command with and without it, one by one and four at a time.
//   node bench/sandbox.ts [ITEMS]       default: 300
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { BashExecutor, detectSandbox } from '../lib/index.ts'

const COUNT = Number(process.argv[2] ?? 300)
const AT_A_TIME = 4

const folder = mkdtempSync(join(tmpdir(), 'bitworker-bench-'))
let made = 0

async function item (executor: BashExecutor): Promise<void> {
  const stdout = join(folder, String(made++))
  await executor.run({ command: 'echo $((PIECE_IDX * PIECE_IDX))', env: { PIECE_IDX: '7' }, cwd: folder, stdout, maxOutputBytes: 1024, timeoutMs: 0 }).done
}

interface Figures { p50: number, p95: number, amortised: number }

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
  return { p50: times[Math.floor(count * 0.5)]!, p95: times[Math.floor(count * 0.95)]!, amortised: (performance.now() - start) / count }
}

const { tier, sandbox, problems } = await detectSandbox()
if (sandbox === null) throw new Error(`no sandbox here: ${problems.join('; ')}`)
const [plain, confined] = [new BashExecutor(), new BashExecutor({ sandbox })]
for (const executor of [plain, confined]) await measure(executor, 20)
// by turns, so that whatever else this machine does falls on both
const rounds = [0, 1, 2].map(() => Math.ceil(COUNT / 3))
const results: Array<[Figures, Figures]> = []
for (const count of rounds) results.push([await measure(plain, count), await measure(confined, count)])
await Promise.all([plain.close(), confined.close()])
rmSync(folder, { recursive: true })

const median = (pick: (figures: [Figures, Figures]) => number): string => (results.map(pick).sort((a, b) => a - b)[1] ?? 0).toFixed(2)
console.log(`ms a work item | p50 | p95 | ${AT_A_TIME} at a time
bash | ${median(([bash]) => bash.p50)} | ${median(([bash]) => bash.p95)} | ${median(([bash]) => bash.amortised)}
${tier} | ${median(([, box]) => box.p50)} | ${median(([, box]) => box.p95)} | ${median(([, box]) => box.amortised)}
overhead | ${median(([bash, box]) => box.p50 - bash.p50)} | ${median(([bash, box]) => box.p95 - bash.p95)} | ${median(([bash, box]) => box.amortised - bash.amortised)}`)

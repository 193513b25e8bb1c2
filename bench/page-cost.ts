// What the web page costs the client: processor time of a run of 10 000 pieces, ten of which change each second, while
// nobody looks, while one page is told of everything, and again while nobody looks.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../lib/cli/main.ts', import.meta.url))
const TICKS_PER_SECOND = 100
const [pieces = 10_000, seconds = 20, rounds = 2] = process.argv.slice(2).map(Number)

const dir = mkdtempSync(path.join(tmpdir(), 'page-cost-'))
const env = { PATH: process.env['PATH'], HOME: dir }
const create = spawn(process.execPath, [
  MAIN, 'create', '--command', 'sleep 0.2; echo $PIECE_IDX', '--parts', String(pieces), '--piece-length', '64', '--name', 'x.txt',
  '-o', 'x.bitworker', '--no-try'
], { cwd: dir, env, stdio: 'inherit' })
await once(create, 'exit')
const run = spawn(process.execPath, [
  MAIN, 'run', 'x.bitworker', '--yes', '--json', '--ui', '-j', '2', '--no-dht', '--no-lsd', '--no-nat', '--no-utp', '--no-tracker',
  '--unsafe-no-sandbox'
], { cwd: dir, env, stdio: ['ignore', 'pipe', 'ignore'] })
const pages: string[] = []
createInterface({ input: run.stdout }).on('line', line => {
  const event = JSON.parse(line) as { event: string, url?: string }
  if (event.event === 'page') pages.push(event.url!)
})
while (pages.length === 0) await setTimeout(100)
const { origin, hash } = new URL(pages[0]!)
const headers = { authorization: `Bearer ${hash.slice(1)}` }
await setTimeout(5_000)
const { tasks } = await (await fetch(`${origin}/api/tasks`, { headers })).json() as { tasks: Array<{ infoHash: string }> }

/** Processor time of the client alone, seconds. */
function cpuSeconds (): number {
  const fields = readFileSync(`/proc/${run.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

async function measure (): Promise<number> {
  const before = cpuSeconds()
  const since = performance.now()
  await setTimeout(seconds * 1000)
  return 100 * (cpuSeconds() - before) / ((performance.now() - since) / 1000)
}

console.log(`${pieces} pieces, ten changes a second; percent of a core`)
console.log('nobody looks | one page | nobody looks')
for (let round = 0; round < rounds; round++) {
  const alone = await measure()
  const abort = new AbortController()
  const stream = await fetch(`${origin}/api/task/${tasks[0]!.infoHash}/events`, { headers, signal: abort.signal })
  void stream.body!.pipeTo(new WritableStream()).catch(() => {})
  const watched = await measure()
  abort.abort()
  console.log([alone, watched, await measure()].map(share => share.toFixed(2)).join(' | '))
}
run.kill('SIGINT')
await once(run, 'exit')
rmSync(dir, { recursive: true })

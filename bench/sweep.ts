// A parameter sweep: a Python script for each row of a CSV table. `bitworker create` and four peers, each with the
// flags that `bitworker run` has by default, beside GNU parallel with as many jobs, which has the files already.
//   npm run build && node bench/sweep.ts [--runs 300] [--seconds 1] [--rounds 1]
// All are on this machine, so a run mostly sleeps, as if each peer were a machine of its own. The two take turns.
// Counted from the start of `create` until the last peer has the whole table; three peers have only the magnet link.
// They find each other by a tracker on loopback, which is there before; DHT and local discovery are off.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { parseArgs, promisify } from 'node:util'
import Server from 'bittorrent-tracker/server'

const exec = promisify(execFile)
const CLI = join(import.meta.dirname, '..', 'dist', 'cli.js')
const PEERS = 4
const HEADER = 'rate,seed,population'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' }
  }
})

const SCRIPT = `import random, sys, time
rate, seed = sys.argv[1:]
random.seed(int(seed))
time.sleep(${Number(values.seconds)})
population = 100.0
for year in range(50):
    population *= 1 + float(rate) * random.random()
print(f'{rate},{seed},{population:.1f}')
`

interface Times { firstMs: number, lastMs: number, itemMs: number }

async function bitworker (dir: string, announce: string): Promise<Times> {
  const start = performance.now()
  await exec(process.execPath, [
    CLI, 'create', '--name', 'result.csv', '--input', 'simulate.py', '--params', 'grid.csv',
    '--command', 'python3 simulate.py "$rate" "$seed"',
    '--complete-command', `{ echo ${HEADER}; cat $PART_LIST; } > "$FILE"`, '--announce', announce
  ], { cwd: dir, env: { ...process.env, HOME: dir } })
  const { stdout } = await exec(process.execPath, [CLI, 'info', 'result.csv.bitworker', '--json'], { cwd: dir })
  const { magnet } = JSON.parse(stdout) as { magnet: string }
  let firstItem = Infinity
  const peers = Array.from({ length: PEERS }, (_, i) => {
    const args = ['run', i === 0 ? 'result.csv.bitworker' : magnet, '-o', String(i), '--yes', '--verify', 'off', '--json']
    const child = spawn(process.execPath, [CLI, ...args, '--no-dht', '--no-lsd', '--no-nat'], {
      cwd: dir, env: { ...process.env, HOME: join(dir, `home-${i}`) }, stdio: ['ignore', 'pipe', 'ignore']
    })
    const done = new Promise<number>((resolve, reject) => {
      createInterface(child.stdout).on('line', line => {
        const { event } = JSON.parse(line) as { event: string }
        if (event === 'computing') firstItem = Math.min(firstItem, performance.now() - start)
        if (event === 'done') resolve(performance.now() - start)
      })
      child.once('close', code => { reject(new Error(`peer ${i} ended with exit code ${code}`)) })
    })
    return { child, done }
  })
  try {
    const ends = await Promise.all(peers.map(async ({ done }) => done))
    for (let i = 0; i < PEERS; i++) check(await readFile(join(dir, String(i), 'result.csv'), 'utf8'))
    return { firstMs: Math.min(...ends), lastMs: Math.max(...ends), itemMs: firstItem }
  } finally {
    await Promise.all(peers.map(async ({ child }) => {
      if (child.exitCode !== null) return
      child.kill()
      await once(child, 'close')
    }))
  }
}

async function parallel (dir: string): Promise<number> {
  const jobs = PEERS * availableParallelism()
  // at the lowest priority, as BitWorker's commands are, so that other work on the machine costs both the same
  const least = 'echo 19 > /proc/self/autogroup; renice -n 19 $$ > /dev/null'
  const line = `${least}; { echo ${HEADER}; parallel -k -j${jobs} --header : --colsep , python3 simulate.py :::: grid.csv; } > by-parallel.csv`
  const start = performance.now()
  // the Python of the system, as in the sandbox
  await exec('setsid', ['--wait', 'bash', '-c', line], { cwd: dir, env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: dir } })
  const ms = performance.now() - start
  check(await readFile(join(dir, 'by-parallel.csv'), 'utf8'))
  return ms
}

/** Throws unless it is the whole table, in order, with one header. */
function check (csv: string): void {
  const rows = csv.trim().split('\n').map(row => row.split(',').slice(0, 2).join())
  const expected = [HEADER, ...grid()].map(row => row.split(',').slice(0, 2).join())
  if (rows.join('\n') !== expected.join('\n')) throw new Error(`not the table that it should be:\n${csv}`)
}

function grid (): string[] {
  return Array.from({ length: Number(values.runs) }, (_, i) => `${(i % 3 + 1) / 100},${i}`)
}

const tracker = new Server({ http: true, udp: false, ws: false, stats: false })
tracker.listen(0, '127.0.0.1')
await once(tracker, 'listening')
const announce = `http://127.0.0.1:${(tracker.http!.address() as { port: number }).port}/announce`
console.log('| runs | BitWorker, last peer | first peer | first run begins | parallel | ratio |\n|---|---|---|---|---|---|')
for (let round = 0; round < Number(values.rounds); round++) {
  const dir = await mkdtemp(join(tmpdir(), 'bitworker-sweep-'))
  try {
    for (let i = 0; i < PEERS; i++) await mkdir(join(dir, `home-${i}`))
    await writeFile(join(dir, 'simulate.py'), SCRIPT)
    await writeFile(join(dir, 'grid.csv'), ['rate,seed', ...grid(), ''].join('\n'))
    const { firstMs, lastMs, itemMs } = await bitworker(dir, announce)
    const otherMs = await parallel(dir)
    const seconds = [lastMs, firstMs, itemMs, otherMs].map(ms => `${(ms / 1000).toFixed(1)} s`)
    console.log(`| ${[values.runs, ...seconds, (lastMs / otherMs).toFixed(2)].join(' | ')} |`)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
await new Promise<void>(resolve => { tracker.close(() => { resolve() }) })

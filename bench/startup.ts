// How long a start takes, until the first work item runs.
//   npm run build && node bench/startup.ts [--runs 15] [--node /usr/bin/node,…]
// Measured from outside: the work item says when it began. Discovery is off, or asks one tracker on loopback.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs, promisify } from 'node:util'
import Server from 'bittorrent-tracker/server'
import { createTask, encodeTask } from '../lib/index.ts'

const run = promisify(execFile)
const DIST = join(import.meta.dirname, '..', 'dist')
const OFF = ['--no-dht', '--no-lsd', '--no-nat']
const OPTIONS = '{ dht: false, lsd: false, natUpnp: false, natPmp: false }'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '15' }, node: { type: 'string', default: process.execPath } }
})
const folder = await mkdtemp(join(tmpdir(), 'bitworker-startup-'))
let tries = 0

/** Milliseconds from `start` until the task's first item began, which it wrote itself. */
async function untilItem (start: number, out: string): Promise<number> {
  return Number((await readFile(join(out, 'task.txt'), 'utf8')).split('\n')[0]) / 1e6 - start
}

function now (): number { return performance.timeOrigin + performance.now() }

/** A new task, so that nothing of it is there. */
async function freshTask (announce: string[]): Promise<{ file: string, out: string }> {
  const id = ++tries
  const task = createTask({ name: 'task.txt', command: `date +%s%N # ${id}`, parts: 1, pieceLength: 64, announce })
  const file = join(folder, `${id}.bitworker`)
  await writeFile(file, encodeTask(task))
  return { file, out: join(folder, String(id)) }
}

async function command (node: string, announce: string[]): Promise<number> {
  const { file, out } = await freshTask(announce)
  const start = now()
  await run(node, [join(DIST, 'cli.js'), 'run', file, '-o', out, '--yes', '--exit', ...OFF])
  return untilItem(start, out)
}

async function plain (node: string, args: string[]): Promise<number> {
  const start = now()
  await run(node, args)
  return now() - start
}

/** One client that is warm: it has run other tasks before. */
async function warm (node: string, count: number, announce: string[]): Promise<number[]> {
  const script = `
    import { createInterface } from 'node:readline'
    const { default: BitWorker } = await import(${JSON.stringify(join(DIST, 'index.js'))})
    const client = new BitWorker(${OPTIONS})
    for await (const line of createInterface({ input: process.stdin })) {
      const [file, path] = JSON.parse(line)
      const start = performance.timeOrigin + performance.now()
      const torrent = client.add(file, { path, compute: { slots: 1 } })
      await new Promise(resolve => torrent.once('done', resolve))
      console.log(start)
    }
    client.destroy()`
  const child = spawn(node, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const failed = once(child, 'exit').then(() => { throw new Error('the warm client ended') })
  failed.catch(() => {})
  const times: number[] = []
  for (let i = 0; i <= count; i++) {
    const { file, out } = await freshTask(announce)
    child.stdin.write(`${JSON.stringify([file, out])}\n`)
    const [start] = await Promise.race([once(child.stdout, 'data'), failed]) as [Buffer]
    // the first one warms it up
    if (i > 0) times.push(await untilItem(Number(start), out))
  }
  child.stdin.end()
  await failed.catch(() => {})
  return times
}

async function repeat (count: number, measure: () => Promise<number>): Promise<number[]> {
  const times: number[] = []
  await measure()
  while (times.length < count) times.push(await measure())
  return times
}

function print (node: string, what: string, times: number[]): void {
  const sorted = times.sort((a, b) => a - b)
  const [median, least, most] = [sorted[sorted.length >> 1]!, sorted[0]!, sorted.at(-1)!]
  console.log(`| ${node} | ${what} | ${median.toFixed(0)} ms | ${least.toFixed(0)}–${most.toFixed(0)} ms |`)
}

const tracker = new Server({ http: true, udp: false, ws: false, stats: false })
tracker.listen(0, '127.0.0.1')
await once(tracker, 'listening')
const announce = [`http://127.0.0.1:${(tracker.http!.address() as { port: number }).port}/announce`]
const runs = Number(values.runs)
console.log('| node | what | median | least–most |\n|---|---|---|---|')
for (const node of values.node.split(',')) {
  const { stdout } = await run(node, ['--version'])
  const name = stdout.trim()
  print(name, '`node -e 0`, for scale', await repeat(runs, () => plain(node, ['-e', '0'])))
  print(name, '`bitworker --version`', await repeat(runs, () => plain(node, [join(DIST, 'cli.js'), '--version'])))
  print(name, '`bitworker run --yes` to its first item', await repeat(runs, () => command(node, [])))
  print(name, 'the same with a tracker', await repeat(runs, () => command(node, announce)))
  print(name, '`add` on a warm client to its first item', await warm(node, runs, []))
  print(name, 'the same with a tracker', await warm(node, runs, announce))
}
await new Promise<void>(resolve => { tracker.close(() => { resolve() }) })
await rm(folder, { recursive: true, force: true })

/**
 * `npm run demo`: four `bitworker` processes and a tracker, on this machine only, render a poster together. Then one
 * process does the same alone, to compare. Everything is written to ./demo-output.
 *   node examples/demo.ts [--quick]
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createSigningKey } from '../lib/config/trust-files.ts'
import { detectSandbox, encodeTask } from '../lib/index.ts'
import type { Task } from '../lib/index.ts'
import { POSTER, PROGRAMS, posterTask } from './mandelbrot/make-task.ts'
import { runOneProcess } from './mandelbrot/one-process.ts'
import { summaryOf } from './swarm/peers.ts'
import { main, processes, screen, swarm, timed } from './swarm/show.ts'

const PEERS = 4
const QUICK = { width: 480, height: 320, parts: 16 }
const OUTPUT = path.resolve('demo-output')
const PICTURE = path.join(OUTPUT, 'mandelbrot.png')
const TASK_FILE = path.join(OUTPUT, 'mandelbrot.bitworker')
const KEY_FILE = path.join(OUTPUT, 'own-machines.key')

await main(async () => {
  const [flag, ...others] = process.argv.slice(2)
  if (others.length > 0 || (flag !== undefined && flag !== '--quick')) {
    throw new Error('usage: node examples/demo.ts [--quick]', { cause: 'usage' })
  }
  const poster = flag === '--quick' ? QUICK : POSTER
  const task = await posterTask(poster)
  await prepare(task)
  screen.note(
    `${PEERS} bitworker processes render a poster of ${poster.width} × ${poster.height} pixels in ${poster.parts} pieces.`
  )
  const { flags, env } = await confinement()
  const swarmMs = await bySwarm(task, flags)
  screen.note('The same, without BitWorker, by one process:')
  const aloneMs = await byOneProcess(task, env)
  screen.note(compare(swarmMs, aloneMs))
  screen.note(`Look at it: ${PICTURE}`)
})

/** A swarm pays for itself where there is more to compute than to set up; a speed-up is claimed where there was one. */
function compare (swarmMs: number, aloneMs: number): string {
  const took = `${PEERS} peers took ${seconds(swarmMs)}, one process took ${seconds(aloneMs)}`
  if (aloneMs > swarmMs) {
    return `${took}: ${(aloneMs / swarmMs).toFixed(1)} times as fast on ${os.availableParallelism()} cores.`
  }
  return `${took}: no gain here. ${PEERS} processes take time to start and meet, and commands run at the lowest priority, so other work comes first.`
}

/** Removes what an earlier demo left, and nothing else. */
async function prepare (task: Task): Promise<void> {
  const folders = Array.from({ length: PEERS }, (_, i) => `peer-${i + 1}`)
  for (const name of [...folders, 'one-process', 'mandelbrot.png']) {
    await rm(path.join(OUTPUT, name), { recursive: true, force: true })
  }
  await mkdir(OUTPUT, { recursive: true })
  await writeFile(TASK_FILE, encodeTask(task))
  await createSigningKey(KEY_FILE, { force: true })
}

/**
 * The peers are machines of one owner, with one key: each believes what the others computed. Resolves with the
 * milliseconds it took.
 */
async function bySwarm (task: Task, flags: string[]): Promise<number> {
  const own = ['--member', KEY_FILE]
  const [peers, ms] = await swarm(task, { taskFile: TASK_FILE, dir: OUTPUT, peers: PEERS, flags: [...flags, ...own] })
  for (const peer of peers) screen.note(`  ${summaryOf(peer)}`)
  const files = peers.flatMap(peer => peer.files ?? [])
  screen.note(`All ${files.length} peers have the same file: SHA-256 ${await digestOfAll(files)}`)
  await copyFile(files[0]!, PICTURE)
  return ms
}

/**
 * The demo runs its own command, so where there is no sandbox it does without, and says so. A sandbox shows the
 * system's programs only: this Node, if the system has none. To compare with, "one process" finds the same Node by
 * `env`.
 */
async function confinement (): Promise<{ flags: string[], env: Record<string, string> }> {
  const { sandbox, problems } = await detectSandbox()
  if (sandbox === null) {
    screen.note(
      `No sandbox works here, so this demo runs its own command without one. ${problems.join(' ')}`
    )
    return { flags: ['--unsafe-no-sandbox'], env: {} }
  }
  const hasNode = ['/usr/local/bin/node', '/usr/bin/node'].some(file => existsSync(file))
  const env = { PATH: `/usr/local/bin:/usr/bin:/bin:${path.dirname(process.execPath)}` }
  return { flags: hasNode ? [] : ['--bind', `${process.execPath}:node`], env }
}

async function byOneProcess (task: Task, env: Record<string, string>): Promise<number> {
  let done = 0
  const dir = path.join(OUTPUT, 'one-process')
  const [file, ms] = await timed(
    task,
    () => ({ done, details: [] }),
    changed =>
      runOneProcess(processes, { task, dir, inputs: PROGRAMS, env }, () => {
        done++
        changed()
      })
  )
  await digestOfAll([PICTURE, file])
  return ms
}

/** The digest that all the files have. Throws if they have not. */
async function digestOfAll (files: string[]): Promise<string> {
  const digests = await Promise.all(
    files.map(async file =>
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
    )
  )
  if (new Set(digests).size > 1) {
    throw new Error(['the pictures differ:', ...files.map((file, i) => `  ${digests[i]}  ${file}`)].join('\n'))
  }
  return digests[0] ?? ''
}

function seconds (ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

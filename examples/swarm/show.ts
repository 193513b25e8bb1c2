/** What the demo and `swarm` have in common: work that a person watches, and can interrupt. */
import type { Task } from '../../lib/index.ts'
import { runPeers } from './peers.ts'
import type { Peer, Work } from './peers.ts'
import { Processes } from './processes.ts'
import { openScreen } from './screen.ts'
import type { View } from './screen.ts'

const TICK_MS = 100

/** Where everything is shown. */
export const screen = openScreen()
/** All that was started. */
export const processes = new Processes()

/** How far the work is. */
type Progress = Pick<View, 'done' | 'details'>

/** Shows how far the work is; resolves with its result and the milliseconds that it took. */
export async function timed<T> (
  task: Task, look: () => Progress, work: (changed: () => void) => Promise<T>
): Promise<[T, number]> {
  const start = performance.now()
  let isOver = false // peers say things while they leave, too
  const show = (): void => {
    if (!isOver) screen.show({ ...look(), total: task.pieceCount, elapsed: performance.now() - start })
  }
  const timer = setInterval(show, TICK_MS)
  try {
    const result = await work(show)
    return [result, performance.now() - start]
  } finally {
    clearInterval(timer)
    show()
    isOver = true
    screen.end()
  }
}

/**
 * Runs peers until all of them have the files, and ends them; resolves with what they did and the milliseconds that it
 * took.
 */
export async function swarm (task: Task, work: Omit<Work, 'onChange'>): Promise<[Peer[], number]> {
  let peers: Peer[] = []
  const look = (): Progress => ({
    done: new Set(peers.flatMap(({ computed }) => [...computed])).size, details: peers.map(describe)
  })
  const timedPeers = await timed(task, look, changed => runPeers(processes, {
    ...work,
    onChange: now => {
      peers = now
      changed()
    }
  }))
  await processes.stop()
  return timedPeers
}

function describe ({ name, computed, downloaded, computing, files }: Peer): string {
  const now = computing === null ? 'waiting' : `computing piece ${computing}`
  return `${name}  ${String(computed.size).padStart(3)} computed  ${String(downloaded.size).padStart(3)} downloaded  ${files === null ? now : 'done'}`
}

/**
 * Does the work, then ends the process and all that it started: exit code 0, 1 for a failure, 2 for bad usage, 130 when
 * interrupted.
 */
export async function main (work: () => Promise<void>): Promise<never> {
  process.exit(await exitCodeOf(work))
}

async function exitCodeOf (work: () => Promise<void>): Promise<number> {
  try {
    await Promise.race([work(), processes.failure, interruption()])
    return 0
  } catch (error) {
    await processes.close()
    screen.end()
    if (!(error instanceof Error)) throw error
    console.error(error.message)
    return error.cause === 'interrupted' ? 130 : error.cause === 'usage' ? 2 : 1
  }
}

/** Rejects when someone wants it to end, or looks away. */
function interruption (): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => { reject(new Error('stopped', { cause: 'interrupted' })) }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop)
    process.stdout.on('error', stop)
  })
}

/**
 * Starts the barrage: in a network of its own, where LSD, NAT-PMP and UPnP can be on, or, where none can be made, on
 * the loopback without them.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { SETUP } from './lan.ts'

/** What came of one door; `problem` is null if nothing did. */
export interface DoorReport {
  door: string
  problem: string | null
  inputs?: number
  memory?: string
  [field: string]: unknown
}

/**
 * Sends so many inputs to each port of `bitworker run`, `bitworker tracker` and a client of the library, or to those
 * that are named.
 */
export async function * barrage (seed: number, inputs: number, doors: string[] = []): AsyncGenerator<DoorReport> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const unshare = ['unshare', '--net', ...process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']] as const
  const isLan = spawnSync(unshare[0], [...unshare.slice(1), 'bash', '-c', SETUP]).status === 0
  const [command, ...args] = [
    ...(isLan ? unshare : []), process.execPath, main, String(seed), String(inputs), isLan ? 'lan' : 'loopback',
    ...doors
  ]
  yield { door: isLan ? 'a network of its own' : 'the loopback alone', problem: null }
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit') as Promise<[number | null]>
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as DoorReport
  const [code] = await ended
  yield { door: 'all', problem: code === 0 ? null : `the barrage itself ended with ${code}` }
}

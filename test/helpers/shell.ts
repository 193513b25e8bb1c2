/**
 * Runs programs that start processes of their own, and finds out whether any of those is left. They all work in a
 * folder that no one else has, which is how they are told apart. Needs /proc.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readlinkSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tape'
import { DEADLINE_MS } from './disk.ts'

const POLL_MS = 50

/** How it ended, and what it wrote. */
interface Ended { code: number | null, stdout: string, stderr: string }

/** A program that runs. */
export interface Program {
  readonly pid: number
  /** to its stdin */
  write (text: string): void
  /** resolves when stdout matches */
  output (pattern: RegExp): Promise<void>
  readonly ended: Promise<Ended>
}

/** Starts a program in a process group of its own, which is killed when the test ends or after 90 s. */
export function startProgram (t: Test, argv: string[], opts: { cwd: string, env: Record<string, string> }): Program {
  const { DEBUG: _, ...inherited } = process.env
  const [command = '', ...args] = argv
  const child = spawn(command, args, {
    cwd: opts.cwd, env: { ...inherited, ...opts.env }, detached: true, stdio: ['pipe', 'pipe', 'pipe']
  })
  const seen = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      seen[name] += text
    })
  child.stdin.on('error', () => {})
  const kill = (): void => {
    try {
      process.kill(-(child.pid ?? NaN), 'SIGKILL')
    } catch {} // gone already
  }
  const timer = setTimeout(kill, DEADLINE_MS)
  const ended = once(child, 'close').then(([code]): Ended => {
    clearTimeout(timer)
    return { code: code as number | null, ...seen }
  })
  t.teardown(async () => {
    kill()
    await ended.catch(() => {})
  })
  return {
    pid: child.pid ?? 0,
    write: text => { child.stdin.write(text) },
    output: async pattern => {
      while (!pattern.test(seen.stdout)) {
        const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => null)])
        if (more === null && !pattern.test(seen.stdout)) {
          throw new Error(`ended before ${pattern}: ${seen.stdout}${seen.stderr}`)
        }
      }
    },
    ended
  }
}

/** The processes that work in a folder or below it: `PID command line`. */
export function processesIn (dir: string): string[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).flatMap(pid => {
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`)
      const isThere = cwd === dir || cwd.startsWith(`${dir}/`)
      return isThere ? [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`] : []
    } catch {
      return [] // it has ended meanwhile, or is not ours to look at
    }
  })
}

/** Resolves when no process works in the folder any more; rejects after 10 s. */
export async function untilNoneIn (dir: string): Promise<void> {
  for (let left = processesIn(dir), waited = 0; left.length > 0; left = processesIn(dir), waited += POLL_MS) {
    if (waited > 10_000) throw new Error(`left running: ${left.join('\n')}`)
    await delay(POLL_MS)
  }
}

/**
 * The processes that the demo starts. None of them outlives it: not its end, not Ctrl-C, not even kill -9 (there the
 * watchdog of a task's commands steps in).
 */
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Watchdog } from '../../lib/executor/process/watchdog.ts'

// A peer needs a second at most to leave its swarm.
const PATIENCE_MS = 3000
const STDERR_LINES = 40

type Child = ChildProcessByStdio<null, Readable, Readable>

/** What to run. */
export interface Start {
  /** for messages */
  name: string
  command: string
  args: string[]
  env?: Record<string, string>
  onLine: (line: string) => void
}

/** Starts processes and ends them. */
export class Processes {
  /** rejects when a process ends that was not told to, unless its exit code is 0 */
  readonly failure: Promise<never>
  readonly #watchdog = new Watchdog('/bin/bash')
  readonly #running = new Map<Child, Promise<void>>()
  /** by name: its last lines */
  readonly #stderr = new Map<string, string[]>()
  readonly #told = new WeakSet<Child>()
  #fail: (error: Error) => void = () => {}
  #isClosed = false

  constructor () {
    this.failure = new Promise((_, reject) => { this.#fail = reject })
    this.failure.catch(() => {})
  }

  /** Resolves when it has ended; never if it was told to. */
  async start ({ name, command, args, env = {}, onLine }: Start): Promise<void> {
    if (this.#isClosed) return this.failure
    this.#watchdog.ensure()
    const child = spawn(command, args, {
      detached: true, // a group of its own: Ctrl-C reaches the one who started them, and who ends them in order
      // The poster's commands say `node`: this one.
      env: { ...process.env, PATH: `${path.dirname(process.execPath)}:${process.env['PATH'] ?? ''}`, ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    if (child.pid !== undefined) this.#watchdog.watch(child.pid)
    createInterface(child.stdout).on('line', onLine)
    const stderr: string[] = []
    this.#stderr.set(name, stderr)
    createInterface(child.stderr).on('line', line => {
      stderr.push(line)
      if (stderr.length > STDERR_LINES) stderr.shift()
    })
    const ended = new Promise<string | null>(resolve => {
      child.once('error', error => { resolve(error.message) })
      child.once('close', (code, signal) => {
        resolve(code === 0 ? null : `it ended with ${signal ?? `exit code ${code}`}`)
      })
    })
    this.#running.set(child, ended.then(() => { this.#forget(child) }))
    const problem = await ended
    if (this.#told.has(child)) return this.failure
    if (problem !== null) this.#fail(this.problem(name, problem))
  }

  /** The error to throw when a process did not do what it should: with the last lines that it wrote to stderr. */
  problem (name: string, what: string): Error {
    return new Error([`${name}: ${what}`, ...this.#stderr.get(name)?.map(line => `  │ ${line}`) ?? []].join('\n'))
  }

  /** Ends all of them; resolves when they are gone. */
  async stop (): Promise<void> {
    for (const child of this.#running.keys()) this.#told.add(child)
    this.#signal('SIGINT')
    const timer = setTimeout(() => { this.#signal('SIGKILL') }, PATIENCE_MS)
    await Promise.all(this.#running.values())
    clearTimeout(timer)
    await this.#watchdog.close()
  }

  /** Ends all of them for good: nothing starts any more. */
  async close (): Promise<void> {
    this.#isClosed = true
    await this.stop()
  }

  #forget (child: Child): void {
    this.#running.delete(child)
    if (child.pid !== undefined) this.#watchdog.forget(child.pid)
  }

  #signal (signal: NodeJS.Signals): void {
    for (const { pid } of this.#running.keys()) {
      try {
        if (pid !== undefined) process.kill(-pid, signal)
      } catch {} // gone already
    }
  }
}

/**
 * Runs the real command in a fresh folder. Everything that was started is killed, and the folder removed, when the
 * test ends; nothing waits without a deadline.
 */
import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tape'
import { DEADLINE_MS } from './disk.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

/** Flags that keep `run` and `info` on the loopback and silent. */
export const OFFLINE = ['--no-dht', '--no-lsd', '--no-nat', '--no-utp', '--no-tracker']

/** A line of `--json`. */
export interface JsonEvent { event: string, [field: string]: unknown }

/** How a command ended, and what it wrote. */
export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  events: JsonEvent[]
}

/** A command that runs. */
export interface Running {
  readonly pid: number
  readonly events: JsonEvent[]
  readonly stdin: Writable
  stderr (): string
  /** the first event of that name that fits, past or future; rejects at the deadline or when the command ends before */
  event (name: string, fits?: (event: JsonEvent) => boolean): Promise<JsonEvent>
  /** resolves when stderr or, without --json, stdout matches */
  output (pattern: RegExp): Promise<void>
  kill (signal: NodeJS.Signals): void
  readonly ended: Promise<Ended>
}

/** A fresh folder, and commands that run in it. */
export interface Workspace {
  readonly dir: string
  start: (args: string[], opts?: StartOptions) => Running
  run: (args: string[], opts?: StartOptions) => Promise<Ended>
}

/** How to start. */
export interface StartOptions {
  /** default: the workspace's own */
  cwd?: string
  env?: Record<string, string>
  /** with a terminal at all three ends, by util-linux's script(1); stdout and stderr arrive together on stdout */
  terminal?: boolean
  /** of the terminal; default: none are known, which counts as 80 */
  columns?: number
}

/** Makes a workspace that lives as long as the test. */
export async function workspace (t: Test): Promise<Workspace> {
  const dir = await mkdtemp(path.join(tmpdir(), 'bitworker-cli-'))
  const children: Child[] = []
  t.teardown(async () => {
    await Promise.all(children.map(child => end(child)))
    await rm(dir, { recursive: true, force: true })
  })
  const start = (args: string[], opts: StartOptions = {}): Running => {
    const child = launch(args, opts, dir)
    children.push(child)
    return follow(child, args)
  }
  return { dir, start, run: (args, opts) => start(args, opts).ended }
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

function launch (args: string[], { cwd, env, terminal = false, columns }: StartOptions, dir: string): Child {
  // CI would take the colours from a terminal, too
  const { DEBUG: _, CI: __, ...inherited } = process.env
  const argv = [process.execPath, MAIN, ...args]
  const size = columns === undefined ? '' : `stty cols ${columns} rows 50; `
  const [command = '', ...rest] = terminal
    ? ['script', '-qefc', `${size}${argv.map(quote).join(' ')}`, '/dev/null']
    : argv
  return spawn(command, rest, {
    cwd: cwd ?? dir,
    env: { ...inherited, SHELL: '/bin/bash', HOME: dir, XDG_CONFIG_HOME: '', XDG_CACHE_HOME: '', XDG_STATE_HOME: '', ...env },
    stdio: ['pipe', 'pipe', 'pipe']
  })
}

function quote (word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

async function end (child: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise(resolve => child.once('close', resolve))
  child.kill('SIGKILL')
  await closed
}

function follow (child: Child, args: string[]): Running {
  const seen = { stdout: '', stderr: '', events: [] as JsonEvent[] }
  const listeners = new Set<() => void>()
  const changed = (): void => { for (const listener of listeners) listener() }
  let line = ''
  child.stdin.on('error', () => {})
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    seen.stderr += text
    changed()
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen.stdout += text
    const lines = (line + text).split('\n')
    line = lines.pop() ?? ''
    if (args.includes('--json')) seen.events.push(...lines.map(each => JSON.parse(each) as JsonEvent))
    changed()
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => { resolve({ code, signal, ...seen }) })
  })
  const what = `bitworker ${args.join(' ')}`
  const until = <T>(find: () => T | undefined, wanted: string): Promise<T> => waitUntil(find, listeners, ended,
    problem => new Error(`${what}: ${problem} before ${wanted}\nstdout: ${seen.stdout}\nstderr: ${seen.stderr}`))
  return {
    pid: child.pid ?? 0,
    events: seen.events,
    stdin: child.stdin,
    stderr: () => seen.stderr,
    event: (name, fits = () => true) =>
      until(() => seen.events.find(each => each.event === name && fits(each)), `the event ${name}`),
    output: async pattern => {
      await until(() => pattern.exec(seen.stderr + seen.stdout) ?? undefined, String(pattern))
    },
    kill: signal => {
      child.kill(signal)
    },
    ended: waitUntilEnded(ended, child, what)
  }
}

async function waitUntilEnded (ended: Promise<Ended>, child: Child, what: string): Promise<Ended> {
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
    console.error(`${what}: killed, it did not end within ${DEADLINE_MS} ms`)
  }, DEADLINE_MS)
  try {
    return await ended
  } finally {
    clearTimeout(timer)
  }
}

async function waitUntil<T> (
  find: () => T | undefined, listeners: Set<() => void>, ended: Promise<Ended>, problem: (what: string) => Error
): Promise<T> {
  const done = new AbortController()
  try {
    return await new Promise<T>((resolve, reject) => {
      const look = (): void => {
        const found = find()
        if (found !== undefined) resolve(found)
      }
      const timer = setTimeout(() => { reject(problem(`${DEADLINE_MS} ms passed`)) }, DEADLINE_MS)
      done.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        listeners.delete(look)
      })
      listeners.add(look)
      look()
      ended.then(({ code, signal }) => { reject(problem(`ended (${signal ?? code})`)) }, reject)
    })
  } finally {
    done.abort()
  }
}

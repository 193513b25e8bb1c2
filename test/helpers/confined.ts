/** A client under another user, for tests of the sandbox: root and ordinary users must be held alike. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync, chownSync, copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync
} from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tape'
import type { Order, Start } from '../fixtures/confined.ts'
import { cleanUp, createFolder } from './disk.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Nobody has this number, and nobody needs to. */
const ORDINARY_UID = 54_321

/** Who a client runs as: root only where we are. */
export const USERS: Array<{ name: string, uid: number }> = [
  ...process.getuid?.() === 0 ? [{ name: 'root', uid: 0 }] : [],
  { name: 'an ordinary user', uid: process.getuid?.() === 0 ? ORDINARY_UID : process.getuid?.() ?? 0 }
]

/** How a command went; the digest is SHA-256, hex. */
export interface Outcome {
  code: string | null
  message: string
  stdout: string
  stderr: string
  size: number
  stdoutDigest: string
}

/** A client that runs commands in a sandbox, one after the other. */
export interface Confined {
  readonly tier: string
  readonly problems: string[]
  /** where its commands are counted together; null: nowhere */
  readonly groups: Start['groups']
  readonly child: ChildProcess
  /** what it writes to; nobody but its user may enter */
  readonly folder: string
  /** pids of what is left of its commands, this client itself excepted */
  survivors (): number[]
  run (order: Order): Promise<Outcome>
  /** resolves with the pid of its outermost process when it was started */
  begin (order: Order): Promise<number>
  /** how what was begun went */
  ended (): Promise<Outcome>
  end (): Promise<void>
}

/** Starts it, by the command `around` if there is one. Descriptor 251 of it is open on a file with a secret. */
export async function startConfined (t: Test, uid: number, choice = 'auto', around: string[] = []): Promise<Confined> {
  const home = createFolder(t)
  const folder = path.join(home, 'private')
  mkdirSync(folder, { mode: 0o700 })
  writeFileSync(path.join(folder, 'secret'), 'the-secret\n', { mode: 0o600 })
  writeFileSync(path.join(folder, 'evil.sh'), 'echo the-secret\n')
  const { node, script } =
    uid === process.getuid?.()
      ? { node: process.execPath, script: path.join(ROOT, 'test/fixtures/confined.ts') }
      : copyFor(uid, home)
  const marker = randomUUID()
  for (const at of [folder, path.join(folder, 'secret'), path.join(folder, 'evil.sh')]) chownSync(at, uid, uid)
  const own = [
    '/bin/bash', '-c', 'exec 251<"$1/secret"; exec "$2" "$3" "$1" "$4"', 'confined', folder, node, script, choice
  ]
  const [file = '', ...args] = [...around, ...own]
  const child = spawn(file, args, {
    ...(around.length === 0 && { uid, gid: uid }),
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', TMPDIR: folder, HOME: folder }
  })
  const end = async (): Promise<void> => {
    child.stdin.end()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
  cleanUp(t, end)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async <T> (): Promise<T> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the client ended')
    return JSON.parse(value) as T
  }
  const begin = async (order: Order): Promise<number> => {
    child.stdin.write(`${JSON.stringify({ ...order, env: { MARKER: marker, ...order.env } })}\n`)
    return (await next<{ pid: number }>()).pid
  }
  const { tier, problems, groups } = await next<Start>()
  return {
    tier,
    problems,
    groups,
    child,
    folder,
    survivors: () => markedWith(marker),
    begin,
    run: async order => {
      await begin(order)
      return next<Outcome>()
    },
    ended: async () => next<Outcome>(),
    end
  }
}

/** How a program ended. */
export interface Ran { status: number | null, stdout: string, stderr: string }

/** Runs a fixture as the user, with a folder of its own as its first argument. */
export async function runAs (t: Test, uid: number, fixture: string, args: string[]): Promise<Ran> {
  const home = createFolder(t)
  const folder = path.join(home, 'private')
  mkdirSync(folder, { mode: 0o700 })
  chownSync(folder, uid, uid)
  const { node, script } =
    uid === process.getuid?.()
      ? { node: process.execPath, script: path.join(ROOT, 'test/fixtures/x') }
      : copyFor(uid, home)
  const child = spawn(node, [path.join(path.dirname(script), fixture), folder, ...args], {
    uid,
    gid: uid,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin', TMPDIR: folder, HOME: folder }
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => { stdout += text })
  child.stderr.setEncoding('utf8').on('data', text => { stderr += text })
  const [status] = await once(child, 'close') as [number | null]
  return { status, stdout, stderr }
}

/** Sources and Node where the user can read them: a clone may be where only its owner can. */
function copyFor (uid: number, home: string): { node: string, script: string } {
  chmodSync(home, 0o711)
  for (const name of ['lib', 'extensions', 'test/fixtures/confined.ts', 'test/fixtures/leftovers.ts', 'package.json']) {
    cpSync(path.join(ROOT, name), path.join(home, name), { recursive: true })
  }
  for (const name of ['bencode', 'debug']) copyPackage(name, home)
  chmodSync(path.join(home, 'test'), 0o755)
  const isReadable = spawnSync(process.execPath, ['--version'], { uid, gid: uid, cwd: '/' }).status === 0
  const node = isReadable ? process.execPath : path.join(home, 'node')
  if (!isReadable) copyFileSync(process.execPath, node)
  return { node, script: path.join(home, 'test/fixtures/confined.ts') }
}

/** A package that the sources import, and what it depends on. */
function copyPackage (name: string, home: string): void {
  const folder = path.join('node_modules', name)
  cpSync(path.join(ROOT, folder), path.join(home, folder), { recursive: true })
  const { dependencies = {} } = JSON.parse(readFileSync(path.join(home, folder, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  for (const each of Object.keys(dependencies)) copyPackage(each, home)
}

/** Whoever has the marker in the environment it was started with: bwrap, and everything inside. */
function markedWith (marker: string): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(marker)
    } catch {
      return false
    }
  })
}

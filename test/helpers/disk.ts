/** Folders, processes and conditions, for tests that work with the real thing. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Test } from 'tape'
import { livingThread, readStat } from '../../lib/system/process-table.ts'

/**
 * How long a test waits for anything: less than scripts/test.ts gives a file, and far more than it takes on a machine
 * that is busy with other things. Nobody waits so long but a test that fails.
 */
export const DEADLINE_MS = 240_000

const cleanups = new WeakMap<Test, Array<() => unknown>>()

/** Runs `fn` when the test has ended, before everything that was registered earlier. */
export function cleanUp (t: Test, fn: () => unknown): void {
  const known = cleanups.get(t)
  if (known !== undefined) {
    known.push(fn)
    return
  }
  const all = [fn]
  cleanups.set(t, all)
  t.teardown(async () => { for (const each of all.toReversed()) await each() })
}

/** An empty folder, gone when the test ends. */
export function createFolder (t: Test, prefix = 'bitworker-test-'): string {
  const dir = mkdtempSync(path.join(tmpdir(), prefix))
  cleanUp(t, () => { rmSync(dir, { recursive: true, force: true }) })
  return dir
}

/** Waits until the condition holds; rejects at the deadline with what was waited for. */
export async function until (what: string, isSo: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE_MS
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}

/** The promise, or a rejection at the deadline that names what was waited for. */
export async function within<T> (promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${what}: nothing within ${DEADLINE_MS} ms`)) }, DEADLINE_MS)
  })
  return Promise.race([promise, deadline]).finally(() => { clearTimeout(timer) })
}

/** Processes of these sessions that live (a zombie does not), by the process table. */
export function livingIn (...sids: number[]): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    const stat = readStat(pid)
    return stat !== null && sids.includes(Number(stat[3])) && livingThread(pid, stat[0]) !== null
  })
}

/** States of a session's processes: R, S, T (stopped) … */
export function statesIn (sid: number): string[] {
  return livingIn(sid).map(pid => livingThread(pid, readStat(pid)?.[0])?.state ?? '')
}

/** The rejection of a promise; fails if there is none. */
export async function rejection<T extends Error = Error & { code?: string }> (promise: Promise<unknown>): Promise<T> {
  try {
    await promise
  } catch (err) {
    return err as T
  }
  throw new Error('was expected to reject, but did not')
}

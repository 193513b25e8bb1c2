/** An author of tasks on the command line: a folder with a key, and the ways to be refused. */
import path from 'node:path'
import type { Test } from 'tape'
import { OFFLINE, workspace } from './cli.ts'
import type { JsonEvent, Workspace } from './cli.ts'

/** Below the home directory. */
export const CONFIG = '.config/bitworker'
/** Makes squares.bitworker: 4 pieces of at most a minute. */
export const SQUARES = [
  'create',
  '--name',
  'squares',
  '--parts',
  '4',
  '--piece-length',
  '1K',
  '--timeout',
  '60',
  '--command',
  'echo $((PIECE_IDX*PIECE_IDX))'
]
/** Runs it on this machine alone. */
export const RUN = ['run', 'squares.bitworker', '--exit', ...OFFLINE]

/** A workspace, the public key that was made in it, and paths within it. */
export interface Author extends Workspace { key: string, at: (name: string) => string }

/** A workspace with a key, and optionally a signed task. */
export async function author (t: Test, { signed = false } = {}): Promise<Author> {
  const files = await workspace(t)
  const { code, events, stderr } = await files.run(['keygen', '--json'])
  t.equal(code, 0, stderr)
  if (signed) t.equal((await files.run([...SQUARES, '--sign', '--label', 'Ada'])).code, 0)
  return { ...files, key: String(events[0]?.['key']), at: name => path.join(files.dir, name) }
}

/** The first event of a command that ends well. */
export async function json ({ run }: Workspace, args: string[]): Promise<JsonEvent> {
  const { code, events, stderr } = await run([...args, '--json'])
  if (code !== 0) throw new Error(stderr)
  return events[0]!
}

/** Passes if a command ends with exit code 2, this error and one line. */
export async function refused (t: Test, { run }: Workspace, args: string[], code: string, says: RegExp): Promise<void> {
  const ended = await run([...args, '--json'])
  const error = ended.events.find(({ event }) => event === 'error')
  t.deepEqual([ended.code, error?.['code']], [2, code], `${args.join(' ')}: ${ended.stderr}`)
  t.match(ended.stderr, says)
  t.match(ended.stderr, /^bitworker: [^\n]+\n$/m, 'one line')
}

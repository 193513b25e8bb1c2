/**
 * Records the inputs that were made on this machine: for each info-hash, the torrent and the path of its data. `run` on
 * the same machine then serves the original without a copy, and the task file needs no path. The records are in
 * $XDG_STATE_HOME/bitworker/inputs, by default ~/.local/state/bitworker/inputs: a folder for each input, so that two
 * processes never write the same file. For a task whose output is an input, the record is its task file, which no peer
 * may have yet, and the folder in which it was run. Called by lib/inputs/make-task.ts and the code that serves inputs.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { replace } from '../system/atomic-file.ts'
import { errnoOf } from '../system/io-errors.ts'
import type { FileMark } from './stamps.ts'

/** An input that was made on this machine. */
export interface MadeInput {
  /** its info dictionary, to be read as strictly as one from a peer */
  info: Uint8Array
  /** absolute path of the file or folder; it may have changed, or be gone */
  path: string
  /** each file in the torrent's order, as it was when it was hashed */
  files: readonly FileMark[]
}

/** The folder of the records. The XDG Base Directory Specification ignores a relative path. */
export function registryFolder (): string {
  const xdg = process.env['XDG_STATE_HOME'] ?? ''
  return path.join(path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.local', 'state'), 'bitworker', 'inputs')
}

/** A folder for data that was generated for an input, such as a list. */
export function dataFolder (infoHash: string, folder = registryFolder()): string {
  return path.join(folder, infoHash, 'data')
}

/** Records an input. Rejects with errors of the file system. */
export async function rememberInput (infoHash: string, made: MadeInput, folder = registryFolder()): Promise<void> {
  const at = path.join(folder, infoHash)
  await mkdir(at, { recursive: true, mode: 0o700 })
  await replace(path.join(at, 'info'), made.info, 0o600)
  await replace(path.join(at, 'origin.json'), JSON.stringify({ path: made.path, files: made.files }), 0o600)
}

/** Returns the record of an input; null if there is none that can be read. Never rejects. */
export async function findInput (infoHash: string, folder = registryFolder()): Promise<MadeInput | null> {
  try {
    const at = path.join(folder, infoHash)
    const origin: unknown = JSON.parse(await readFile(path.join(at, 'origin.json'), 'utf8'))
    return isOrigin(origin) ? { ...origin, info: new Uint8Array(await readFile(path.join(at, 'info'))) } : null
  } catch (error) {
    if (errnoOf(error) === '' && !(error instanceof SyntaxError)) throw error
    return null
  }
}

function isOrigin (value: unknown): value is Omit<MadeInput, 'info'> {
  return typeof value === 'object' && value !== null && 'path' in value && typeof value.path === 'string' &&
    'files' in value && Array.isArray(value.files) && value.files.every(isStamp)
}

function isStamp (value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'length' in value && typeof value.length === 'number' &&
    'mtimeMs' in value && typeof value.mtimeMs === 'number' &&
    (!('ctimeMs' in value) || typeof value.ctimeMs === 'number')
}

/** A task whose output is an input of one that was made here. */
export interface MadeFrom {
  /** the task file */
  file: Uint8Array
  /** absolute: where it was run; it may be gone */
  folder?: string
}

/** Rejects with errors of the file system. */
export async function rememberTask (
  infoHash: string, { file, folder }: MadeFrom, registry = registryFolder()
): Promise<void> {
  const at = path.join(registry, infoHash)
  await mkdir(at, { recursive: true, mode: 0o700 })
  await replace(path.join(at, 'task.bitworker'), file, 0o600)
  if (folder !== undefined) await replace(path.join(at, 'task.json'), JSON.stringify({ folder }), 0o600)
}

/** What is remembered of a task, to be read as strictly as any other; null: nothing. Never rejects. */
export async function findTask (infoHash: string, registry = registryFolder()): Promise<MadeFrom | null> {
  const at = path.join(registry, infoHash)
  const [file, json] = await Promise.all(['task.bitworker', 'task.json'].map(async name =>
    await readFile(path.join(at, name)).catch(() => null)))
  if (file === null || file === undefined) return null
  try {
    const origin: unknown = JSON.parse(String(json))
    const { folder } = origin as { folder: unknown }
    if (typeof folder === 'string' && path.isAbsolute(folder)) return { file: new Uint8Array(file), folder }
  } catch {} // it was never run here
  return { file: new Uint8Array(file) }
}

/**
 * The inputs that were made on this machine: for each info-hash the torrent and where its data is, so that `run` on the
 * same machine serves the original without a copy, and no path stands in the task file. In
 * $XDG_STATE_HOME/bitworker/inputs, by default ~/.local/state/bitworker/inputs: a folder for each input, so that two
 * processes never write the same file. Called by lib/inputs/make-task.ts and by whoever serves inputs.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { replace } from '../system/atomic-file.ts'
import { errnoOf } from '../system/io-errors.ts'

/** An input that was made here. */
export interface MadeInput {
  /** its info dictionary, to be read as strictly as if it came from a peer */
  info: Uint8Array
  /** the file or the folder, absolute; it may have changed, or be gone */
  path: string
  /** each file in the torrent's order: bytes and time of the last change, as they were */
  files: ReadonlyArray<{ length: number, mtimeMs: number }>
}

/** Where they are remembered (XDG Base Directory Specification: a relative path does not count). */
export function registryFolder (): string {
  const xdg = process.env['XDG_STATE_HOME'] ?? ''
  return path.join(path.isAbsolute(xdg) ? xdg : path.join(homedir(), '.local', 'state'), 'bitworker', 'inputs')
}

/** A folder for what is made for an input itself, such as a list. */
export function dataFolder (infoHash: string, folder = registryFolder()): string {
  return path.join(folder, infoHash, 'data')
}

/** Rejects with errors of the file system. */
export async function rememberInput (infoHash: string, made: MadeInput, folder = registryFolder()): Promise<void> {
  const at = path.join(folder, infoHash)
  await mkdir(at, { recursive: true, mode: 0o700 })
  await replace(path.join(at, 'info'), made.info, 0o600)
  await replace(path.join(at, 'origin.json'), JSON.stringify({ path: made.path, files: made.files }), 0o600)
}

/** What is remembered of an input; null: nothing that can be read. Never rejects. */
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
    'mtimeMs' in value && typeof value.mtimeMs === 'number'
}

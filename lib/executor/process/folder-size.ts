/**
 * Measures a folder that a command writes to, whatever it contains: asynchronously, entry by entry. A folder that
 * cannot be read counts as too large, since it could contain anything.
 */
import type { Stats } from 'node:fs'
import { lstat, opendir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../system/io-errors.ts'

/** A folder of this machine that a command may write to, and its limit. */
export interface Writable { folder: string, bytes: number }

/** A complete command writes one file, and perhaps some others. */
const MAX_FILES = 1000
/**
 * The permissions with which an owner can list and enter a folder. Root does not need them, but a task must not succeed
 * only as root.
 */
const SEEN = 0o500
const BLOCK_BYTES = 512
/** It was just removed or replaced, which a command may do. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/** Whether one of the folders is too large, or contains something that cannot be read. Never rejects. */
export async function holdTooMuch (folders: readonly Writable[]): Promise<boolean> {
  return (await Promise.all(folders.map(holdsTooMuch))).includes(true)
}

/** Measures the folder until it has seen everything, or the limit is exceeded. */
async function holdsTooMuch ({ folder, bytes: most }: Writable): Promise<boolean> {
  let [bytes, count] = [0, 0]
  const folders = [folder]
  try {
    if (!canBeSeen(await stat(folder))) return true
    for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
      for (const entry of await entriesOf(at, MAX_FILES - count)) {
        const stats = await lstat(entry).catch(ignoreGone)
        if (stats === null) continue
        bytes += stats.blocks * BLOCK_BYTES
        if (++count > MAX_FILES || bytes > most) return true
        if (!stats.isDirectory()) continue
        if (!canBeSeen(stats)) return true
        folders.push(entry)
      }
    }
    return false
  } catch {
    return true // no permission, or a name that is too long for the system
  }
}

function canBeSeen ({ mode }: Stats): boolean {
  return (mode & SEEN) === SEEN
}

/** Total size of deleted files that these processes have open. Never rejects. */
export async function namelessBytes (pids: readonly number[]): Promise<number> {
  const seen = new Map<string, number>()
  for (const pid of pids) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const fd of fds) {
      const stats = Number(fd) > 2 ? await stat(`/proc/${pid}/fd/${fd}`).catch(() => null) : null
      if (stats?.isFile() === true && stats.nlink === 0) {
        seen.set(`${stats.dev}:${stats.ino}`, stats.blocks * BLOCK_BYTES)
      }
    }
  }
  return [...seen.values()].reduce((sum, bytes) => sum + bytes, 0)
}

async function entriesOf (folder: string, most: number): Promise<string[]> {
  const dir = await opendir(folder).catch(ignoreGone)
  if (dir === null) return []
  const entries: string[] = []
  for await (const { name } of dir) {
    entries.push(path.join(folder, name))
    if (entries.length > most) break
  }
  return entries
}

function ignoreGone (err: unknown): null {
  if (GONE.has(errnoOf(err) ?? '')) return null
  throw err
}

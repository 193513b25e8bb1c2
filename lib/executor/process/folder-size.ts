/**
 * How much is in a folder that a command writes to, however it made it. Off the event loop, entry by entry; what cannot be
 * looked into counts as too much, as it could hold anything.
 */
import { lstat, opendir, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { errnoOf } from '../../system/io-errors.ts'

/** What may be in it. */
export interface Most { bytes: number, files: number }

/** What was found, at the least. */
export interface Measured { bytes: number, isTooMuch: boolean }

const BLOCK_BYTES = 512
/** It was removed or replaced just now, which a command may do. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/** Looks into the folder until it is seen through, or has too much. Never rejects. */
export async function measure (folder: string, { bytes: most, files }: Most): Promise<Measured> {
  let [bytes, count] = [0, 0]
  const folders = [folder]
  try {
    for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
      for (const entry of await entriesOf(at, files - count)) {
        const stats = await lstat(entry).catch(ignoreGone)
        if (stats === null) continue
        bytes += stats.blocks * BLOCK_BYTES
        if (++count > files || bytes > most) return { bytes, isTooMuch: true }
        if (stats.isDirectory()) folders.push(entry)
      }
    }
    return { bytes, isTooMuch: false }
  } catch {
    return { bytes, isTooMuch: true } // no right to look, or a longer name than the system takes
  }
}

/** Bytes of files without a name that these processes have open. Never rejects. */
export async function namelessBytes (pids: readonly number[]): Promise<number> {
  const seen = new Map<string, number>()
  for (const pid of pids) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => [])
    for (const fd of fds) {
      const stats = Number(fd) > 2 ? await stat(`/proc/${pid}/fd/${fd}`).catch(() => null) : null
      if (stats?.isFile() === true && stats.nlink === 0) seen.set(`${stats.dev}:${stats.ino}`, stats.blocks * BLOCK_BYTES)
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

/**
 * Roots that were unpacked, by the info-hash of their archive, for all tasks and clients of a user:
 *
 *   <cache>/roots/<info-hash>/root    all of it: it gets this name when it is complete
 *                             state   its size, and when the system was started: what a crash has left is not used
 *                             lock    who unpacks it, or looks whether it is there
 *                             use.1 … who uses it; lib/inputs/cache.ts removes what nobody does
 */
import { lstatSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { BitWorkerError } from '../../base/errors.ts'
import { bootId } from '../../system/boot.ts'
import { ioError } from '../../system/io-errors.ts'
import { FolderLock, acquireLock } from '../../system/lock.ts'
import type { RootLimits } from './archive.ts'
import { unpackRoot } from './unpack.ts'

/** Interval of the checks whether another process has unpacked the root. */
const WAIT_MS = 100
/** Number of tasks that can use one root at a time. */
const MAX_USERS = 4096

/** `bytes`: the total size of its files. */
interface State { bytes: number, boot: string }

/** A root that may be used until it is closed. */
export interface OpenRoot {
  /** absolute path of the folder that becomes `/` */
  readonly path: string
  close (): void
}

/** Options for unpacking a root. */
export interface RootOptions {
  /** absolute path of the cache */
  folder: string
  /** 40 hex digits */
  infoHash: string
  /** its bytes, from the first on; called once it is known that they are needed */
  archive: () => AsyncIterable<Uint8Array>
  limits: RootLimits
  signal?: AbortSignal
}

/**
 * Unpacks a root, unless that has already been done. Rejects with BW_ERR_ROOT, BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER,
 * and the signal's reason; nothing of it remains then.
 */
export async function openRoot ({ folder: cache, infoHash, archive, limits, signal }: RootOptions): Promise<OpenRoot> {
  const folder = path.join(cache, 'roots', infoHash)
  try {
    const own = await lock(folder, signal)
    try {
      const release = use(folder)
      try {
        if (!isWhole(folder)) await unpack(folder, archive, limits, signal)
      } catch (err) {
        release()
        throw err
      }
      return {
        path: path.join(folder, 'root'),
        close: () => {
          try { utimesSync(folder, new Date(), new Date()) } catch {} // marks it as recently used
          release()
        }
      }
    } finally {
      own.release()
    }
  } catch (err) {
    throw ioError(err, folder)
  }
}

async function unpack (
  folder: string, archive: RootOptions['archive'], limits: RootLimits, signal: AbortSignal | undefined
): Promise<void> {
  // left by a process that was killed, or from before the system was restarted
  for (const name of readdirSync(folder)) {
    if (name === 'root' || name === 'draft') await rm(path.join(folder, name), { recursive: true, force: true })
  }
  const draft = path.join(folder, 'draft')
  try {
    const { bytes } = await unpackRoot(archive(), draft, limits, signal)
    const state: State = { bytes, boot: bootId() }
    writeFileSync(path.join(folder, 'state'), JSON.stringify(state), { mode: 0o600 })
    await rename(draft, path.join(folder, 'root'))
  } catch (err) {
    await rm(draft, { recursive: true, force: true }).catch(() => {})
    throw err
  }
}

function isWhole (folder: string): boolean {
  try {
    const { boot } = JSON.parse(readFileSync(path.join(folder, 'state'), 'utf8')) as State
    return boot === bootId() && lstatSync(path.join(folder, 'root')).isDirectory()
  } catch {
    return false
  }
}

async function lock (folder: string, signal: AbortSignal | undefined): Promise<FolderLock> {
  for (;;) {
    signal?.throwIfAborted()
    try {
      return new FolderLock(folder)
    } catch (err) {
      if (!isTaken(err)) throw err
    }
    await setTimeout(WAIT_MS)
  }
}

/** To be called only by the process that holds the lock. */
function use (folder: string): () => void {
  for (let i = 1; ; i++) {
    try {
      return acquireLock(path.join(folder, `use.${i}`))
    } catch (err) {
      if (!isTaken(err) || i === MAX_USERS) throw err
    }
  }
}

function isTaken (err: unknown): boolean { return err instanceof BitWorkerError && err.code === 'BW_ERR_LOCKED' }

/**
 * The cache of downloaded inputs, by info-hash, for all tasks and clients of a user:
 *
 *   <cache>/inputs/<info-hash>/torrent   the info dictionary
 *                              data      the file, or the folder of files
 *                              state     the stored torrent pieces, and sizes and times of the files
 *                              lock      one process at a time; the next one uses <info-hash>.2 …
 *
 * Beside them is what was unpacked of some, see lib/inputs/roots/root-cache.ts.
 */
import {
  chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, utimesSync,
  writeFileSync
} from 'node:fs'
import { lstat, readdir, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { bootId } from '../system/boot.ts'
import { ioError } from '../system/io-errors.ts'
import { namesIn } from '../system/lenient-reads.ts'
import { FolderLock, acquireLock } from '../system/lock.ts'
import { BitWorkerError } from '../base/errors.ts'
import { filePath } from './file-store.ts'
import { makeLinks } from './links.ts'
import { stampAt } from './stamps.ts'
import type { InputLayout } from './metainfo.ts'

/** Number of processes that can use one input at a time. */
const MAX_COPIES = 64
/** The permissions of an input's file: it can be read and executed. */
const FILE_MODE = 0o555
const FOLDER_MODE = 0o755
/** Nobody sees when it was fetched. */
const EPOCH = new Date(0)

/** A file that commands are given is the same on every machine: docs/task-file.md says what they find. */
export function sealFile (at: string): void {
  const { mode, mtimeMs } = lstatSync(at)
  // it would look changed
  if ((mode & 0o7777) === FILE_MODE && mtimeMs === 0) return
  chmodSync(at, FILE_MODE)
  utimesSync(at, EPOCH, EPOCH)
}

/** How a cache is made. */
export interface CacheOptions {
  /** default: $XDG_CACHE_HOME/bitworker, or ~/.cache/bitworker */
  folder?: string
  /** limit for unused inputs in bytes; default: 50 GiB */
  maxBytes?: number
}

const DEFAULT_CACHE_BYTES = 50 * 1024 ** 3

/** The default folder of inputs. */
function defaultCacheFolder (): string {
  const base = process.env['XDG_CACHE_HOME']
  return path.join(base !== undefined && path.isAbsolute(base) ? base : path.join(os.homedir(), '.cache'), 'bitworker')
}

/** The inputs on this machine. */
export class InputCache {
  /** absolute: of all that is cached */
  readonly root: string
  readonly #folder: string
  readonly #maxBytes: number

  constructor ({ folder = defaultCacheFolder(), maxBytes = DEFAULT_CACHE_BYTES }: CacheOptions = {}) {
    this.root = path.resolve(folder)
    this.#folder = path.join(this.root, 'inputs')
    this.#maxBytes = maxBytes
  }

  /** Locks the cache entry of an input, whether or not it exists. Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL. */
  open (infoHash: string): CacheEntry {
    try {
      for (let copy = 1; ; copy++) {
        const folder = path.join(this.#folder, copy === 1 ? infoHash : `${infoHash}.${copy}`)
        try {
          return new CacheEntry(folder, new FolderLock(folder))
        } catch (err) {
          if (!(err instanceof BitWorkerError) || err.code !== 'BW_ERR_LOCKED' || copy === MAX_COPIES) throw err
        }
      }
    } catch (err) {
      throw ioError(err, this.#folder)
    }
  }

  /** Whether there is an entry of the input; it may be incomplete. */
  has (infoHash: string): boolean { return existsSync(path.join(this.#folder, infoHash, 'torrent')) }

  /** Removes unused inputs and roots, the oldest first, until the rest is within the limit. Never rejects. */
  async trim (): Promise<void> {
    const folders = [this.#folder, path.join(this.root, 'roots')].flatMap(each => namesIn(each).map(name => path.join(each, name)))
    const entries: Array<{ folder: string, bytes: number, usedMs: number }> = []
    for (const folder of folders) {
      const usedMs = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0
      entries.push({ folder, bytes: await sizeOf(folder), usedMs })
    }
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { folder, bytes } of entries.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#maxBytes) return
      try {
        const release = takeWhole(folder)
        const gone = `${folder}.gone`
        // renamed first: a process that needs it during the removal starts anew, and loses nothing
        try {
          renameSync(folder, gone)
        } catch (err) {
          release()
          throw err
        }
        await rm(gone, { recursive: true, force: true })
        total -= bytes
      } catch {} // it is in use
    }
  }
}

/** Takes all locks of an entry. Throws if one of them is taken. */
function takeWhole (folder: string): () => void {
  const releases: Array<() => void> = []
  const release = (): void => { for (const each of releases) each() }
  try {
    for (const name of ['lock', ...namesIn(folder).filter(each => /^use\.\d+$/.test(each))]) {
      releases.push(acquireLock(path.join(folder, name)))
    }
    return release
  } catch (err) {
    release()
    throw err
  }
}

/** `boot`: after a crash of the system, damaged files may have the same times. */
interface State { pieces: string, stamps: string[], boot: string }

/** The cache entry of one input, which is locked until it is closed. */
export class CacheEntry {
  readonly #folder: string
  readonly #lock: FolderLock

  constructor (folder: string, lock: FolderLock) {
    this.#folder = folder
    this.#lock = lock
  }

  /**
   * To be called before anything is made in it. If somebody has removed all of it, takes the lock again and returns
   * true, or throws BW_ERR_INPUT if another process was faster.
   */
  hold (): boolean {
    if (this.#lock.isHeld) return false
    try {
      this.#lock.again()
      return true
    } catch (err) {
      if (!(err instanceof BitWorkerError) || err.code !== 'BW_ERR_LOCKED') throw ioError(err, this.#folder)
      throw new BitWorkerError(
        'BW_ERR_INPUT', 'system', `${this.#folder} was removed while it was in use, and another process uses it now.`
      )
    }
  }

  /** The file, or the folder of files. */
  get root (): string { return path.join(this.#folder, 'data') }

  /** The info dictionary, unchecked; null if it is not stored. */
  get info (): Uint8Array | null { return read(path.join(this.#folder, 'torrent')) }

  /** Removes the files, which an earlier run may have made read-only. */
  async clear (): Promise<void> {
    this.forgetPieces()
    await rm(this.root, { recursive: true, force: true })
  }

  setInfo (info: Uint8Array): void {
    this.hold()
    this.#write('torrent', info)
  }

  /**
   * The stored torrent pieces (BEP 3's bitfield); null if that is unknown or uncertain: files have changed since, or
   * the system was restarted, so that some data may not have reached the disk.
   */
  readPieces (layout: InputLayout): Uint8Array | null {
    try {
      const state = JSON.parse(String(read(path.join(this.#folder, 'state')))) as State
      const stamps = this.#stamps(layout)
      const isSame = state.stamps.length === stamps.length && stamps.every((stamp, i) => stamp === state.stamps[i])
      if (!isSame || state.boot !== bootId()) return null
      return Buffer.from(state.pieces, 'base64')
    } catch {
      return null
    }
  }

  /** @param stamps of all files, as they were when these pieces were stored */
  writePieces (pieces: Uint8Array, stamps: string[]): void {
    const state: State = { pieces: Buffer.from(pieces).toString('base64'), stamps, boot: bootId() }
    this.#write('state', JSON.stringify(state))
  }

  /** Never throws. If the state file remains, it does not match the times of the files, see `unseal`. */
  forgetPieces (): void {
    try { rmSync(path.join(this.#folder, 'state'), { force: true }) } catch {}
  }

  /** A file is complete: nobody writes to it any more, and it is as every command sees it. */
  seal (layout: InputLayout, file: number): void {
    const at = filePath(this.root, layout, file)
    const { length } = layout.files[file]!
    // once it is there, it is read-only
    if (length === 0 && lstatSync(at, { throwIfNoEntry: false }) === undefined) {
      mkdirSync(path.dirname(at), { recursive: true, mode: 0o755 })
      writeFileSync(at, '')
    }
    const { size } = lstatSync(at)
    if (size < length) throw new Error(`${at} is too short`)
    // what is beyond its end belongs to no torrent piece, so that no hash tells
    if (size > length) {
      chmodSync(at, FILE_MODE | 0o200)
      truncateSync(at, length)
    }
    sealFile(at)
  }

  /** All files are complete: so are the links, and the folders that they are in, as every command sees them. */
  sealFolders ({ isFolder, files, links }: InputLayout): void {
    if (!isFolder) return
    makeLinks(this.root, links)
    const folders = new Set([...files, ...links].map(entry => path.dirname(entry.path)))
    for (const each of folders) if (each !== '.') folders.add(path.dirname(each))
    for (const each of folders) {
      const at = path.join(this.root, each)
      chmodSync(at, FOLDER_MODE)
      utimesSync(at, EPOCH, EPOCH)
    }
  }

  /** The content is damaged: makes the file writable again. */
  unseal (layout: InputLayout, file: number): void {
    try { chmodSync(filePath(this.root, layout, file), FILE_MODE | 0o200) } catch {} // it is gone
  }

  /** Its time of modification is what `trim` uses. */
  close (): void {
    try { utimesSync(this.#folder, new Date(), new Date()) } catch {}
    this.#lock.release()
  }

  #stamps (layout: InputLayout): string[] {
    return layout.files.map((_, file) => stampAt(filePath(this.root, layout, file)))
  }

  #write (name: string, bytes: Uint8Array | string): void {
    const at = path.join(this.#folder, name)
    if (!this.#lock.isHeld) throw new Error(`${this.#folder} is gone`)
    writeFileSync(`${at}.tmp`, bytes, { mode: 0o600 })
    renameSync(`${at}.tmp`, at)
  }
}

function read (at: string): Uint8Array | null {
  try {
    return readFileSync(at)
  } catch {
    return null
  }
}

/** The space that the files take up on disk: incomplete ones have holes. The state of a root has its size. */
async function sizeOf (folder: string): Promise<number> {
  try {
    const state = JSON.parse(String(read(path.join(folder, 'state')))) as { bytes?: unknown } | null
    if (typeof state?.bytes === 'number') return state.bytes
  } catch {} // it is no root
  let blocks = 0
  for (const name of await readdir(folder, { recursive: true }).catch(() => [])) {
    // a file may be removed meanwhile
    blocks += (await lstat(path.join(folder, name)).catch(() => null))?.blocks ?? 0
  }
  return blocks * 512
}

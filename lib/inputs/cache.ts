/**
 * Inputs that were fetched, by info-hash, for all tasks and clients of a user:
 *
 *   <cache>/inputs/<info-hash>/torrent   the info dictionary
 *                              data      the file, or the folder of files
 *                              state     which torrent pieces are here, and what sizes and times the files had then
 *                              lock      one process at a time; the next one uses <info-hash>.2 …
 */
import {
  chmodSync, lstatSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync
} from 'node:fs'
import { rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { bootId } from '../system/boot.ts'
import { ioError } from '../system/io-errors.ts'
import { acquireLock } from '../system/lock.ts'
import { BitWorkerError } from '../base/errors.ts'
import { filePath } from './file-store.ts'
import type { InputLayout } from './metainfo.ts'

/** Processes that use one input at a time. */
const MAX_COPIES = 64
/** What a file of an input may be used for: to be read, and run. */
const FILE_MODE = 0o555
/** Nobody sees when it was fetched. */
const EPOCH = new Date(0)

/** How a cache is made. */
export interface CacheOptions {
  /** default: $XDG_CACHE_HOME/bitworker, or ~/.cache/bitworker */
  folder?: string
  /** bytes that may stay when nobody uses them; default: 50 GiB */
  maxBytes?: number
}

const DEFAULT_CACHE_BYTES = 50 * 1024 ** 3

/** Where inputs are kept unless somebody says otherwise. */
function defaultCacheFolder (): string {
  const base = process.env['XDG_CACHE_HOME']
  return path.join(base !== undefined && path.isAbsolute(base) ? base : path.join(os.homedir(), '.cache'), 'bitworker')
}

/** The inputs on this machine. */
export class InputCache {
  readonly #folder: string
  readonly #maxBytes: number

  constructor ({ folder = defaultCacheFolder(), maxBytes = DEFAULT_CACHE_BYTES }: CacheOptions = {}) {
    this.#folder = path.join(path.resolve(folder), 'inputs')
    this.#maxBytes = maxBytes
  }

  /** Takes the place of an input, whatever is there. Throws BW_ERR_OUTPUT_FOLDER, BW_ERR_DISK_FULL. */
  open (infoHash: string): CacheEntry {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      for (let copy = 1; ; copy++) {
        const folder = path.join(this.#folder, copy === 1 ? infoHash : `${infoHash}.${copy}`)
        mkdirSync(folder, { recursive: true, mode: 0o700 })
        try {
          return new CacheEntry(folder, acquireLock(path.join(folder, 'lock')))
        } catch (err) {
          if (!(err instanceof BitWorkerError) || err.code !== 'BW_ERR_LOCKED' || copy === MAX_COPIES) throw err
        }
      }
    } catch (err) {
      throw ioError(err, this.#folder)
    }
  }

  /** Removes inputs that nobody uses, the longest unused first, until the rest is small enough. Never rejects. */
  async trim (): Promise<void> {
    const entries = list(this.#folder).map(name => {
      const folder = path.join(this.#folder, name)
      return { folder, bytes: sizeOf(folder), usedMs: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0 }
    })
    let total = entries.reduce((sum, { bytes }) => sum + bytes, 0)
    for (const { folder, bytes } of entries.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (total <= this.#maxBytes) return
      try {
        const release = acquireLock(path.join(folder, 'lock'))
        const gone = `${folder}.gone`
        // at once: who comes while it is removed begins anew, and nothing of his is removed
        try {
          renameSync(folder, gone)
        } catch (err) {
          release()
          throw err
        }
        await rm(gone, { recursive: true, force: true })
        total -= bytes
      } catch {} // somebody uses it
    }
  }
}

/** `boot`: what a crash of the system has left of a file may have the same times. */
interface State { pieces: string, stamps: string[], boot: string }

/** The place of one input; ours until it is closed. */
export class CacheEntry {
  readonly #folder: string
  readonly #release: () => void

  constructor (folder: string, release: () => void) {
    this.#folder = folder
    this.#release = release
  }

  /** The file, or the folder of files. */
  get root (): string { return path.join(this.#folder, 'data') }

  /** The info dictionary, unchecked; null if it is not here. */
  get info (): Uint8Array | null { return read(path.join(this.#folder, 'torrent')) }

  /** Removes the files: what an earlier run left may be read-only. */
  async clear (): Promise<void> {
    this.forgetPieces()
    await rm(this.root, { recursive: true, force: true })
  }

  setInfo (info: Uint8Array): void { this.#write('torrent', info) }

  /**
   * Which torrent pieces are here (BEP 3's bitfield); null if that is not sure: not said, said of files that were
   * changed since, or before the system was started: not all may have come to the disk.
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

  writePieces (layout: InputLayout, pieces: Uint8Array): void {
    const state: State = { pieces: Buffer.from(pieces).toString('base64'), stamps: this.#stamps(layout), boot: bootId() }
    this.#write('state', JSON.stringify(state))
  }

  /** Never throws. What is there is of other times than the files then, see `unseal`. */
  forgetPieces (): void {
    try { rmSync(path.join(this.#folder, 'state'), { force: true }) } catch {}
  }

  /** A file is complete: nobody writes to it any more. */
  seal (layout: InputLayout, file: number): void {
    const at = filePath(this.root, layout, file)
    if (layout.files[file]!.length === 0) {
      mkdirSync(path.dirname(at), { recursive: true, mode: 0o755 })
      writeFileSync(at, '')
    }
    chmodSync(at, FILE_MODE)
    utimesSync(at, EPOCH, EPOCH)
  }

  /** What is here was damaged: it may be written to again. */
  unseal (layout: InputLayout, file: number): void {
    try { chmodSync(filePath(this.root, layout, file), 0o600) } catch {} // it is gone
  }

  /** Its time is what `trim` goes by. */
  close (): void {
    try { utimesSync(this.#folder, new Date(), new Date()) } catch {}
    this.#release()
  }

  #stamps (layout: InputLayout): string[] {
    return layout.files.map((_, file) => {
      const stats = lstatSync(filePath(this.root, layout, file), { throwIfNoEntry: false })
      return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
    })
  }

  #write (name: string, bytes: Uint8Array | string): void {
    const at = path.join(this.#folder, name)
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

function list (folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** What the files take on the disk: those that are not complete have holes. */
function sizeOf (folder: string): number {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .reduce((sum, name) => sum + lstatSync(path.join(folder, name)).blocks * 512, 0)
  } catch {
    return 0
  }
}

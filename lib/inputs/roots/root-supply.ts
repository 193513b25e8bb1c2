/**
 * Brings the root of a task that is computed here: has its archive downloaded, unpacks it, and shows it to commands.
 * Made by lib/webtorrent/compute-control.ts, which waits for it before it looks for what else the task needs.
 */
import { createReadStream } from 'node:fs'
import { BitWorkerError, isInputGone } from '../../base/errors.ts'
import type { InputEvent } from '../../session/events.ts'
import type { Reach, WorkSession } from '../../session/work-session.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import { roomAt } from '../../system/free-space.ts'
import type { Room } from '../../system/free-space.ts'
import { quote } from '../../task/names.ts'
import type { Task, TorrentInput } from '../../task/types.ts'
import { InputCache } from '../cache.ts'
import type { CacheOptions } from '../cache.ts'
import { notHere } from '../here.ts'
import { readMetainfo } from '../metainfo.ts'
import { isAsHashed } from '../original.ts'
import { findInput } from '../registry.ts'
import { isWithinReach } from '../supplied-input.ts'
import type { InputTorrent, InputTorrents } from '../supply-types.ts'
import { ROOT_LIMITS } from './archive.ts'
import { openRoot } from './root-cache.ts'
import type { OpenRoot } from './root-cache.ts'

/** Shortest interval between two progress reports. */
const REPORT_MS = 1_000
const READ_BYTES = 1024 ** 2
/** How often a full disk is looked at, and when it is tried again although no room was seen (a quota has none). */
const ROOM_MS = 5_000
const RETRY_MS = 10 * 60_000
/** A disk with more room than when it was full, by more than this, is worth another try. */
const MORE: Room = { bytes: 1024 ** 2, files: 1000 }

/** Where roots are stored, and how large they may be. */
export interface RootSupplyOptions extends CacheOptions {
  /** bytes of all files, unpacked; default: no limit but our own */
  maxRootBytes: number | undefined
}

/**
 * Unpacks the root of a task whose archive was made on this machine. Rejects with BW_ERR_INPUT if it was not, or was
 * changed since, and as `openRoot`.
 */
export async function openRootHere (input: TorrentInput, pieceCount: number, signal: AbortSignal): Promise<OpenRoot> {
  const found = await findInput(input.infoHash)
  if (found === null || !isAsHashed(found, readMetainfo(found.info, input, pieceCount))) throw notHere([input.name])
  const archive = (): AsyncIterable<Uint8Array> => createReadStream(found.path)
  return await openRoot({
    folder: new InputCache().root, infoHash: input.infoHash, archive, limits: ROOT_LIMITS, signal
  })
}

/** The input that is the root of a task; undefined: it has none. */
export function rootOf ({ inputs = [], root }: Pick<Task, 'inputs' | 'root'>): TorrentInput | undefined {
  return inputs.find((input): input is TorrentInput => input.name === root && input.infoHash !== undefined)
}

/** The root of one task. */
export class RootSupply {
  /**
   * Resolves with true when commands see it, with false when it was closed before. Rejects with BW_ERR_ROOT,
   * BW_ERR_INPUT, BW_ERR_INPUT_LIMIT, BW_ERR_OUTPUT_FOLDER; waits where the disk is full, or the archive has changed.
   */
  readonly ready: Promise<boolean>
  readonly #session: WorkSession<ComputeStore>
  readonly #input: TorrentInput
  readonly #options: RootSupplyOptions
  readonly #opened: { close (): void }
  readonly #abort = new AbortController()
  #torrent: InputTorrent | null = null
  #root: OpenRoot | null = null
  #error: Error | null = null
  /** why it is not here for now */
  #waits: Error | null = null
  #unpacking: Promise<void> | null = null
  /** why it is not unpacked: the disk was full with so much room, at that time */
  #full: { err: Error, room: Room, at: number } | null = null
  /** since when no more of it is here, in milliseconds since 1970 */
  #since = Date.now()
  #have = 0
  #reported = ''
  #timer: NodeJS.Timeout | undefined
  #settle!: { resolve: (isReady: boolean) => void, reject: (err: Error) => void }

  constructor (
    session: WorkSession<ComputeStore>, input: TorrentInput, torrents: InputTorrents, options: RootSupplyOptions
  ) {
    this.#session = session
    this.#input = input
    this.#options = options
    this.ready = new Promise((resolve, reject) => { this.#settle = { resolve, reject } })
    this.ready.catch(() => {})
    this.#opened = torrents.open(input, session.task.pieceCount, {
      opened: torrent => {
        this.#torrent = torrent
        this.#waits = null
        this.changed()
      },
      changed: () => { this.changed() },
      short: err => {
        this.#waits = err
        this.#report()
      },
      lost: err => {
        this.#waits = err
        this.#torrent = null
      },
      failed: err => { this.#fail(err) }
    })
    session.onPlanned(() => { this.changed() })
    session.work.watchInputs(() => this.reach)
    this.changed()
  }

  get state (): InputEvent {
    const { name, length } = this.#input
    if (this.#error !== null) return { name, state: 'refused', length, have: 0, message: this.#error.message }
    if (this.#root !== null) return { name, state: 'ready', length, have: length }
    const message = (this.#full?.err ?? this.#waits)?.message
    return {
      name, state: 'fetching', length, have: this.#have, since: this.#since, ...(message !== undefined && { message })
    }
  }

  /** How it stands. While it is not here, nothing is computed. */
  get reach (): Reach {
    if (this.#root !== null) return 'here'
    if (this.#torrent === null || this.#waits !== null || this.#full !== null) return 'absent'
    return isWithinReach(this.#torrent) ? 'coming' : 'absent'
  }

  /** More or less of it may be needed, or here. */
  changed (): void {
    if (this.#abort.signal.aborted) return
    this.#report()
    if (this.#torrent === null || this.#root !== null) return
    const isNeeded = this.#session.stats().missing > 0 || this.#session.hasUnmergedFiles
    this.#torrent.want(isNeeded ? 'all' : [])
    if (isNeeded && this.#torrent.missing() === 0 && this.#hasRoom()) this.#unpacking ??= this.#unpack(this.#torrent)
  }

  /** False: the disk was full, and has not become emptier. */
  #hasRoom (): boolean {
    if (this.#full === null) return true
    const { room, at } = this.#full
    const now = roomAt(this.#folder)
    const hasMore = now.bytes > room.bytes + MORE.bytes || now.files > room.files + MORE.files
    if (hasMore || Date.now() - at >= RETRY_MS) this.#full = null
    return this.#full === null
  }

  get #folder (): string { return new InputCache(this.#options).root }

  /** Commands see it no longer. */
  close (): void {
    this.#abort.abort()
    clearTimeout(this.#timer)
    this.#settle.resolve(false)
    this.#opened.close()
    void this.#unpacking?.finally(() => this.#root?.close())
  }

  async #unpack (torrent: InputTorrent): Promise<void> {
    const { maxRootBytes = Infinity } = this.#options
    try {
      const root = await openRoot({
        folder: this.#folder,
        infoHash: this.#input.infoHash,
        archive: () => bytesOf(torrent),
        limits: { ...ROOT_LIMITS, bytes: Math.min(ROOT_LIMITS.bytes, maxRootBytes) },
        signal: this.#abort.signal
      })
      this.#root = root
      this.#session.store.configure({ root: root.path })
      this.#report()
      this.#settle.resolve(!this.#abort.signal.aborted)
    } catch (err) {
      this.#unpacking = null
      if (this.#torrent !== torrent || isInputGone(err)) return this.changed()
      if (!isDiskFull(err)) return this.#fail(err as Error)
      this.#full = { err: noRoom(this.#input, this.#folder), room: roomAt(this.#folder), at: Date.now() }
      this.changed()
    }
  }

  #fail (err: Error): void {
    if (this.#abort.signal.aborted || this.#error !== null) return
    this.#error = err
    this.#report()
    this.#settle.reject(err)
  }

  #report (): void {
    clearTimeout(this.#timer)
    this.#note()
    const { state } = this
    const text = JSON.stringify(state)
    if (text !== this.#reported) this.#session.reportInput(state)
    this.#reported = text
    if (state.state !== 'fetching') return
    this.#timer = setTimeout(() => { this.changed() }, this.#full === null ? REPORT_MS : ROOM_MS).unref()
  }

  /** Looks whether more of it has come. */
  #note (): void {
    const have = this.#torrent?.have() ?? 0
    if (have !== this.#have) this.#since = Date.now()
    this.#have = have
  }
}

function isDiskFull (err: unknown): boolean { return err instanceof BitWorkerError && err.code === 'BW_ERR_DISK_FULL' }

function noRoom ({ name }: TorrentInput, folder: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_DISK_FULL',
    'system',
    `The root ${quote(name)} is not unpacked, and all commands wait: too little space is free in ${folder}. Free some, or choose another folder for the cache.`
  )
}

/** They were verified; who has changed them meanwhile is noticed by the torrent. */
async function * bytesOf (torrent: InputTorrent): AsyncGenerator<Uint8Array> {
  const { length } = torrent.layout
  for (let start = 0; start < length; start += READ_BYTES) {
    yield await torrent.read({ file: 0, start, end: Math.min(length, start + READ_BYTES) })
  }
}

/**
 * Brings the root of a task that is computed here: has its archive downloaded, unpacks it, and shows it to commands.
 * Made by lib/webtorrent/compute-control.ts, which waits for it before it looks for what else the task needs.
 */
import { createReadStream } from 'node:fs'
import type { InputEvent } from '../../session/events.ts'
import type { WorkSession } from '../../session/work-session.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import type { Task, TorrentInput } from '../../task/types.ts'
import { InputCache } from '../cache.ts'
import type { CacheOptions } from '../cache.ts'
import { notHere } from '../here.ts'
import { readMetainfo } from '../metainfo.ts'
import { isAsHashed } from '../original.ts'
import { findInput } from '../registry.ts'
import type { InputTorrent, InputTorrents } from '../supply-types.ts'
import { ROOT_LIMITS } from './archive.ts'
import { openRoot } from './root-cache.ts'
import type { OpenRoot } from './root-cache.ts'

/** Shortest interval between two progress reports. */
const REPORT_MS = 1_000
const READ_BYTES = 1024 ** 2

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
   * BW_ERR_INPUT, BW_ERR_INPUT_LIMIT, BW_ERR_DISK_FULL, BW_ERR_OUTPUT_FOLDER.
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
    this.changed()
  }

  get state (): InputEvent {
    const { name, length } = this.#input
    if (this.#error !== null) return { name, state: 'refused', length, have: 0, message: this.#error.message }
    if (this.#root !== null) return { name, state: 'ready', length, have: length }
    const message = this.#waits?.message
    return { name, state: 'fetching', length, have: this.#torrent?.have() ?? 0, ...(message !== undefined && { message }) }
  }

  /** More or less of it may be needed, or here. */
  changed (): void {
    if (this.#abort.signal.aborted) return
    this.#report()
    if (this.#torrent === null || this.#root !== null) return
    const isNeeded = this.#session.stats().missing > 0 || this.#session.hasUnmergedFiles
    this.#torrent.want(isNeeded ? 'all' : [])
    if (isNeeded && this.#torrent.missing() === 0) this.#unpacking ??= this.#unpack(this.#torrent)
  }

  /** Commands see it no longer. */
  close (): void {
    this.#abort.abort()
    clearTimeout(this.#timer)
    this.#settle.resolve(false)
    this.#opened.close()
    void this.#unpacking?.finally(() => this.#root?.close())
  }

  async #unpack (torrent: InputTorrent): Promise<void> {
    const { maxRootBytes = Infinity, ...cache } = this.#options
    try {
      const root = await openRoot({
        folder: new InputCache(cache).root,
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
      if (this.#torrent === torrent) this.#fail(err as Error)
      else this.changed()
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
    const { state } = this
    const text = JSON.stringify(state)
    if (text !== this.#reported) this.#session.reportInput(state)
    this.#reported = text
    if (state.state === 'fetching') this.#timer = setTimeout(() => { this.changed() }, REPORT_MS).unref()
  }
}

/** They were verified; who has changed them meanwhile is noticed by the torrent. */
async function * bytesOf (torrent: InputTorrent): AsyncGenerator<Uint8Array> {
  const { length } = torrent.layout
  for (let start = 0; start < length; start += READ_BYTES) {
    yield await torrent.read({ file: 0, start, end: Math.min(length, start + READ_BYTES) })
  }
}

/**
 * The client: a WebTorrent client whose torrents may be tasks.
 */
import type { EventEmitter } from 'node:events'
import WebTorrent from 'webtorrent'
import { limitIncoming } from '../connections/half-open.ts'
import { magnetProblem } from '../task/magnet-check.ts'
import { createTask, isTask, isTaskObject, parseTask } from '../task/task.ts'
import type { CreateTaskOptions, Task } from '../task/task.ts'
import { awaitBlocklist, isBlocklistUrl } from './blocklist.ts'
import type { BlockingClient } from './blocklist.ts'
import { patchServer } from './http-server.ts'
import type { DestroyCallback, InternalClient, InternalClientConstructor } from './internals.ts'
import type { TaskTorrentOptions } from './options.ts'
import type { Torrent, TorrentCallback } from './public-types.ts'
import { ComputeTorrent } from './torrent.ts'
import { bytesOf } from './torrent-id.ts'
import type { DestroyOptions, ServerOptions, WebTorrentOptions } from './inherited-options.ts'
import type { TorrentId, WebTorrentConstructor, WebTorrentServer } from './types.ts'

const Base = WebTorrent as unknown as InternalClientConstructor<Torrent> &
  Pick<WebTorrentConstructor, 'VERSION' | 'UTP_SUPPORT' | 'WEBRTC_SUPPORT'>

/** A symbol, so that a client has no named properties besides WebTorrent's. */
const CLOSING: unique symbol = Symbol('closing')

/**
 * A drop-in replacement for a WebTorrent client that can also compute tasks: see `BitWorker` in
 * webtorrent/public-types.ts.
 */
export default class BitWorker extends Base {
  /** tasks that were destroyed or removed, until their folders are released */
  readonly [CLOSING] = new Set<Promise<void>>()

  constructor (options: WebTorrentOptions = {}) {
    const { blocklist } = options
    super(isBlocklistUrl(blocklist) ? { ...options, blocklist: [] } : options)
    if (isBlocklistUrl(blocklist)) awaitBlocklist(this as unknown as BlockingClient, blocklist)
    const { _connPool: pool } = this as unknown as InternalClient
    // there is none in a browser
    if (pool !== null && pool !== undefined) limitIncoming(pool)
  }

  override add (
    torrentId: TorrentId | Task,
    opts?: TaskTorrentOptions | TorrentCallback | null,
    ontorrent?: TorrentCallback
  ): ComputeTorrent {
    if (this.destroyed) throw new Error('client is destroyed')
    if (typeof opts === 'function') return this.add(torrentId, {}, opts)
    const client = this as unknown as InternalClient
    const torrent = new ComputeTorrent(torrentId, client, { ...opts })
    client.torrents.push(torrent)

    const onInfoHash = (): void => {
      const original = client.torrents.find(other => other !== torrent && other.infoHash === torrent.infoHash)
      if (this.destroyed || original === undefined) return
      torrent._destroy(new Error(`Cannot add duplicate torrent ${torrent.infoHash}`))
      ontorrent?.(original as ComputeTorrent)
    }
    const onReady = (): void => {
      if (this.destroyed) return
      ontorrent?.(torrent)
      this.emit('torrent', torrent)
    }
    ;(torrent as EventEmitter).once('_infoHash', onInfoHash)
    torrent.once('ready', onReady)
    torrent.once('close', () => {
      ;(torrent as EventEmitter).off('_infoHash', onInfoHash)
      torrent.off('ready', onReady)
      if (torrent.task === null) return
      const closed = torrent._closed.finally(() => this[CLOSING].delete(closed))
      this[CLOSING].add(closed)
    })
    this.emit('add', torrent)
    return torrent
  }

  /**
   * Returns the torrent with this id, or null. Like WebTorrent's method, it loads nothing: paths and URLs are not
   * looked up. It is not async, and awaits nothing before WebTorrent's own code, because every incoming connection
   * waits for it.
   */
  override get (torrentId: TorrentId | Task | Torrent): Promise<ComputeTorrent | null> {
    if (magnetProblem(torrentId) !== undefined) return Promise.resolve(null)
    const [infoHash, legacy] = taskInfoHashes(torrentId)
    const found = super.get(infoHash ?? torrentId) as Promise<ComputeTorrent | null>
    // a legacy file may have been added as it was, or converted
    return legacy === undefined
      ? found
      : found.then(torrent => torrent ?? (super.get(legacy) as Promise<ComputeTorrent | null>))
  }

  /**
   * Removes a torrent or task. `cb` is called when it is closed. Rejects if it does not exist. A torrent that can be
   * found at once is removed in the next microtask, before anything that is added afterwards checks for duplicates.
   */
  override async remove (
    torrentId: TorrentId | Task | Torrent, opts?: DestroyOptions | DestroyCallback | null, cb?: DestroyCallback
  ): Promise<void> {
    const found = findNow(this.torrents, torrentId)
    if (found === undefined) return super.remove(torrentId, opts, cb)
    await Promise.resolve()
    ;(this as unknown as InternalClient)._remove(found, opts, cb)
  }

  /**
   * Ends everything. `cb` is called when every torrent's store is closed. WebTorrent's own callback can come earlier,
   * because with uTP its connection pool calls back twice.
   */
  override _destroy (err: Error | null, cb?: (err?: Error | null) => void): void {
    if (cb === undefined) return super._destroy(err)
    super._destroy(err, error => {
      if (this[CLOSING].size === 0) cb(error)
      else void Promise.all(this[CLOSING]).then(() => { cb(error) })
    })
  }

  /**
   * Makes a task. Pass it to `add`, or write `encodeTask(task)` to a file. Throws BW_ERR_TASK_OPTIONS and the errors of
   * `parseTask`.
   */
  createTask (options: CreateTaskOptions): Task {
    return createTask(options)
  }

  /** WebTorrent's HTTP server, which can also stream files of unfinished tasks. */
  override createServer (options?: ServerOptions, force?: 'browser' | 'node'): WebTorrentServer {
    return patchServer(super.createServer(options, force), this, options)
  }

  /** 0 to 1: all unfinished torrents together, by length. */
  override get progress (): number {
    const torrents = this.torrents.filter(torrent => torrent.progress !== 1)
    // tasks count pieces, not bytes: their length is unknown before the end
    if (torrents.every(torrent => (torrent as ComputeTorrent).task === null)) return super.progress
    const length = torrents.reduce((sum, torrent) => sum + (torrent.length || 0), 0) || 1
    return torrents.reduce((sum, torrent) => sum + torrent.progress * (torrent.length || 0), 0) / length
  }
}

/**
 * The info-hash of an id that is a task in a form unknown to WebTorrent; and that of the legacy file that it was
 * converted from.
 */
function taskInfoHashes (torrentId: unknown): [infoHash?: string, legacy?: string | undefined] {
  if (isTaskObject(torrentId)) return [torrentId.infoHash]
  if (!ArrayBuffer.isView(torrentId)) return []
  const bytes = bytesOf(torrentId)
  if (!isTask(bytes)) return []
  try {
    const { infoHash, convertedFrom } = parseTask(bytes)
    return [infoHash, convertedFrom]
  } catch {
    return [] // a damaged task file identifies no torrent; WebTorrent returns null
  }
}

/** The torrent, if it can be identified without loading or parsing anything. */
function findNow (torrents: Torrent[], torrentId: unknown): Torrent | undefined {
  if (torrentId instanceof ComputeTorrent) return torrents.find(torrent => torrent === torrentId)
  const [infoHash, legacy] = typeof torrentId === 'string' ? [infoHashIn(torrentId)] : taskInfoHashes(torrentId)
  return torrents.find(torrent => infoHash !== undefined && [infoHash, legacy].includes(torrent.infoHash))
}

function infoHashIn (id: string): string | undefined {
  if (/^[\da-f]{40}$/i.test(id)) return id.toLowerCase()
  return magnetProblem(id) === undefined
    ? /^(?:stream-)?magnet:\?.*\bxt=urn:btih:([\da-f]{40})(?:&|$)/i.exec(id)?.[1]?.toLowerCase()
    : undefined
}

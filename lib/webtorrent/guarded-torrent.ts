/**
 * WebTorrent's torrent with checks on all input: nothing from a torrent file, link, web server or tracker reaches it
 * unchecked. For ordinary torrents and tasks alike; torrent.ts builds on it.
 */
import WebTorrentTorrent from 'webtorrent/lib/torrent.js'
import type { InternalPeer } from '../connections/internals.ts'
import { fetchBounded, networkReason } from '../system/fetch.ts'
import { isTask, parseTask } from '../task/task.ts'
import { MAX_TRACKERS, MAX_URL_LENGTH, trackerProblem } from '../task/trackers.ts'
import type { InternalClient, InternalTorrentConstructor, ParsedTorrent } from './internals.ts'
import { parsedProblem, readOrdinary } from './ordinary.ts'
import { bytesOf, MAX_TORRENT_FILE_BYTES } from './torrent-id.ts'

const Base = WebTorrentTorrent as unknown as InternalTorrentConstructor

/** Time limit for a URL that a link names by `xs`, until its last byte. */
const SOURCE_MS = 30_000
/** Number of servers that a link may have us ask for metadata. */
const MAX_SOURCES = 8
/** For an ordinary torrent; some have hundreds of dead trackers. */
const MAX_ORDINARY_TRACKERS = 4 * MAX_TRACKERS
const MAX_WEB_SEEDS = 64

/** Sources that may not provide peers for a private torrent. BEP 27. */
const PUBLIC_SOURCES: ReadonlySet<string | undefined> = new Set(['dht', 'lsd', 'ut_pex'])

/** The torrents of a BitWorker client, as far as they are WebTorrent's. */
export class GuardedTorrent extends Base {
  override async _onTorrentId (torrentId: unknown): Promise<void> {
    // an info-hash has 20 bytes
    if (!ArrayBuffer.isView(torrentId) || torrentId.byteLength === 20) return super._onTorrentId(torrentId)
    const parsed = await this._read(bytesOf(torrentId))
    if (parsed === null || this.destroyed) return
    Object.assign(this, { infoHash: parsed.infoHash })
    queueMicrotask(() => { this._onParsedTorrent(parsed) })
  }

  /** Reads an ordinary torrent. If it is invalid, destroys this torrent and returns null. */
  async _read (bytes: Uint8Array): Promise<ParsedTorrent | null> {
    return readOrdinary(bytes).catch((err: unknown) => {
      this._refuse(err)
      return null
    })
  }

  /** Uses WebTorrent's message; the reason, which WebTorrent does not give, is the cause. */
  _refuse (reason: unknown): void { this._destroy(new Error('Invalid torrent identifier', { cause: reason })) }

  override _onParsedTorrent (parsed: ParsedTorrent): void {
    const problem = parsed['task'] === undefined ? parsedProblem(parsed) : null
    if (problem === null) super._onParsedTorrent(parsed)
    else this._refuse(problem)
  }

  override _processParsedTorrent (parsed: ParsedTorrent): void {
    parsed.announce = this._usableTrackers(parsed.announce)
    parsed.urlList = usableWebSeeds(parsed.urlList)
    if (Array.isArray(this.announce)) this.announce = this._usableTrackers(this.announce)
    if (Array.isArray(this.urlList)) this.urlList = usableWebSeeds(this.urlList)
    super._processParsedTorrent(parsed)
    // the client may have added trackers of its own
    this.announce = this._usableTrackers(this.announce)
  }

  /** Removes trackers that could not be asked; each causes a warning. */
  _usableTrackers (urls: unknown): string[] {
    if (!Array.isArray(urls)) return []
    const usable: string[] = []
    for (const url of urls.slice(0, MAX_ORDINARY_TRACKERS)) {
      const problem = trackerProblem(url)
      if (problem === undefined) usable.push(url as string)
      else this.emit('warning', new Error(`The tracker ${String(url).slice(0, 200)} is not used: ${problem}.`))
    }
    return usable
  }

  /** WebTorrent excludes a private torrent from the DHT, but not from the local network. */
  override _startDiscovery (): void {
    const { client } = this
    if (this.private === true) this.client = Object.create(client, { lsd: { value: false } }) as InternalClient
    super._startDiscovery()
    if (!this.destroyed) this.client = client
  }

  /** A link does not say that its torrent is private, so public sources may already have been asked: leaves them. */
  _leavePublicSources (): void {
    const { discovery } = this
    if (this.private !== true || !discovery || (discovery.dht === null && discovery.lsd === null)) return
    // later results and errors are ignored
    discovery.removeAllListeners().on('error', () => {})
    discovery.destroy()
    this.discovery = null
    clearInterval(this._noPeersIntervalId)
    this._startDiscovery()
  }

  override _addPeer (peer: unknown, type: string, source?: string): InternalPeer | null {
    return this.private === true && PUBLIC_SOURCES.has(source) ? null : super._addPeer(peer, type, source)
  }

  /** An incoming connection may be closed before WebTorrent has found its torrent; it would then be listed for ever. */
  override _registerPeer (peer: InternalPeer): void {
    if (!peer.destroyed) super._registerPeer(peer)
  }

  override async _onMetadata (metadata: unknown): Promise<void> {
    if (this.metadata !== null || this.destroyed) return
    const parsed = ArrayBuffer.isView(metadata) ? await this._read(bytesOf(metadata)) : metadata
    if (parsed === null) return
    // errors in it, such as a store that cannot be made, would be unhandled rejections
    await super._onMetadata(parsed).catch((err: unknown) => { this._destroy(err as Error) })
    if (!this.destroyed) this._leavePublicSources()
  }

  /** Fetches what a link names by `xs`. WebTorrent would accept bodies of any length and duration. */
  override _getMetadataFromServer (): void {
    const controller = this._xsRequestsController = new AbortController()
    for (const url of [this.xs].flat().slice(0, MAX_SOURCES)) {
      if (typeof url !== 'string' || !/^https?:\/\//.test(url)) {
        this.emit('warning', new Error(`skipping non-http xs param: ${String(url).slice(0, 200)}`))
        continue
      }
      this._getMetadataFrom(url, controller.signal).catch((err: unknown) => {
        if (!this.destroyed && this.metadata === null) {
          this.emit('warning', new Error(`${url} (xs): ${networkReason(err)}`))
        }
      })
    }
  }

  async _getMetadataFrom (url: string, signal: AbortSignal): Promise<void> {
    const headers = { 'user-agent': this.client.userAgent }
    const { status, bytes } = await fetchBounded(url, {
      maxBytes: MAX_TORRENT_FILE_BYTES, timeoutMs: SOURCE_MS, headers, signal
    })
    if (status !== 200) throw new Error(`HTTP ${status}`)
    const { infoHash } = isTask(bytes) ? parseTask(bytes) : await readOrdinary(bytes)
    if (infoHash !== this.infoHash) throw new Error('the file has another info-hash')
    await this._onMetadata(bytes)
  }
}

function usableWebSeeds (urls: unknown): string[] {
  return Array.isArray(urls)
    ? (urls.filter(url => typeof url === 'string' && url.length <= MAX_URL_LENGTH).slice(0, MAX_WEB_SEEDS) as string[])
    : []
}

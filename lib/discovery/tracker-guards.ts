/**
 * Guards bittorrent-tracker's client. Requests over HTTP and UDP are made here, with limits on size and time; messages
 * over WebSocket are read in tracker-sockets.ts. The package sees only what tracker-answer.ts has read. A tracker that
 * fails causes a warning that names it and says why. Installed by package-guards.ts.
 */
import { Client } from 'bittorrent-tracker'
import { inheritedMethod } from '../base/inherited.ts'
import { fetchBounded, networkReason } from '../system/fetch.ts'
import {
  clampInterval, MAX_TRACKER_ANSWER_BYTES, readHttpAnswer, readUdpAnswer, TrackerFailure
} from './tracker-answer.ts'
import type { HttpAnswer } from './tracker-answer.ts'
import { PACKAGE, REQUEST_MS, warn } from './tracker-internals.ts'
import type { InternalTracker } from './tracker-internals.ts'
import { guardSocketTrackers } from './tracker-sockets.ts'
import { announceByUdp } from './udp-exchange.ts'

/** The numbers of BEP 15. */
const EVENTS: Record<string, number> = { completed: 1, started: 2, stopped: 3, paused: 4 }

/** Strings are binary: each character is one byte. A list is written by repeating the key. */
type Query = Record<string, QueryValue | QueryValue[]>
type QueryValue = string | number | null | undefined
type Announcement = Record<string, unknown> & { _scrape?: boolean }
type Answered = (err: Error | null, answer?: unknown) => void

interface HttpTracker extends InternalTracker {
  _request (this: HttpTracker, url: string, params: Query, cb: Answered): unknown
  _onAnnounceResponse (this: HttpTracker, answer: object): void
}

interface UdpTracker extends InternalTracker {
  _request (this: UdpTracker, opts: Announcement): void
}

/** Installs the guards. */
export function guardTrackers (): void {
  // opens no connection: the instances connect only when asked to
  const {
    _trackers: [http, udp]
  } = new Client({
    infoHash: '00'.repeat(20),
    peerId: '00'.repeat(20),
    port: 1,
    announce: ['http://127.0.0.1/announce', 'udp://127.0.0.1:1']
  }) as unknown as { _trackers: [HttpTracker, UdpTracker] }
  const prototypes = [Object.getPrototypeOf(http), Object.getPrototypeOf(udp)] as [HttpTracker, UdpTracker]
  guardInterval(Object.getPrototypeOf(prototypes[0]) as InternalTracker)
  guardHttp(prototypes[0])
  guardUdp(prototypes[1], prototypes[0])
  guardSocketTrackers()
}

/** Limits the interval that a tracker sets, over any transport: at least a minute, at most a day. */
function guardInterval (prototype: InternalTracker): void {
  const setInterval = inheritedMethod(prototype, 'setInterval', PACKAGE)
  prototype.setInterval = function (ms) {
    // 0 is the application's way to turn it off; undefined asks for the package's default
    setInterval.call(this, typeof ms === 'number' && ms !== 0 ? clampInterval(ms || 0) : ms)
  }
}

/** Makes a request. `destroy` waits for it briefly, then aborts it. */
async function request<T> (tracker: InternalTracker, make: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const cleanUp = (): void => { controller.abort(new Error('the tracker client was destroyed')) }
  tracker.cleanupFns.push(cleanUp)
  try {
    return await make(controller.signal)
  } finally {
    tracker.cleanupFns = tracker.cleanupFns.filter(each => each !== cleanUp)
    tracker.maybeDestroyCleanup?.()
  }
}

function guardHttp (prototype: HttpTracker): void {
  inheritedMethod(prototype, '_onAnnounceResponse', PACKAGE)
  inheritedMethod(prototype, '_request', PACKAGE)
  prototype._request = function (url, params, cb) {
    request(this, signal => askByHttp(this, url, params, signal)).then(answer => {
      if (this.destroyed) return
      if (answer.warning !== undefined) warn(this, answer.warning)
      cb(null, answer)
    }, (err: unknown) => {
      if (this.destroyed) return
      if (err instanceof TrackerFailure && err.retryMs !== undefined) this.setInterval(err.retryMs)
      warn(this, networkReason(err))
    })
  }
}

async function askByHttp (tracker: HttpTracker, url: string, params: Query, signal: AbortSignal): Promise<HttpAnswer> {
  const { _proxyOpts: proxy, _userAgent: userAgent = '' } = tracker.client
  const agent = (url.startsWith('https:') ? proxy?.httpsAgent : proxy?.httpAgent) ?? proxy?.socksProxy
  const { status, bytes } = await fetchBounded(`${url}${url.includes('?') ? '&' : '?'}${query(params)}`, {
    maxBytes: MAX_TRACKER_ANSWER_BYTES,
    timeoutMs: REQUEST_MS,
    signal,
    headers: { 'user-agent': userAgent },
    ...(agent !== undefined && { dispatcher: agent })
  })
  if (status !== 200) throw new Error(`HTTP ${status}`)
  return readHttpAnswer(bytes)
}

function query (params: Query): string {
  return Object.entries(params).flatMap(([key, value]) => {
    return [value]
      .flat()
      .filter(each => each !== undefined && each !== null)
      .map(each => `${encodeURIComponent(key)}=${escapeBytes(String(each))}`)
  }).join('&')
}

function escapeBytes (value: string): string {
  return [...Buffer.from(value, 'latin1')].map(byte => {
    const char = String.fromCharCode(byte)
    return /[\w.~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }).join('')
}

/** Passes UDP answers to the HTTP handler: the contents are the same. */
function guardUdp (prototype: UdpTracker, http: HttpTracker): void {
  const onAnswer = inheritedMethod(http, '_onAnnounceResponse', PACKAGE)
  const ask = inheritedMethod(prototype, '_request', PACKAGE)
  prototype._request = function (opts) {
    // WebTorrent does not ask for either by itself
    if (opts._scrape === true || this.client._proxyOpts?.socksProxy !== undefined) return ask.call(this, opts)
    request(this, signal => askByUdp(this, opts, signal)).then(answer => {
      if (!this.destroyed) onAnswer.call(this as unknown as HttpTracker, answer)
    }, (err: unknown) => {
      // it does not matter whether a farewell arrives
      if (!this.destroyed && opts['event'] !== 'stopped') warn(this, networkReason(err))
    })
  }
}

async function askByUdp (
  { announceUrl, client }: UdpTracker, opts: Announcement, signal: AbortSignal
): Promise<HttpAnswer> {
  const { hostname, port } = new URL(announceUrl)
  const number = (name: string): number => Number(opts[name] ?? 0)
  return readUdpAnswer(await announceByUdp({
    host: hostname,
    port: Number(port || 80),
    infoHash: client._infoHashBuffer,
    peerId: client._peerIdBuffer,
    downloaded: number('downloaded'),
    left: opts['left'] === undefined ? undefined : number('left'),
    uploaded: number('uploaded'),
    event: EVENTS[String(opts['event'])] ?? 0,
    numwant: number('numwant'),
    listening: client._port
  }, REQUEST_MS, signal))
}

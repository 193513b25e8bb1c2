/** bittorrent-tracker's class for one tracker, and helpers shared by the guards of all transports. */

/** The package whose methods are guarded. */
export const PACKAGE = 'bittorrent-tracker'
/** Time limit for one request, until the last byte of its answer. The same as the package's. */
export const REQUEST_MS = 15_000
/** Shortest interval between two warnings about a tracker; warnings in between are dropped. */
const REMARK_MS = 60_000

/** The internals of the package's class for one tracker. */
export interface InternalTracker {
  readonly client: {
    emit (event: string, value: unknown): void
    readonly destroyed: boolean
    readonly _port: number
    readonly _infoHashBinary: string
    readonly _userAgent?: string
    readonly _infoHashBuffer: Uint8Array
    readonly _peerIdBuffer: Uint8Array
    readonly _proxyOpts?: { httpsAgent?: unknown, httpAgent?: unknown, socksProxy?: unknown }
  }
  readonly announceUrl: string
  readonly destroyed: boolean
  cleanupFns: Array<() => void>
  maybeDestroyCleanup: (() => void) | null
  _remarkedAt?: number
  setInterval (this: InternalTracker, ms?: number): void
}

/** Makes the client emit a warning that names the tracker; at most once per minute. */
export function warn (tracker: InternalTracker, reason: string): void {
  const now = performance.now()
  if (now - (tracker._remarkedAt ?? -Infinity) < REMARK_MS) return
  tracker._remarkedAt = now
  tracker.client.emit('warning', new Error(`${tracker.announceUrl}: ${reason}`))
}

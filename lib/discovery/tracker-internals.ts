/** bittorrent-tracker's class for one tracker, and what the guards of all transports share. */

/** The package whose methods are guarded. */
export const PACKAGE = 'bittorrent-tracker'
/** For one request, until the last byte of its answer. As the package has it. */
export const REQUEST_MS = 15_000
/** From one warning of a tracker to the next; what it says in between is dropped. */
const REMARK_MS = 60_000

/** The package's class for one tracker, inside. */
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

/** The tracker's client warns, naming it; once a minute at most. */
export function warn (tracker: InternalTracker, reason: string): void {
  const now = performance.now()
  if (now - (tracker._remarkedAt ?? -Infinity) < REMARK_MS) return
  tracker._remarkedAt = now
  tracker.client.emit('warning', new Error(`${tracker.announceUrl}: ${reason}`))
}

/**
 * When a peer that has just joined may begin to compute: not before it knows what its neighbours have, or it would compute
 * what it could have downloaded.
 */
import type { EventEmitter } from 'node:events'

/** No source of peers is waited for longer: a tracker that is down must not keep anybody from working. */
const SOURCES_MS = 5_000
/** Nor connections that are being made, from then on: addresses of peers that left are common. */
const CONNECTIONS_MS = 3_000
/** LSD (BEP 14) does not say when it has heard everybody; on a local network answers take milliseconds. */
const LSD_MS = 300
/** Peers that a source named are connected to a moment later. */
const POLL_MS = 10

/** What is waited for. */
export interface Settling {
  /** emits 'trackerAnnounce', 'dhtAnnounce', 'warning' and 'close'; `discovery` has the sources that are asked */
  torrent: EventEmitter & { announce: string[], discovery: { tracker: unknown, dht: unknown } | null }
  /** LSD is asked, too */
  lsd: boolean
  isConnecting: () => boolean
}

/** Resolves when every source has answered for the first time and the connections that followed are made, or time is up. */
export async function settled ({ torrent, lsd, isConnecting }: Settling): Promise<void> {
  const { tracker, dht } = torrent.discovery ?? { tracker: null, dht: null }
  const sources = { tracker: tracker !== null && torrent.announce.length > 0, dht: dht !== null, lsd }
  await new Promise<void>(resolve => {
    const waiting = new Set((['tracker', 'dht', 'lsd'] as const).filter(source => sources[source]))
    const start = performance.now()
    let answeredAt: number | undefined = waiting.size === 0 ? start : undefined
    const answer = (source: 'tracker' | 'dht' | 'lsd'): void => {
      waiting.delete(source)
      if (waiting.size === 0) answeredAt ??= performance.now()
    }
    const listeners: Array<[event: string, listener: () => void]> = [
      ['trackerAnnounce', () => { answer('tracker') }],
      // a tracker that cannot be reached makes a warning
      ['warning', () => { answer('tracker') }],
      ['dhtAnnounce', () => { answer('dht') }],
      ['close', end]
    ]
    for (const [event, listener] of listeners) torrent.on(event, listener)
    const timer = setInterval(check, POLL_MS)
    function check (): void {
      const now = performance.now()
      if (now - start > LSD_MS) answer('lsd')
      if (now - start > SOURCES_MS) answeredAt ??= now
      if (answeredAt === undefined) return
      if (!isConnecting() || now - answeredAt > CONNECTIONS_MS) end()
    }
    function end (): void {
      clearInterval(timer)
      for (const [event, listener] of listeners) torrent.off(event, listener)
      resolve()
    }
    check()
  })
}

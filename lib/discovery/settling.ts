/**
 * Decides when a peer that has just joined may start to compute: when it knows what its neighbours have. Otherwise it
 * would compute pieces that it could download.
 */
import type { EventEmitter } from 'node:events'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { traceOf } from '../base/trace.ts'
import type { Meeting } from '../peers/meeting.ts'

const trace = traceOf('discovery')

/** Longest wait for a source of peers: a tracker that is down must not keep anybody from working. */
const SOURCES_MS = 5_000
/** Longest wait for connections after that: addresses of peers that have left are common. */
const CONNECTIONS_MS = 3_000
/** After one peer has announced its pieces, longest wait for the others: they have much the same. */
const OTHERS_MS = 300
/** LSD (BEP 14) does not signal when all peers have answered; on a local network, answers take milliseconds. */
const LSD_MS = 300
/** Connections to peers that a source named are opened a moment later. */
const POLL_MS = 10

type Source = 'tracker' | 'dht' | 'lsd'

/** The part of a torrent that is needed here. */
export interface DiscoveringTorrent extends EventEmitter {
  announce: string[]
  /** the sources that are asked */
  discovery: { tracker: unknown, dht: unknown } | null
}

/**
 * Records which sources of peers have answered since they were asked. If computing starts later, for example after a
 * prompt, it does not wait for them again.
 */
export class Sources {
  readonly #torrent: DiscoveringTorrent
  readonly #lsd: boolean
  readonly #answered = new Set<Source>()
  readonly #since = performance.now()

  /**
   * @param torrent emits 'trackerAnnounce', 'dhtAnnounce' and 'warning'
   * @param lsd whether LSD is asked, too
   */
  constructor (torrent: DiscoveringTorrent, lsd: boolean) {
    this.#torrent = torrent
    this.#lsd = lsd
    torrent.on('trackerAnnounce', () => { this.#onAnswer('tracker') })
    // an unreachable tracker causes a warning
    torrent.on('warning', () => { this.#onAnswer('tracker') })
    torrent.on('dhtAnnounce', () => { this.#onAnswer('dht') })
  }

  #onAnswer (source: Source): void {
    trace('answer of the %s after %d ms', source, performance.now() - this.#since)
    this.#answered.add(source)
  }

  /** True if every source has answered once, or the time is up. */
  get haveAnswered (): boolean {
    const waited = performance.now() - this.#since
    if (waited > LSD_MS) this.#answered.add('lsd')
    return waited > SOURCES_MS || this.#asked().every(source => this.#answered.has(source))
  }

  #asked (): Source[] {
    const { announce, discovery } = this.#torrent
    const { tracker, dht } = discovery ?? { tracker: null, dht: null }
    const isAsked = { tracker: tracker !== null && announce.length > 0, dht: dht !== null, lsd: this.#lsd }
    return (['tracker', 'dht', 'lsd'] as const).filter(source => isAsked[source])
  }
}

/**
 * Resolves when the sources have answered and the resulting connections are open, when the time is up, or when the
 * torrent is closed.
 */
export async function settled (
  sources: Sources, torrent: EventEmitter, meeting: () => Meeting, clock: Clock = systemClock
): Promise<void> {
  await new Promise<void>(resolve => {
    let answeredAt: number | undefined
    let cancel: (() => void) | undefined
    torrent.once('close', end)
    check()
    function check (): void {
      cancel = clock.after(POLL_MS, check)
      if (answeredAt === undefined && !sources.haveAnswered) return
      answeredAt ??= clock.now()
      const { isConnecting, hasMet } = meeting()
      if (!isConnecting || clock.now() - answeredAt > (hasMet ? OTHERS_MS : CONNECTIONS_MS)) end()
    }
    function end (): void {
      trace('settled: the known peers have announced their pieces')
      cancel?.()
      torrent.off('close', end)
      resolve()
    }
  })
}

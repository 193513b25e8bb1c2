/**
 * When a peer that has just joined may begin to compute: not before it knows what its neighbours have, or it would
 * compute what it could have downloaded.
 */
import type { EventEmitter } from 'node:events'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { traceOf } from '../base/trace.ts'
import type { Meeting } from '../peers/neighbours.ts'

const trace = traceOf('discovery')

/** No source of peers is waited for longer: a tracker that is down must not keep anybody from working. */
const SOURCES_MS = 5_000
/** Nor connections that are being made, from then on: addresses of peers that left are common. */
const CONNECTIONS_MS = 3_000
/** Once somebody has told what it has, the others are waited for no longer: they have much the same. */
const OTHERS_MS = 300
/** LSD (BEP 14) does not say when it has heard everybody; on a local network answers take milliseconds. */
const LSD_MS = 300
/** Peers that a source named are connected to a moment later. */
const POLL_MS = 10

type Source = 'tracker' | 'dht' | 'lsd'

/** The part of a torrent that is looked at. */
export interface DiscoveringTorrent extends EventEmitter {
  announce: string[]
  /** the sources that are asked */
  discovery: { tracker: unknown, dht: unknown } | null
}

/**
 * Which sources of peers have answered, from the moment on that they are asked: whoever is told to compute later,
 * because a question had to be answered first, does not wait for them again.
 */
export class Sources {
  readonly #torrent: DiscoveringTorrent
  readonly #lsd: boolean
  readonly #answered = new Set<Source>()
  readonly #since = performance.now()

  /**
   * @param torrent emits 'trackerAnnounce', 'dhtAnnounce' and 'warning'
   * @param lsd LSD is asked, too
   */
  constructor (torrent: DiscoveringTorrent, lsd: boolean) {
    this.#torrent = torrent
    this.#lsd = lsd
    torrent.on('trackerAnnounce', () => { this.#onAnswer('tracker') })
    // a tracker that cannot be reached makes a warning
    torrent.on('warning', () => { this.#onAnswer('tracker') })
    torrent.on('dhtAnnounce', () => { this.#onAnswer('dht') })
  }

  #onAnswer (source: Source): void {
    trace('answer of the %s after %d ms', source, performance.now() - this.#since)
    this.#answered.add(source)
  }

  /** Every source has answered for the first time, or time is up. */
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
 * Resolves when the sources have answered and the connections that followed are made, time is up, or the torrent
 * closes.
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
      trace('peers are known as far as they will be')
      cancel?.()
      torrent.off('close', end)
      resolve()
    }
  })
}

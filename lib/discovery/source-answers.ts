/** Remembers what each source of peers has answered, for `torrent.explain`. Called by the torrent. */
import type { EventEmitter } from 'node:events'
import type { SourceState } from '../explain/situation.ts'

/** Addresses that are counted for a source. */
const MAX_COUNTED = 1_000
/** The longest reason that is kept. */
const MAX_REASON = 200

/** The names that WebTorrent gives to sources. */
const KINDS: Readonly<Record<string, SourceState['kind']>> = {
  tracker: 'tracker', dht: 'dht', lsd: 'lsd', ut_pex: 'pex', manual: 'named'
}

/** The kind of a source by WebTorrent's name. */
export function kindOf (source: string | null | undefined): SourceState['kind'] {
  return KINDS[source ?? ''] ?? 'named'
}

/** The part of a torrent that is asked. */
export interface AskingTorrent extends EventEmitter {
  readonly announce: string[]
  readonly discovery: Record<'tracker' | 'dht' | 'lsd', object | null> | null
}

/** The part of a DHT node that is asked. */
export interface AskedDht { toJSON (): { nodes: unknown[] } }

interface TrackerAnswer { state: 'answered' | 'failed', peers: number, message?: string | undefined }

/** The answers for one torrent. */
export class SourceAnswers {
  readonly #torrent: AskingTorrent
  /** by URL; as many as the torrent has trackers */
  readonly #trackers = new Map<string, TrackerAnswer>()
  readonly #named = new Map<SourceState['kind'], Set<string>>()
  #hasDhtAnswered = false

  constructor (torrent: AskingTorrent) {
    this.#torrent = torrent
    torrent.on('dhtAnnounce', () => { this.#hasDhtAnswered = true })
  }

  /** The sources are being asked from now on; to be called once for each round of discovery. */
  begun (): void {
    // bittorrent-tracker's client, which names the tracker in both events
    const tracker = this.#torrent.discovery?.tracker as EventEmitter | null | undefined
    tracker?.on('update', (answer: { announce?: unknown, peers?: unknown, peers6?: unknown }) => {
      this.#note(String(answer.announce), {
        state: 'answered', peers: lengthOf(answer.peers) / 6 + lengthOf(answer.peers6) / 18
      })
    })
    tracker?.on('warning', ({ message }: Error) => {
      const url = this.#torrent.announce.find(each => message.startsWith(`${each}: `))
      if (url === undefined) return
      this.#note(url, { state: 'failed', peers: 0, message: message.slice(url.length + 2).slice(0, MAX_REASON) })
    })
  }

  #note (url: string, answer: TrackerAnswer): void {
    if (this.#torrent.announce.includes(url)) this.#trackers.set(url, answer)
  }

  /** A source has named a peer. */
  named (address: string, source: string | null | undefined): void {
    const kind = kindOf(source)
    const addresses = this.#named.get(kind) ?? new Set()
    this.#named.set(kind, addresses)
    if (addresses.size < MAX_COUNTED) addresses.add(address)
  }

  /** What each has answered. @param dht our node; null: none */
  states (dht: AskedDht | null): SourceState[] {
    const { announce, discovery } = this.#torrent
    const count = (kind: SourceState['kind']): number => this.#named.get(kind)?.size ?? 0
    const trackers = announce.map((name): SourceState => {
      if (discovery?.tracker == null) return { kind: 'tracker', name, state: 'off', peers: 0 }
      const { state, peers, message } = this.#trackers.get(name) ?? { state: 'asked' as const, peers: 0 }
      return message === undefined ? { kind: 'tracker', name, state, peers } : { kind: 'tracker', name, state, peers, message }
    })
    const asksDht = dht !== null && discovery?.dht != null
    return [
      ...trackers.length > 0 ? trackers : [{ kind: 'tracker', state: 'off', peers: 0 } as const],
      asksDht
        ? { kind: 'dht', state: this.#hasDhtAnswered ? 'answered' : 'asked', peers: count('dht'), nodes: dht.toJSON().nodes.length }
        : { kind: 'dht', state: 'off', peers: 0 },
      // it has no answer of its own: who hears of us calls
      { kind: 'lsd', state: discovery?.lsd == null ? 'off' : 'answered', peers: count('lsd') },
      ...(['pex', 'named'] as const).filter(kind => count(kind) > 0)
        .map((kind): SourceState => ({ kind, state: 'answered', peers: count(kind) }))
    ]
  }
}

function lengthOf (value: unknown): number { return value instanceof Uint8Array ? value.length : 0 }

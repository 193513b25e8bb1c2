/**
 * "BitWorker treats ordinary torrents as WebTorrent does", as a test: a scenario runs with WebTorrent's class and then
 * with ours, on the same inputs, and what it wrote down must be the same both times.
 */
import { createHash } from 'node:crypto'
import type { EventEmitter } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import MemoryChunkStore from 'memory-chunk-store'
import test from 'tape'
import type { Test } from 'tape'
import WebTorrent from 'webtorrent'
import WebTorrentTorrent from 'webtorrent/lib/torrent.js'
import fixtures from 'webtorrent-fixtures'
import BitWorker from '../../lib/index.ts'
import type { TorrentOptions, WebTorrentOptions } from '../../lib/webtorrent/inherited-options.ts'
import type { Torrent, WebTorrentClient, WebTorrentConstructor } from '../../lib/webtorrent/types.ts'
import { DEADLINE_MS } from './disk.ts'
import { addressOf, createClient, freePort } from './swarm.ts'

const { leaves } = fixtures

/** What a scenario works with. */
export interface Run {
  t: Test
  /** the class under test */
  Client: WebTorrentConstructor
  /** writes down what happened */
  log: (...entry: unknown[]) => void
  /** writes down these events as they come, with their arguments */
  watch: (emitter: EventEmitter | Torrent | WebTorrentClient, name: string, events: readonly string[]) => void
  /** a client of that class that listens already, so that its start cannot mingle with the rest */
  start: (opts?: WebTorrentOptions, Client?: WebTorrentConstructor) => Promise<WebTorrentClient>
}

/** The events of a client and of a torrent whose order an application may rely on. */
export const CLIENT_EVENTS = ['add', 'torrent', 'seed', 'remove', 'error'] as const
export const TORRENT_EVENTS = [
  'infoHash', 'metadata', 'ready', 'verified', 'done', 'warning', 'error', 'close'
] as const

/** What an application can read of a torrent. */
const PROPERTIES = [
  'announce',
  'comment',
  'createdBy',
  'created',
  'destroyed',
  'done',
  'downloaded',
  'infoHash',
  'info',
  'infoBuffer',
  'infoHashBuffer',
  'lastPieceLength',
  'length',
  'magnetURI',
  'maxWebConns',
  'metadata',
  'name',
  'numPeers',
  'paused',
  'pieceLength',
  'private',
  'progress',
  'ratio',
  'ready',
  'received',
  'so',
  'strategy',
  'timeRemaining',
  'torrentFile',
  'uploaded',
  'urlList'
]

/** One test: the scenario twice. */
export function same (name: string, scenario: (run: Run) => Promise<void>): void {
  test(name, { timeout: DEADLINE_MS }, async t => {
    const expected = await record(t, WebTorrent, scenario)
    const actual = await record(t, BitWorker, scenario)
    t.ok(
      expected.length > 0 && actual.length === expected.length,
      `${actual.length} entries, of WebTorrent ${expected.length}`
    )
    const first = expected.findIndex((entry, index) => !isDeepStrictEqual(actual[index], entry))
    // one entry is enough to read
    if (first === -1) t.pass('as with WebTorrent')
    else t.deepEqual(actual[first], expected[first], `entry ${first}`)
  })
}

async function record (
  t: Test, Client: WebTorrentConstructor, scenario: (run: Run) => Promise<void>
): Promise<unknown[]> {
  const entries: unknown[] = []
  const log = (...entry: unknown[]): void => {
    entries.push(entry.map(summarise))
  }
  await scenario({
    t,
    Client,
    log,
    watch: (emitter, name, events) => {
      for (const event of events)
        (emitter as EventEmitter).on(event, (...args) => {
          log(name, event, ...args)
        })
    },
    start: async (opts = {}, Class = Client) => {
      const client = createClient(t, opts.utp === true ? { torrentPort: await freePort(), ...opts } : opts, Class)
      await addressOf(client)
      return client
    }
  })
  return entries
}

/** All that is public about a torrent and does not depend on the moment. */
export function describe (torrent: Torrent): unknown {
  const view = torrent as unknown as Record<string, unknown>
  const files = torrent.files.map(({ name, path, length, offset, type, size, downloaded, progress, done }) => {
    return { name, path, length, offset, type, size, downloaded, progress, done }
  })
  // BitWorker's own addition
  const keys = Object.keys(torrent).filter(key => !key.startsWith('_') && key !== 'task')
  return {
    keys,
    files,
    pieces: torrent.pieces.length,
    ...Object.fromEntries(PROPERTIES.map(key => [key, summarise(view[key])]))
  }
}

/** Seeds a file of 362 017 bytes, 23 pieces, from memory. */
export async function seedLeaves (client: WebTorrentClient, opts: TorrentOptions = {}): Promise<Torrent> {
  const options = { name: leaves.parsedTorrent.name, announce: [], store: MemoryChunkStore, ...opts }
  return new Promise(resolve => { client.seed(leaves.content, options, resolve) })
}

/** A property of WebTorrent's own. */
export function internal (torrent: Torrent, name: string): unknown {
  return (torrent as unknown as Record<string, unknown>)[name]
}

/** Pieces and priority of each selection. */
export function selections (torrent: Torrent): unknown[] {
  const all = internal(torrent, '_selections') as Iterable<{ from: number, to: number, priority: number }>
  return [...all].map(({ from, to, priority }) => [from, to, priority])
}

/** The message of the error that `fn` throws or rejects with. */
export async function errorOf (fn: () => unknown): Promise<string> {
  try {
    await fn()
    return 'no error'
  } catch (err) {
    return String(err)
  }
}

/** A short stand-in for comparing. */
function summarise (value: unknown): unknown {
  if (value instanceof Error) return String(value)
  if (ArrayBuffer.isView(value)) return sha256(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  if (value instanceof ArrayBuffer) return sha256(new Uint8Array(value))
  if (value instanceof Date || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(summarise)
  if (value instanceof WebTorrentTorrent) return `torrent ${value.infoHash}`
  const isPlain = Object.getPrototypeOf(value) === Object.prototype
  return isPlain
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, summarise(item)]))
    : value.constructor.name
}

function sha256 (bytes: Uint8Array): string {
  return `${bytes.length} bytes ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}

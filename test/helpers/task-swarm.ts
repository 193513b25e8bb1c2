/** Peers of a task within this process: loopback only, each with a folder of its own, gone when the test ends. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tape'
import type BitWorker from '../../lib/index.ts'
import type { ComputeTorrent, Task, TaskTorrentOptions } from '../../lib/index.ts'
import type { WebTorrentOptions } from '../../lib/webtorrent/inherited-options.ts'
import type { TorrentId } from '../../lib/webtorrent/types.ts'
import { createFolder, DEADLINE_MS } from './disk.ts'
import { createClient } from './swarm.ts'

/** Unencrypted: sixteen clients in one process would do little but key exchanges. */
const PLAINTEXT: WebTorrentOptions = { secure: 0 }

/** A client with one task. */
export interface Peer {
  client: BitWorker
  torrent: ComputeTorrent
  /** output folder */
  path: string
  /** what happened to pieces here */
  computed: number[]
  downloaded: number[]
  /** digest in hex by piece */
  digests: Map<number, string>
}

const ended = new WeakSet<Test>()

/**
 * To be called before other things of the test are set up: once they are taken down, warnings about that are no
 * failures.
 */
export function noteEnd (t: Test): void {
  t.teardown(() => { ended.add(t) })
}

/** How `createPeer` differs from the default. */
export interface PeerOptions extends TaskTorrentOptions {
  client?: WebTorrentOptions
  /** a task, a magnet link …; default: the task */
  id?: TorrentId
}

/** A client that has added the task; computes only when told to. */
export async function createPeer (
  t: Test, task: Task, { client: clientOptions, id, ...opts }: PeerOptions = {}
): Promise<Peer> {
  const path = opts.path ?? createFolder(t)
  const client = createClient(t, { ...PLAINTEXT, ...clientOptions })
  const torrent = client.add(id ?? task, { ...opts, path })
  const peer: Peer = { client, torrent, path, computed: [], downloaded: [], digests: new Map() }
  torrent.on('computed', ({ piece, sha256 }) => {
    peer.computed.push(piece)
    peer.digests.set(piece, sha256)
  })
  torrent.on('downloaded', ({ piece, sha256 }) => {
    peer.downloaded.push(piece)
    peer.digests.set(piece, sha256)
  })
  torrent.on('warning', err => {
    if (!ended.has(t)) t.fail(`warning: ${err.message}`)
  })
  if (!client.listening) await once(client, 'listening')
  return peer
}

/** Resolves when the peer's store is open. */
export async function ready ({ torrent }: Peer): Promise<void> {
  if (!torrent.ready) await once(torrent, 'ready')
}

/** Every peer connects to those before it. */
export async function connect (...peers: Peer[]): Promise<void> {
  for (const [i, { torrent }] of peers.entries()) {
    if (torrent.infoHash === undefined) await once(torrent, 'infoHash')
    for (const { client } of peers.slice(0, i)) torrent.addPeer(`127.0.0.1:${client.torrentPort}`)
  }
}

/** Resolves when all peers are done; rejects when one cannot be, or after the deadline. */
export async function allDone (peers: Peer[]): Promise<void> {
  const signal = AbortSignal.timeout(DEADLINE_MS)
  await Promise.all(peers.map(async ({ torrent }) => {
    if (!torrent.done) await once(torrent, 'done', { signal })
  }))
}

/** SHA-256, in hex, of a finished file of the peer's. */
export async function digestOf ({ path }: Peer, file: string): Promise<string> {
  return createHash('sha256').update(await readFile(join(path, file))).digest('hex')
}

/** A client with one torrent, from the flags to a clean end. Loads WebTorrent, which takes a while. */
import { BitWorkerError } from '../../base/errors.ts'
import type { TaskTorrentOptions } from '../../webtorrent/options.ts'
import type { BitWorker, Torrent } from '../../webtorrent/public-types.ts'
import type { TorrentError } from '../../webtorrent/types.ts'
import { clientOptions, resolvePeers } from '../flags/network.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { explain } from '../output/failure.ts'
import type { JsonOutput } from '../output/json-output.ts'

// Peers named by --peer are tried for as long as we run: they may start later, or restart.
const RECONNECT_MS = 5000

/** A client and its torrent. */
export interface Session {
  client: BitWorker
  torrent: Torrent
  /** rejects when the client or the torrent ends with an error; never resolves */
  failed: Promise<never>
  /** warnings; may be called several times with the same message */
  onWarning (listener: (warning: TorrentError) => void): void
  /** kills running commands, leaves the swarm, closes everything */
  close (): Promise<void>
}

/** Starts a client and adds the torrent, without computing anything. Throws BW_ERR_USAGE and BW_ERR_HOST. */
export async function openSession (
  id: string | Uint8Array, flags: NetworkFlags, opts: TaskTorrentOptions, out: JsonOutput
): Promise<Session> {
  const options = clientOptions(flags)
  const peers = await resolvePeers(flags.peer)
  const { default: Client } = await import('../../index.ts')
  const client = new Client(options)
  const warnings = new Set<(warning: TorrentError) => void>()
  const warn = (error: TorrentError): void => { for (const listener of warnings) listener(error) }
  client.once('listening', () => { out.emit('listening', { port: client.torrentPort }) })
  const torrent = client.add(id, { ...opts, announce: flags.announce })
  const failed = new Promise<never>((_, reject) => {
    // If the client still works (uTP had no port, for example), the error is only a warning.
    client.on('error', error => { if (client.destroyed) reject(explain(error)); else warn(error) })
    torrent.on('error', error => { reject(torrentError(error, torrent, id)) })
  })
  failed.catch(() => {})
  torrent.on('warning', warn)
  const disconnect = keepConnecting(torrent, peers)
  return {
    client,
    torrent,
    failed,
    onWarning: listener => { warnings.add(listener) },
    close: async () => {
      disconnect()
      await Promise.all(client.torrents.map(async each => { await each.stopComputing() }))
      await new Promise<void>(resolve => { if (client.destroyed) resolve(); else client.destroy(() => { resolve() }) })
    }
  }
}

// WebTorrent's own errors have no code. Before the metadata has arrived, the id is to blame.
function torrentError (error: Error, torrent: Torrent, id: string | Uint8Array): unknown {
  const known = explain(error)
  if (known instanceof BitWorkerError) return known
  if (torrent.metadata !== null) return new BitWorkerError('BW_ERR_TORRENT', 'system', reasons(error), { cause: error })
  if (typeof id === 'string' && /^https?:/.test(id)) return urlError(error, id)
  const what = typeof id === 'string' ? 'The metadata from peers' : 'The torrent file'
  const why = withAdvice(reasons(error), 'Get it again, or use another one.')
  return new BitWorkerError(
    'BW_ERR_TORRENT',
    'input',
    `${what} cannot be used: ${why}`,
    { cause: error }
  )
}

function urlError (error: Error, url: string): BitWorkerError {
  const what = error.message.startsWith('Error downloading') ? 'The file cannot be fetched' : 'The file cannot be used'
  const why = reasons(error).replace(/\.$/, '')
  return new BitWorkerError('BW_ERR_TORRENT', 'input', `${url}: ${what} (${why}). Check the URL.`, { cause: error })
}

/** A reason that ends with a full stop contains its own advice. */
function withAdvice (why: string, advice: string): string { return why.endsWith('.') ? why : `${why}. ${advice}` }

// WebTorrent's generic beginnings say nothing; what follows them, or their cause, says why.
const EMPTY_WORDS = /^(?:(?:Invalid torrent identifier|Error downloading torrent|fetch failed)(?:: *|$))+/

function reasons (error: Error): string {
  const cause = error.cause instanceof Error ? reasons(error.cause) : ''
  const own = cause === '' ? error.message : error.message.replace(EMPTY_WORDS, '').trim()
  if (own.endsWith(cause)) return own
  return cause.endsWith(own) ? cause : `${own}: ${cause}`
}

function keepConnecting (torrent: Torrent, peers: string[]): () => void {
  const connect = (): void => {
    // addPeer ignores connected peers; before the info-hash is known, it throws.
    if (torrent.infoHash && !torrent.destroyed) for (const peer of peers) torrent.addPeer(peer)
  }
  torrent.on('infoHash', connect)
  connect()
  const timer = setInterval(connect, RECONNECT_MS)
  timer.unref()
  return () => { clearInterval(timer) }
}

/** Resolves at the torrent's next `event`, or at once if it has already occurred. */
export async function reached (torrent: Torrent, event: 'metadata' | 'ready'): Promise<void> {
  const has = event === 'ready' ? torrent.ready : torrent.metadata !== null
  if (!has) await new Promise<void>(resolve => { torrent.once(event, resolve) })
}

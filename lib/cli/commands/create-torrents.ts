/** Torrents that exist already as inputs of `create`: by magnet link, or by the URL of a torrent file. */
import { BitWorkerError } from '../../base/errors.ts'
import type { InputSource, PerPart } from '../../inputs/make-task.ts'
import { MAX_TORRENT_BYTES, torrentName } from '../../inputs/torrent-file.ts'
import { fetchBounded, networkReason } from '../../system/fetch.ts'
import type { NetworkFlags } from '../flags/network.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { lookUp } from '../run/lookup.ts'
import { readSource } from '../run/source.ts'

const LOOKUP_SECONDS = 60
const FETCH_MS = 60_000

/** A torrent named by a link. */
export interface LinkedTorrent {
  link: string
  /** default: the torrent's own name */
  name: string | undefined
  perPart: PerPart
}

/** Whether it is a link to a torrent. */
export function isTorrentLink (text: string): boolean {
  return /^(?:stream-)?magnet:/i.test(text) || /^https?:\/\//i.test(text)
}

/**
 * The metadata of the torrent, from its swarm or from the server. Rejects with BW_ERR_USAGE for a task,
 * BW_ERR_NO_METADATA, BW_ERR_TORRENT, BW_ERR_MAGNET, BW_ERR_INTERRUPTED.
 */
export async function linkedTorrent (
  { link, name, perPart }: LinkedTorrent, flags: NetworkFlags
): Promise<InputSource> {
  const torrent = /^https?:/i.test(link) ? await fetchTorrent(link) : await metadataOf(link, flags)
  return { torrent, name: name ?? torrentName(torrent) ?? link, perPart }
}

async function fetchTorrent (url: string): Promise<Uint8Array> {
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    const answer = await fetchBounded(url, { maxBytes: MAX_TORRENT_BYTES, timeoutMs: FETCH_MS, signal: stop.signal })
    if (answer.status !== 200) throw new Error(`HTTP ${answer.status}`)
    return answer.bytes
  } catch (error) {
    throw new BitWorkerError(
      'BW_ERR_TORRENT', 'input', `${url}: The torrent cannot be fetched (${networkReason(error)}). Check the URL.`, { cause: error }
    )
  } finally {
    release()
  }
}

async function metadataOf (link: string, flags: NetworkFlags): Promise<Uint8Array> {
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    const opts = { flags, seconds: LOOKUP_SECONDS, signal: stop.signal, what: 'the input' }
    return await lookUp(await readSource(link), opts, torrent => {
      if (torrent.task === null) return new Uint8Array(torrent.torrentFile)
      throw new BitWorkerError('BW_ERR_USAGE', 'usage', 'The link names a task, not a torrent. Pass the link of a torrent.')
    })
  } finally {
    release()
  }
}

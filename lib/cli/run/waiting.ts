/** What others may still do for a run that can do nothing more itself. */
import type { Torrent } from '../../webtorrent/public-types.ts'

/**
 * As long as it takes to ask every source of peers and to connect to those they name (lib/discovery/settling.ts), and a
 * little more.
 */
export const PATIENCE_MS = 10_000

/**
 * Resolves once nothing has come for a while, nothing is expected of a connected peer, and none computes; never where
 * all is there.
 */
export async function nothingComes (torrent: Torrent, patienceMs = PATIENCE_MS): Promise<void> {
  return new Promise(resolve => {
    let had = torrent.downloaded
    const timer = setInterval(() => {
      const { claimed, expected, running, missing } = torrent.stats()
      // without a missing piece the files are being made: that ends by itself, well or not
      const mayCome = torrent.downloaded > had || claimed > 0 || expected > 0 || running > 0 || missing === 0
      had = torrent.downloaded
      if (mayCome) return
      clearInterval(timer)
      resolve()
    }, patienceMs)
    torrent.once('close', () => { clearInterval(timer) })
  })
}

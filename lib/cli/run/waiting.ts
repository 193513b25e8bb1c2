/** Waits for other peers when a run can do nothing more itself. */
import type { Torrent } from '../../webtorrent/public-types.ts'

/**
 * Time to ask every source of peers and to connect to the peers that they name (lib/discovery/settling.ts), and a
 * little more.
 */
export const PATIENCE_MS = 10_000

/**
 * Resolves when nothing has arrived for a while, nothing is expected of a connected peer, and none is computing; never
 * if no piece is missing.
 */
export async function nothingComes (torrent: Torrent, patienceMs = PATIENCE_MS): Promise<void> {
  return new Promise(resolve => {
    let had = torrent.downloaded
    const timer = setInterval(() => {
      const { claimed, expected, running, missing } = torrent.stats()
      // if no piece is missing, the files are being made, which ends by itself
      const mayCome = torrent.downloaded > had || claimed > 0 || expected > 0 || running > 0 || missing === 0
      had = torrent.downloaded
      if (mayCome) return
      clearInterval(timer)
      resolve()
    }, patienceMs)
    torrent.once('close', () => { clearInterval(timer) })
  })
}

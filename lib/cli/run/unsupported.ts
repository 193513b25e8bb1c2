/** What `run` does with a task that this version does not understand: it downloads, and ends where nothing can be had. */
import { BitWorkerError } from '../../errors.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'

/** As long as it takes to ask every source of peers and to connect to those they name (lib/settling.ts), and a little more. */
const PATIENCE_MS = 10_000

/** Rejects, with the problem's code, once nothing has come for a while and no peer computes; never resolves. */
export async function nothingComes (torrent: Torrent, problem: BitWorkerError, patienceMs = PATIENCE_MS): Promise<never> {
  return new Promise((_, reject) => {
    let had = torrent.downloaded
    const timer = setInterval(() => {
      const hasAny = torrent.downloaded > had || torrent.stats().claimed > 0 || torrent.done
      had = torrent.downloaded
      if (hasAny) return
      clearInterval(timer)
      reject(new BitWorkerError(problem.code, problem.blame, `No peer has it or computes it. ${problem.message}`, { cause: problem }))
    }, patienceMs)
    torrent.once('close', () => { clearInterval(timer) })
  })
}

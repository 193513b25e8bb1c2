/** What keeps a task from being done when all its pieces are here: results of others that are still to be checked. */
import type { Torrent } from '../../webtorrent/public-types.ts'
import { plural } from '../output/format.ts'

/** What is waited for. */
export interface OpenChecks {
  /** the own sample, checks by lot or hint, or pieces whose result is not accepted */
  what: 'sample' | 'checks' | 'doubtful'
  pieces: number
  /** in short */
  state: string
  /** one sentence, or two: why, and what to do */
  message: string
}

/** What the torrent waits for; null: nothing of this kind. */
export function openChecksOf (torrent: Torrent): OpenChecks | null {
  const { verification, done, destroyed, computing } = torrent
  if (verification === null || done || destroyed || torrent.stats().missing > 0) return null
  const { sample, open, states } = verification
  if (sample?.state === 'open' && sample.checked < sample.size) {
    const pieces = sample.size - sample.checked
    return { what: 'sample', pieces, ...wordsOf(computing, `checking the sample: ${sample.checked} of ${sample.size}`, `${plural(pieces, 'piece')} of the sample that was asked for`) }
  }
  if (open > 0) {
    return { what: 'checks', pieces: open, ...wordsOf(computing, `checking ${plural(open, 'result')} of others`, plural(open, 'check')) }
  }
  if (states.doubtful === 0) return null
  const doubtful = `${plural(states.doubtful, 'piece')} whose result is doubtful`
  return { what: 'doubtful', pieces: states.doubtful, ...wordsOf(computing, `computing ${doubtful}`, doubtful) }
}

function wordsOf (
  computing: Torrent['computing'], checking: string, left: string
): Pick<OpenChecks, 'state' | 'message'> {
  if (computing === 'on') {
    return { state: checking, message: `All pieces are here, and results of others are computed again to check them: ${left} to go.` }
  }
  if (computing === 'paused') {
    return { state: `paused before ${left}`, message: `All pieces are here, but computing is paused: ${left} to go.` }
  }
  return {
    state: `waiting for ${left}`,
    message: `All pieces are here, but nothing is computed here, and the results are not accepted without it: ${left} to go. Allow computing, trust a peer that has computed them (--checker), or choose another --verify.`
  }
}

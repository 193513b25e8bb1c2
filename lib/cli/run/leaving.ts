/** When `run` leaves: it has seeded for long enough, and nobody would have to compute its pieces again. */
import { setTimeout } from 'node:timers/promises'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { plural } from '../output/format.ts'
import type { Screen } from '../output/screen.ts'
import { leavingWhen } from './progress.ts'

const LOOK_MS = 250

/** The flags that decide how long a finished task is seeded. */
export interface LeavingFlags {
  /** leave when done */
  exit?: boolean
  /** seed for this many minutes, then leave */
  seedTime?: number
  /** seed until this many times the task's size has been uploaded, then leave */
  seedRatio?: number
}

/** Whether `run` ends by itself once the task is done. */
export function leavesWhenDone ({ exit, seedTime, seedRatio }: LeavingFlags): boolean {
  return exit === true || seedTime !== undefined || seedRatio !== undefined
}

/**
 * Resolves when the task has been seeded for as long as the flags say, whichever limit is reached first; at once
 * without any.
 */
export async function seeded (torrent: Torrent, { seedTime, seedRatio }: LeavingFlags): Promise<void> {
  if (seedTime === undefined && seedRatio === undefined) return
  const endsAt = performance.now() + (seedTime ?? Infinity) * 60_000
  while (performance.now() < endsAt && torrent.uploaded < (seedRatio ?? Infinity) * torrent.length) {
    await setTimeout(LOOK_MS)
  }
}

/** Resolves when the connected peers have the pieces that only we have, or it took too long. Says whom it waits for. */
export async function handedOver (torrent: Torrent, screen: Screen): Promise<void> {
  torrent.once('leaving', ({ peers, pieces }) => {
    screen.note(`${leavingWhen(peers, pieces).replace(/^l/, 'L')}. Press Ctrl-C to leave at once.`)
  })
  const { peers, pieces } = await torrent.handOver()
  if (peers > 0)
    screen.note(
      `Leaving before ${plural(peers, 'peer')} got ${plural(pieces, 'piece')} that only this one has. They took too long.`
    )
}

/** `run --halt`: ends a run after so many failures, with the words and the meaning of GNU parallel. */
import { setTimeout } from 'node:timers/promises'
import type { Holds } from '../../control/holds.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { Halt } from '../flags/values.ts'
import { EXIT } from '../output/failure.ts'
import { plural } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { Screen } from '../output/screen.ts'
import { handedOver } from './leaving.ts'

const LOOK_MS = 100
const NEVER = new Promise<never>(() => {})

/** Resolves with the exit code when the run is to end; never without `halt`. */
export async function halted (
  torrent: Torrent, halt: Halt | undefined, holds: Holds, out: JsonOutput, screen: Screen
): Promise<number> {
  if (halt === undefined) return NEVER
  const failed = await tooMany(torrent, halt)
  const isSoon = halt.when === 'soon'
  out.emit('halted', { pieces: failed })
  screen.note(`Halting${isSoon ? ' when the running commands have ended' : ''}: ${plural(failed.length, 'piece')} failed here (--halt).`)
  if (!isSoon) {
    await torrent.stopComputing()
    return EXIT.workFailed
  }
  // a hold: whatever else ends, such as a pause or a high load, does not start anything again
  holds.set('halt', [{ reason: 'halting after failures', running: 'finish' }])
  while (torrent.stats().running > 0) await setTimeout(LOOK_MS)
  await handedOver(torrent, screen)
  return EXIT.workFailed
}

/** Resolves with the pieces that have failed here when there are too many of them. */
async function tooMany (torrent: Torrent, { fail, isPercent }: Halt): Promise<number[]> {
  return new Promise(resolve => {
    const failed = new Set<number>()
    const add = (pieces: readonly number[]): void => {
      for (const piece of pieces) failed.add(piece)
      const most = isPercent ? (torrent.task?.pieceCount ?? 0) * fail / 100 : fail
      if (failed.size >= most) resolve([...failed].sort((a, b) => a - b))
    }
    torrent.on('failed', ({ piece, final }) => { if (piece !== null && final) add([piece]) })
    // they all fail, and are not tried again
    torrent.on('hopeless', ({ pieces }) => { add(pieces) })
  })
}

/** Why a run cannot compute its task. */
import { BitWorkerError } from '../../base/errors.ts'
import { gpuProblem } from '../../store/missing-needs.ts'
import { unsupportedProblem } from '../../task/task.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import type { Confinement } from './confinement.ts'
import { inputProblem } from './inputs.ts'
import type { InputFlags } from './inputs.ts'

/** The flags that matter here. */
export interface ObstacleFlags extends InputFlags { compute: boolean, gpu: boolean }

/** Why the task cannot be computed here with any flags. */
export function problemOf ({ task }: Torrent, flags: ObstacleFlags): BitWorkerError | null {
  if (task === null) return null
  return unsupportedProblem(task) ?? inputProblem(task, flags) ?? (flags.compute ? gpuProblem(task, flags.gpu) : null)
}

/** Why nothing is computed here although it should be. */
export function obstacleTo (
  torrent: Torrent, flags: ObstacleFlags, confinement: Confinement | null
): BitWorkerError | null {
  if (confinement === null || torrent.task === null) return null
  return (
    problemOf(torrent, flags) ??
    (confinement.mayCompute ? null : new BitWorkerError('BW_ERR_NO_SANDBOX', 'system', confinement.banner))
  )
}

/** Warnings that mean so. */
const UNABLE = new Set(['BW_ERR_NO_SANDBOX', 'BW_ERR_NEEDS', 'BW_ERR_ROOT'])

/**
 * Resolves when the torrent reports that nothing can be computed here after all: the sandbox worked when it was tested,
 * but the needs of the task are checked inside it later.
 */
export async function unableAfterAll (torrent: Torrent): Promise<BitWorkerError> {
  return new Promise(resolve => {
    torrent.on('warning', err => {
      if ('code' in err && UNABLE.has(String(err.code))) resolve(err as BitWorkerError)
    })
  })
}

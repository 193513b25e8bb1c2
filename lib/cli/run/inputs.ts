/** The flags of `run` for inputs: where they are stored, and how large they may be. */
import { BitWorkerError } from '../../base/errors.ts'
import { lookIn } from '../../inputs/look.ts'
import type { Task } from '../../task/types.ts'
import type { InputOptions } from '../../webtorrent/options.ts'
import { formatBytes } from '../output/format.ts'
import { bytesBefore } from '../output/inputs.ts'

/** The flags as typed. */
export interface InputFlags {
  cache?: string
  /** bytes */
  cacheSize?: number
  inputFrom: string[]
  maxInput: number
  seedInputs: boolean
}

/** The options of the torrent. */
export function inputOptions ({ cache, cacheSize, inputFrom, maxInput, seedInputs }: InputFlags): InputOptions {
  return {
    maxSliceBytes: maxInput,
    ...(cache !== undefined && { folder: cache }),
    ...(cacheSize !== undefined && { maxBytes: cacheSize }),
    ...(inputFrom.length > 0 && { find: lookIn(inputFrom) }),
    ...(seedInputs && { seed: true })
  }
}

/** Why nothing is computed here: the inputs are too large; null if they are not. */
export function inputProblem (task: Task, { maxInput }: InputFlags): BitWorkerError | null {
  const bytes = bytesBefore(task)
  if (bytes <= maxInput) return null
  return new BitWorkerError(
    'BW_ERR_INPUT_LIMIT',
    'usage',
    `The task's inputs have ${formatBytes(bytes)}, more than ${formatBytes(maxInput)}; nothing is computed here, only downloaded. To allow it: --max-input ${bytes}.`
  )
}

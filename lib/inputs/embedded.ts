/**
 * Inputs of tasks that have everything in the task file: nothing is downloaded, so no torrents are needed. For
 * `bitworker try`.
 */
import type { Inputs } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import { ItemInputs } from './item-inputs.ts'

/** The names of the inputs that are not in the task file itself. */
export function namesToFetch ({ inputs = [] }: Pick<Task, 'inputs'>): string[] {
  return inputs.filter(({ data }) => data === undefined).map(({ name }) => name)
}

/**
 * Makes the embedded inputs of a task available to commands. `newPath` returns an absolute path that nobody uses. For a
 * task with other inputs, `forPiece` and `forFile` reject with BW_ERR_INPUT.
 */
export function embeddedInputs (
  { inputs = [] }: Pick<Task, 'inputs'>, newPath: () => string
): Inputs {
  const items = new ItemInputs(inputs.map(input => ({ input, torrent: null, error: null })), { newPath })
  return { forPiece: async piece => items.forPiece(piece), forFile: async () => items.whole() }
}

/**
 * Inputs of tasks that have everything in the task file: nothing is downloaded, so no torrents are needed. For
 * `bitworker try`.
 */
import type { Inputs } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import { ItemInputs } from './item-inputs.ts'

/** The names of the inputs that are not in the task file itself, apart from its root. */
export function namesToFetch ({ inputs = [], root }: Pick<Task, 'inputs' | 'root'>): string[] {
  return inputs.filter(({ name, data }) => data === undefined && name !== root).map(({ name }) => name)
}

/**
 * Makes the embedded inputs of a task available to commands. `newPath` returns an absolute path that nobody uses. For a
 * task with other inputs, `forPiece` and `forFile` reject with BW_ERR_INPUT.
 */
export function embeddedInputs (
  { inputs = [], root }: Pick<Task, 'inputs' | 'root'>, newPath: () => string
): Inputs {
  const held = inputs.filter(({ name }) => name !== root).map(input => ({ input, torrent: null, error: null }))
  const items = new ItemInputs(held, { newPath })
  return { forPiece: async piece => items.forPiece(piece), forFile: async () => items.whole() }
}

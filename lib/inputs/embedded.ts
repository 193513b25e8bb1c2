/**
 * Inputs of tasks that bring all they need in the task file: nothing is fetched, so no torrents are needed. For
 * `bitworker try`.
 */
import type { Inputs } from '../store/types.ts'
import type { Task } from '../task/task.ts'
import { ItemInputs } from './item-inputs.ts'

/** Names of the inputs that are not in the task file itself. */
export function namesToFetch ({ inputs = [] }: Pick<Task, 'inputs'>): string[] {
  return inputs.filter(({ data }) => data === undefined).map(({ name }) => name)
}

/**
 * What commands are given of embedded inputs; `newPath` gives an absolute path that nobody uses. Of a task with others
 * `forPiece` and `forFile` reject with BW_ERR_INPUT.
 */
export function embeddedInputs (
  { inputs = [] }: Pick<Task, 'inputs'>, newPath: () => string
): Inputs {
  const items = new ItemInputs(inputs.map(input => ({ input, torrent: null, error: null })), { newPath })
  return { forPiece: async piece => items.forPiece(piece), forFile: async () => items.whole() }
}

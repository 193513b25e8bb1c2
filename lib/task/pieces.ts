/** Piece ↔ (file, part), and the variables of a work item. Pure. Called by the scheduler, the store and torrent.ts. */
import { taskError } from './types.ts'
import type { Task } from './types.ts'
import { unsupportedProblem } from './unsupported.ts'

/** A piece seen from its file: both indices from 0. */
export interface Part { file: number, part: number }

/**
 * Finds the file that a piece belongs to, and the piece's part number in it. Throws BW_ERR_TASK_PIECE if there is no
 * such piece.
 */
export function locate (task: Task, piece: number): Part {
  if (!Number.isInteger(piece) || piece < 0 || piece >= task.pieceCount) {
    throw taskError(
      'BW_ERR_TASK_PIECE',
      `There is no piece ${piece}. The task has ${task.pieceCount} pieces, counted from 0.`,
      'usage'
    )
  }
  // Binary search for the last file that begins at or before the piece.
  let low = 0
  let high = task.files.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (task.files[middle]!.firstPiece <= piece) low = middle
    else high = middle - 1
  }
  return { file: low, part: piece - task.files[low]!.firstPiece }
}

/**
 * The environment variables of a work item. `FILE` is the file's path in the task. Throws BW_ERR_TASK_PIECE. Throws
 * BW_ERR_TASK_REQUIRES, so that no caller can run a command that this version does not understand.
 */
export function workItemEnv (task: Task, piece: number): Record<string, string> {
  const problem = unsupportedProblem(task)
  if (problem !== null) throw problem
  const { file, part } = locate(task, piece)
  const { path, parts } = task.files[file]!
  return {
    PIECE_IDX: String(piece),
    FILE_IDX: String(file),
    PART_IDX: String(part),
    PIECE_COUNT: String(task.pieceCount),
    PART_COUNT: String(parts),
    FILE: path,
    PIECE_LENGTH: String(task.pieceLength),
    TASK_NAME: task.name
  }
}

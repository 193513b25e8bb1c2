/** The failures of a task in a folder that have not been made good. For `log --failed` and `run --retry-failed`. */
import { keptResults } from '../../store/finished-files.ts'
import { readPieceLog } from '../../store/log-reader.ts'
import type { LogEntry } from '../../store/log-reader.ts'
import type { Task } from '../../task/task.ts'

/**
 * The last failure of each piece that is not stored, or of each complete command, at each place where it failed; sorted
 * by piece. Throws BW_ERR_NOT_FINISHED if the task was not run there.
 */
export function failedIn (folder: string, task: Task): LogEntry[] {
  const kept = keptResults(task, folder)
  const last = new Map<string, LogEntry>()
  for (const entry of readPieceLog(folder, task.infoHash, 'failures')) {
    const { piece, file = 0, from = [] } = entry
    const isMade = piece === null
      ? file >= task.files.length || kept.files.has(file)
      : piece >= task.pieceCount || kept.pieces.has(piece)
    if (isMade) continue
    last.set(`${piece} ${file} ${hostOf(from[0])}`, entry)
  }
  return [...last.values()].sort((a, b) => (a.piece ?? Infinity) - (b.piece ?? Infinity) || a.at - b.at)
}

/** The pieces among them, each once. */
export function failedPieces (folder: string, task: Task): number[] {
  return [...new Set(failedIn(folder, task).flatMap(({ piece }) => piece ?? []))]
}

/** Without the port, which is another one for each connection. */
function hostOf (address = ''): string { return address.replace(/:\d+$/, '') }

/** `bitworker log`: what became of each piece of a task in a folder. Contacts nobody; a run may use the folder. */
import { BitWorkerError } from '../../base/errors.ts'
import { readPieceLog } from '../../store/log-reader.ts'
import type { Task } from '../../task/task.ts'
import { escapeJson } from '../output/format.ts'
import { LOG_HEADING, logLines } from '../output/log-lines.ts'
import { failedIn } from '../run/failed-pieces.ts'
import { taskInFolder } from '../run/task-in-folder.ts'

/** The flags as typed. */
export interface LogFlags {
  output: string
  failed: boolean
  json: boolean
}

/** Prints the attempts, oldest first. Throws errors in the arguments, BW_ERR_NOT_FINISHED if nothing was run there. */
export async function log (id: string, piece: number | undefined, flags: LogFlags): Promise<void> {
  const { task, folder } = await taskInFolder(id, flags.output)
  if (piece !== undefined && piece >= task.pieceCount) throw noPiece(task, piece)
  const entries = flags.failed ? failedIn(folder, task) : readPieceLog(folder, task.infoHash, 'pieces')
  const { stdout } = process
  const look = { columns: stdout.isTTY ? stdout.columns : undefined, stream: stdout, isWhole: piece !== undefined }
  let isEmpty = true
  for (const entry of entries) {
    if (piece !== undefined && entry.piece !== piece) continue
    if (isEmpty && !flags.json) await write(`${LOG_HEADING}\n`)
    isEmpty = false
    await write(flags.json ? `${escapeJson(JSON.stringify(entry))}\n` : `${logLines(entry, look).join('\n')}\n`)
  }
  if (isEmpty) process.stderr.write(flags.failed ? 'No missing piece has failed.\n' : 'Nothing is logged.\n')
}

async function write (text: string): Promise<void> {
  // not by `once` of node:events, which would take the end of the reader for an error of ours
  if (!process.stdout.write(text)) await new Promise<void>(resolve => { process.stdout.once('drain', resolve) })
}

function noPiece ({ name, pieceCount }: Task, piece: number): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_USAGE', 'usage', `${name} has no piece ${piece}: its ${pieceCount} pieces are numbered from 0.`
  )
}

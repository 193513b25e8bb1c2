/** How far a task is in a folder, whether or not a client has it open: nothing is changed, locked or hashed. */
import { namesIn } from '../system/lenient-reads.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { lstatOrNull } from './files/folders.ts'
import { StoreLayout, partName } from './files/layout.ts'
import { readJournal } from './journal.ts'
import { replay } from './restore.ts'

/** What is there, by names and sizes. */
export interface FolderStatus {
  pieces: number
  stored: number
  /** of the stored pieces, in bytes */
  bytes: number
  files: number
  /** finished files */
  finished: number
}

/**
 * Reads the journal of the task's folder, and looks whether the files that it speaks of are there. Throws
 * BW_ERR_OUTPUT_FOLDER.
 */
export function folderStatus (task: Task, folder: string): FolderStatus {
  const layout = new StoreLayout(folder, task.infoHash)
  const status: FolderStatus = { pieces: task.pieceCount, stored: 0, bytes: 0, files: task.files.length, finished: 0 }
  const claims = replay(task, readJournal(layout.journal, { ...task, fileCount: task.files.length }) ?? [])
  const isThere = task.files.map((file, index) => {
    const record = claims.files.get(index)
    return record !== undefined && lstatOrNull(layout.final(file))?.size === record.size
  })
  const isDraft = new Map<number, boolean>()
  const hasDraft = (file: number): boolean => {
    const known = isDraft.get(file) ?? lstatOrNull(layout.draft(file))?.isFile() === true
    isDraft.set(file, known)
    return known
  }
  const names = new Set(namesIn(layout.parts))
  const complete = task.files.map(({ parts }) => parts)
  for (const [index, { size }] of claims.pieces) {
    const { file } = locate(task, index)
    const isInFile = isThere[file] === true && !claims.newer.has(index)
    if (!isInFile && !names.has(partName(index)) && !(claims.placed.has(index) && hasDraft(file))) continue
    status.stored++
    status.bytes += size
    complete[file]!--
  }
  // a file that lacks a piece of it is made again
  status.finished = isThere.filter((there, file) => there && complete[file] === 0).length
  return status
}

/** Determines which task a command on a finished output means. For `seal` and `verify`. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import { keptFiles } from '../../store/finished-files.ts'
import type { Task } from '../../task/task.ts'
import { infoHashOf } from './link.ts'
import { readSource } from './source.ts'

/**
 * The task of TASK; a link is sufficient if the task was run in the folder. Throws BW_ERR_NOT_A_TASK,
 * BW_ERR_NOT_FINISHED, and the errors of `readSource`.
 */
export async function taskRunIn (id: string, dir: string): Promise<Task> {
  const source = await readSource(id)
  if (source.task !== null) return source.task
  if (source.kind === 'torrent') {
    throw new BitWorkerError('BW_ERR_NOT_A_TASK', 'input', `${id} is an ordinary torrent. Name a task.`)
  }
  const infoHash = infoHashOf(source.id as string)
  if (infoHash === undefined) {
    throw new BitWorkerError('BW_ERR_USAGE', 'usage', 'This needs a file, not a URL. Download the task file first.')
  }
  const { taskFile } = keptFiles(dir, infoHash)
  if (!existsSync(taskFile)) {
    throw new BitWorkerError(
      'BW_ERR_NOT_FINISHED', 'usage', `The task is not finished here: ${path.resolve(dir)} contains nothing of it.`,
      { remedy: 'task-file' }
    )
  }
  return (await readSource(taskFile)).task!
}

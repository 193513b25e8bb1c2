/** Determines which task a command on an output folder means. For `seal`, `verify` and `log`. */
import { existsSync, readdirSync, statSync } from 'node:fs'
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

/**
 * The task of TASK, and the folder in which it was run. TASK may also be that folder, if a single task was run in it.
 * Throws BW_ERR_NOT_FINISHED if none was, BW_ERR_USAGE, and the errors of `taskRunIn`.
 */
export async function taskInFolder (id: string, dir: string): Promise<{ task: Task, folder: string }> {
  if (statSync(id, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const task = await taskRunIn(id, dir)
    if (!existsSync(keptFiles(dir, task.infoHash).taskFile)) throw nothingOf(task.name, dir)
    return { task, folder: dir }
  }
  const tasks = foldersIn(path.join(id, '.bitworker')).map(infoHash => keptFiles(id, infoHash).taskFile)
    .filter(file => existsSync(file))
  if (tasks.length === 0) throw nothingOf('any task', id)
  if (tasks.length > 1) {
    throw new BitWorkerError('BW_ERR_USAGE', 'usage', `${path.resolve(id)} has ${tasks.length} tasks. Name one of them, and the folder with -o.`)
  }
  return { task: (await readSource(tasks[0]!)).task!, folder: id }
}

function foldersIn (dir: string): string[] {
  try {
    return readdirSync(dir).filter(name => /^[0-9a-f]{40}$/.test(name))
  } catch {
    return []
  }
}

function nothingOf (name: string, dir: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NOT_FINISHED', 'usage', `${path.resolve(dir)} contains nothing of ${name}.`, { remedy: 'finish' }
  )
}

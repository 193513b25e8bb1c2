/** Determines which task a command on an output folder means. For `seal`, `verify`, `log` and `cat`. */
import { lstatSync, statSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import { keptFiles } from '../../store/finished-files.ts'
import { namesIn } from '../../system/lenient-reads.ts'
import type { Task } from '../../task/task.ts'
import { infoHashOf } from './link.ts'
import { readSource } from './source.ts'

/**
 * The task with this info-hash that was run in a folder; null if there is none. Anybody may have made the folder: only
 * a regular file is read. Throws the errors of `readSource`.
 */
export async function keptTask (folder: string, infoHash: string): Promise<Task | null> {
  const { taskFile } = keptFiles(folder, infoHash)
  if (lstatSync(taskFile, { throwIfNoEntry: false })?.isFile() !== true) return null
  const { task } = await readSource(taskFile)
  // what is in the wrong place is not what a client runs there
  return task?.infoHash === infoHash ? task : null
}

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
  const kept = await keptTask(dir, infoHash)
  if (kept === null) {
    throw new BitWorkerError(
      'BW_ERR_NOT_FINISHED', 'usage', `The task is not finished here: ${path.resolve(dir)} contains nothing of it.`,
      { remedy: 'task-file' }
    )
  }
  return kept
}

/**
 * The task of TASK, and the folder in which it was run. TASK may also be that folder, if a single task was run in it.
 * Throws BW_ERR_NOT_FINISHED if none was, BW_ERR_USAGE, and the errors of `taskRunIn`.
 */
export async function taskInFolder (id: string, dir: string): Promise<{ task: Task, folder: string }> {
  if (statSync(id, { throwIfNoEntry: false })?.isDirectory() !== true) {
    const task = await taskRunIn(id, dir)
    if (await keptTask(dir, task.infoHash) === null) throw nothingOf(task.name, dir)
    return { task, folder: dir }
  }
  const [task, ...more] = await keptTasks(id)
  if (task === undefined) throw nothingOf('any task', id)
  if (more.length > 0) {
    throw new BitWorkerError('BW_ERR_USAGE', 'usage', `${path.resolve(id)} has ${1 + more.length} tasks. Name one of them, and the folder with -o.`)
  }
  return { task, folder: id }
}

/** All tasks that were run in a folder. Throws the errors of `readSource`. */
export async function keptTasks (folder: string): Promise<Task[]> {
  const tasks: Task[] = []
  for (const infoHash of namesIn(path.join(folder, '.bitworker')).filter(name => /^[0-9a-f]{40}$/.test(name))) {
    const task = await keptTask(folder, infoHash)
    if (task !== null) tasks.push(task)
  }
  return tasks
}

function nothingOf (name: string, dir: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_NOT_FINISHED', 'usage', `${path.resolve(dir)} contains nothing of ${name}.`, { remedy: 'finish' }
  )
}

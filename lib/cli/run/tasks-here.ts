/** The tasks that `status`, `pause`, `resume` and `finish` mean, and the clients that run them. */
import { statSync } from 'node:fs'
import path from 'node:path'
import { BitWorkerError } from '../../base/errors.ts'
import { keptFiles } from '../../store/finished-files.ts'
import type { Task } from '../../task/task.ts'
import { keptTasks, taskRunIn } from './task-in-folder.ts'

/** A task that was run in a folder. */
export interface TaskHere {
  task: Task
  folder: string
  /** where its client listens, if there is one */
  socket: string
}

/**
 * All tasks of a folder, or one task in the folder `output`. Throws BW_ERR_NOT_FOUND if there are none, and the errors
 * of `taskRunIn`.
 * @param target a folder, or a task
 */
export async function tasksHere (target: string | undefined, output: string): Promise<TaskHere[]> {
  const folder = target === undefined ? output : target
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return [hereOf(await taskRunIn(target ?? output, output), output)]
  }
  const here = (await keptTasks(folder)).map(task => hereOf(task, folder))
  if (here.length > 0) return here
  throw new BitWorkerError('BW_ERR_NOT_FOUND', 'usage',
    `No task was run in ${path.resolve(folder)}. Name the folder that bitworker run -o got.`)
}

function hereOf (task: Task, output: string): TaskHere {
  const folder = path.resolve(output)
  return { task, folder, socket: keptFiles(folder, task.infoHash).control }
}

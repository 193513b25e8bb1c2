/** Writes the task files of `create` and `sign`. */
import { stat } from 'node:fs/promises'
import { BitWorkerError } from '../../base/errors.ts'
import { replace, writeNew } from '../../system/atomic-file.ts'
import { encodeTask } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import { readSource } from '../run/source.ts'
import { explain } from './failure.ts'

/**
 * Writes the task file, unless the same task is already there. Throws BW_ERR_FILE_EXISTS, and errors of the file
 * system.
 */
export async function writeTask (target: string, task: Task, force: boolean): Promise<void> {
  await refuseDevice(target)
  try {
    if (force) await replace(target, encodeTask(task))
    else await writeNew(target, encodeTask(task))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw explain(error, target)
    // The same task, made at another time: the existing file is kept.
    if (await holdsSameTask(target, task)) return
    throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage', `${target} already exists and has other contents.`)
  }
}

// Reading a pipe for comparison may never end, and --force would replace a device by a file.
async function refuseDevice (target: string): Promise<void> {
  const there = await stat(target).catch(() => null)
  if (there === null || there.isFile() || there.isDirectory()) return
  throw new BitWorkerError(
    'BW_ERR_NOT_A_FILE', 'usage', `${target} already exists and is not a regular file. Choose another name with -o.`
  )
}

async function holdsSameTask (target: string, task: Task): Promise<boolean> {
  try {
    const { task: other } = await readSource(target)
    return other !== null && summary(other) === summary(task)
  } catch {
    return false
  }
}

function summary ({ infoHash, comment, announce, signatures }: Task): string {
  return JSON.stringify([infoHash, comment, announce, signatures.map(({ publicKey, label }) => [publicKey, label])])
}

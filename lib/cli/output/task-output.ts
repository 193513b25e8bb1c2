/** Writing a task file where `create` or `sign` are told to. */
import { stat } from 'node:fs/promises'
import { BitWorkerError } from '../../base/errors.ts'
import { replace, writeNew } from '../../system/atomic-file.ts'
import { encodeTask } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import { readSource } from '../run/source.ts'
import { explain } from './failure.ts'

/**
 * Writes the task file; the same task there already will do. Throws BW_ERR_FILE_EXISTS, and errors of the file system.
 */
export async function writeTask (target: string, task: Task, force: boolean): Promise<void> {
  await refuseDevice(target)
  try {
    if (force) await replace(target, encodeTask(task))
    else await writeNew(target, encodeTask(task))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw explain(error, target)
    // The same task again, made at another time: what is there already will do.
    if (await holdsSameTask(target, task)) return
    throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage', `${target} already exists and has other contents.`)
  }
}

// Reading a pipe to compare may never end, and --force would put a file where a device was.
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

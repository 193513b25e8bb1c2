/** `bitworker sign`: adds a signature to a task file. */
import { realpath, stat } from 'node:fs/promises'
import { BitWorkerError } from '../../base/errors.ts'
import { readSigningKey } from '../../config/trust-files.ts'
import { replace } from '../../system/atomic-file.ts'
import { signTask } from '../../task/signature.ts'
import { encodeTask, magnetOf } from '../../task/task.ts'
import type { Task } from '../../task/task.ts'
import { explain } from '../output/failure.ts'
import { escapeText } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { checkLabel } from '../output/signers.ts'
import { writeTask } from '../output/task-output.ts'
import { readSource } from '../run/source.ts'

/** Flags that `create --sign` shares. */
export interface SignerFlags {
  /** the file of the secret key */
  key?: string
  label?: string
}

/** The flags as typed. */
export interface SignFlags extends SignerFlags {
  output?: string
  force: boolean
  json: boolean
}

/**
 * Signs a task file in place, or writes another one with `-o`. Throws BW_ERR_USAGE, BW_ERR_KEY_FILE, BW_ERR_KEY,
 * BW_ERR_FILE_EXISTS and errors in the file.
 */
export async function sign (file: string, flags: SignFlags): Promise<void> {
  const { task } = await readSource(file)
  if (task === null) throw usage(`${file}: Only a task file can be signed.`)
  if (task.convertedFrom !== undefined && flags.output === undefined) {
    throw usage(
      `${file}: A task file of 2014 cannot hold a signature. Write a file in the current format with -o NAME.bitworker.`
    )
  }
  const signed = await signBy(task, flags)
  const target = flags.output ?? file
  if (flags.output === undefined) await overwrite(file, signed)
  else await writeTask(target, signed, flags.force)
  const signer = signed.signatures.at(-1)!.publicKey
  const magnet = magnetOf(signed)
  new JsonOutput(flags.json).emit('signed', { file: target, infoHash: signed.infoHash, signer, magnet })
  const stream = flags.json ? process.stderr : process.stdout
  stream.write([`${escapeText(target)}: signed`, `signer     ${signer}`, `magnet     ${magnet}`, ''].join('\n'))
}

/** Signs the task with the user's key and the current time. */
export async function signBy (task: Task, { key, label }: SignerFlags): Promise<Task> {
  if (label !== undefined) checkLabel(label)
  return signTask(task, await readSigningKey(key), { time: new Date(), ...(label !== undefined && { label }) })
}

async function overwrite (file: string, task: Task): Promise<void> {
  try {
    const target = await realpath(file)
    await replace(target, encodeTask(task), (await stat(target)).mode & 0o777)
  } catch (error) {
    throw explain(error, file)
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}

/** `bitworker seal`: makes an ordinary torrent file of a finished task. */
import { readFile } from 'node:fs/promises'
import { equalBytes } from '../../base/digest.ts'
import { BitWorkerError } from '../../base/errors.ts'
import { sealTask } from '../../seal/seal.ts'
import type { Seal } from '../../seal/seal.ts'
import { keptFiles } from '../../store/finished-files.ts'
import { replace, writeNew } from '../../system/atomic-file.ts'
import type { Task } from '../../task/task.ts'
import { EXIT, ExitError, explain } from '../output/failure.ts'
import { escapeText, formatBytes, plural } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { taskRunIn } from '../run/task-in-folder.ts'

/** The flags as typed. */
export interface SealFlags {
  /** default: NAME.torrent; `-`: stdout */
  output?: string
  /** the folder of the files */
  dir: string
  announce: string[]
  force: boolean
  json: boolean
}

/**
 * Writes the torrent file, and a copy for runs in the same folder, which seed it. Throws BW_ERR_NOT_FINISHED,
 * BW_ERR_NOT_A_TASK, BW_ERR_FILE_EXISTS, BW_ERR_INTERRUPTED, and errors in the arguments.
 */
export async function seal (id: string, flags: SealFlags): Promise<void> {
  const toStdout = flags.output === '-'
  if (toStdout && flags.json) {
    throw new BitWorkerError('BW_ERR_USAGE', 'usage', 'Both -o - and --json write to stdout. Leave out one of them.')
  }
  const task = await taskRunIn(id, flags.dir)
  const target = flags.output ?? `${task.name}.torrent`
  const announce = [...new Set([...task.announce, ...flags.announce])]
  const sealed = await untilInterrupted(signal => sealTask(task, flags.dir, { announce, signal }))
  if (toStdout) process.stdout.write(sealed.torrentFile)
  else await write(target, sealed.torrentFile, flags.force)
  const kept = keptFiles(flags.dir, task.infoHash).sealed
  await replace(kept, sealed.torrentFile).catch((error: unknown) => { throw explain(error, kept) })
  tell(sealed, task, target, { announce, json: flags.json, toStdout })
}

async function untilInterrupted<T> (work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    return await work(stop.signal)
  } catch (error) {
    if (stop.signal.aborted) throw new ExitError(EXIT.interrupted, 'BW_ERR_INTERRUPTED', 'interrupted')
    throw error
  } finally {
    release()
  }
}

async function write (target: string, bytes: Uint8Array, force: boolean): Promise<void> {
  try {
    if (force) await replace(target, bytes)
    else await writeNew(target, bytes)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw explain(error, target)
    // it was sealed before
    const there = await readFile(target).catch(() => null)
    if (there !== null && equalBytes(there, bytes)) return
    throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage', `${target} already exists.`)
  }
}

interface Told { announce: string[], json: boolean, toStdout: boolean }

function tell ({ infoHash, files }: Seal, { name }: Task, target: string, { announce, json, toStdout }: Told): void {
  const length = files.reduce((sum, file) => sum + file.length, 0)
  const magnet = `magnet:?xt=urn:btih:${infoHash}&dn=${encodeURIComponent(name)}${announce
    .map(url => `&tr=${encodeURIComponent(url)}`)
    .join('')}`
  const listed = files.map(file => ({ path: file.path, length: file.length }))
  new JsonOutput(json).emit('sealed', { file: target, infoHash, magnet, files: listed })
  const stream = json || toStdout ? process.stderr : process.stdout
  stream.write([
    `${toStdout ? escapeText(name) : escapeText(target)}: an ordinary torrent of ${plural(files.length, 'file')}, ${formatBytes(length)}`,
    `info-hash  ${infoHash}`,
    `magnet     ${magnet}`,
    ''
  ].join('\n'))
}

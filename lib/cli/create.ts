/** `bitworker create`: makes a task file. */
import { open, rename, rm, stat } from 'node:fs/promises'
import { BitWorkerError } from '../errors.ts'
import { createTask, encodeTask, magnetOf } from '../task.ts'
import type { CreateTaskOptions, Task } from '../task.ts'
import { taskFields } from './describe.ts'
import { explain } from './failure.ts'
import { escapeText, formatBytes, plural } from './format.ts'
import { JsonOutput } from './json-output.ts'
import type { FileParts } from './options.ts'
import { readSource } from './source.ts'
import { version } from '../version.ts'

/** The flags as typed. */
export interface CreateFlags {
  name?: string
  command?: string
  parts?: number
  file: FileParts[]
  pieceLength?: number
  completeCommand?: string
  /** seconds */
  timeout?: number
  announce: string[]
  comment?: string
  output?: string
  force: boolean
  json: boolean
}

/** Writes the task file and says what it is. Throws BW_ERR_USAGE, BW_ERR_FILE_EXISTS and what `createTask` refuses. */
export async function create (flags: CreateFlags): Promise<void> {
  const task = createTask(taskOptions(flags))
  const target = flags.output ?? `${task.name}.bitworker`
  await write(target, task, flags.force)
  announceResult(target, task, flags.json)
}

function taskOptions (flags: CreateFlags): CreateTaskOptions {
  // Not left to commander, which would say this before it says that --nam is a typo.
  if (flags.name === undefined) throw usage('a task needs a name; say --name NAME')
  if (flags.command === undefined) throw usage("a task needs a command; say --command CMD, such as --command 'echo $PIECE_IDX'")
  if ((flags.parts === undefined) === (flags.file.length === 0)) {
    throw usage('how many pieces? say either --parts N, or --file PATH:PARTS once for every file')
  }
  return {
    name: flags.name,
    command: flags.command,
    ...(flags.parts === undefined ? { files: flags.file } : { parts: flags.parts }),
    ...(flags.pieceLength !== undefined && { pieceLength: flags.pieceLength }),
    ...(flags.completeCommand !== undefined && { completeCommand: flags.completeCommand }),
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout * 1000 }),
    ...(flags.announce.length > 0 && { announce: flags.announce }),
    ...(flags.comment !== undefined && { comment: flags.comment }),
    createdBy: `BitWorker/${version}`,
    created: new Date()
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}

function announceResult (target: string, task: Task, json: boolean): void {
  new JsonOutput(json).emit('created', { file: target, ...taskFields(task) })
  const stream = json ? process.stderr : process.stdout
  stream.write([
    `${escapeText(target)}: ${plural(task.pieceCount, 'piece')} of at most ${formatBytes(task.pieceLength)}`,
    `info-hash  ${task.infoHash}`,
    `magnet     ${magnetOf(task)}`,
    ''
  ].join('\n'))
}

async function write (target: string, task: Task, force: boolean): Promise<void> {
  await refuseDevice(target)
  try {
    if (force) await replace(target, encodeTask(task))
    else await writeNew(target, encodeTask(task))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw explain(error, target)
    // The same task again, made at another time: what is there already will do.
    if (await holdsSameTask(target, task)) return
    throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage',
      `${target}: already exists and is something else; choose another name with -o, or pass --force to overwrite it`)
  }
}

// Reading a pipe to compare may never end, and --force would put a file where a device was.
async function refuseDevice (target: string): Promise<void> {
  const there = await stat(target).catch(() => null)
  if (there === null || there.isFile() || there.isDirectory()) return
  throw new BitWorkerError('BW_ERR_FILE_EXISTS', 'usage', `${target}: already exists and is not an ordinary file; choose another name with -o`)
}

async function writeNew (target: string, bytes: Uint8Array): Promise<void> {
  const file = await open(target, 'wx')
  try {
    await file.writeFile(bytes)
  } catch (error) {
    await rm(target, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

// By way of a second file, so that a full disk leaves the old one whole.
async function replace (target: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${target}.${process.pid}.tmp`
  await writeNew(temporary, bytes)
  try {
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

async function holdsSameTask (target: string, task: Task): Promise<boolean> {
  try {
    const { task: other } = await readSource(target)
    return other?.infoHash === task.infoHash && other.comment === task.comment && other.announce.join() === task.announce.join()
  } catch {
    return false
  }
}

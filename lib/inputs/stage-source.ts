/**
 * The output of another task as an input of one that is made: which entry it becomes. Called by make-task.ts.
 */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { sha1Hex } from '../base/digest.ts'
import { encodeTask, parseTask, unsupportedProblem } from '../task/task.ts'
import type { InputSplit, OutputInput, Task } from '../task/types.ts'
import { readLayout } from './metainfo.ts'
import { findTask, rememberInput, rememberTask } from './registry.ts'
import { infoOf } from './torrent-file.ts'
import { sourceError } from './tree.ts'

/** Tasks of which each reads the output of the next one, the one that is computed included. */
export const MAX_STAGES = 16

/** The output of another task, as `createTaskFrom` takes it. */
export interface OutputSource {
  outputOf: Task
  /** only this file of it, below its folder; default: all of them */
  file?: string
  /** default: the name of the task, or of the file */
  name?: string
  /** of several files each piece gets one, of a single one a piece; default false */
  perPart?: boolean
  /** the torrent file that the task was sealed as: it is the input then, unless each piece gets a piece */
  sealed?: Uint8Array
  /** where the task was run on this machine, which is remembered */
  folder?: string
}

/** The entry, and how many pieces it makes; `sealed`: the torrent is to be the input in its place. */
export interface Output { input: OutputInput, pieceCount: number | undefined, sealed?: Uint8Array }

/** Rejects with BW_ERR_INPUT_SOURCE, BW_ERR_TASK_REQUIRES, errors of the file system. */
export async function outputOf (
  { outputOf: task, file: at, name: given, perPart = false, sealed, folder }: OutputSource, registry: string
): Promise<Output> {
  const problem = unsupportedProblem(task)
  if (problem !== null) throw problem
  const name = given ?? (at === undefined ? task.name : path.posix.basename(at))
  if (task.legacy) throw sourceError(name, 'is the output of a task in the format of 2014, of which a link is not enough')
  const split = splitOf(task, perPart)
  if (at !== undefined && split !== undefined) throw sourceError(name, 'is one file of a task; each piece can get a share of all of it only')
  const length = at === undefined ? task.length : lengthOf(task, at)
  if (sealed !== undefined && at === undefined && split?.by !== 'pieces') {
    if (folder !== undefined) await rememberSealed(task, sealed, folder, registry)
    return { input: entryOf(task, { name, length, split }), pieceCount: undefined, sealed }
  }
  if (task.completeBy !== undefined && split?.by !== 'pieces') {
    throw sourceError(name, 'is the output of a task whose files only its author makes; seal it and use its torrent')
  }
  if (await stagesIn(task, registry) >= MAX_STAGES) {
    throw sourceError(name, `is the output of a task that needs ${MAX_STAGES - 1} others, and more than ${MAX_STAGES} in a row are not computed; seal one of them and use its torrent`)
  }
  await rememberTask(task.infoHash, { file: encodeTask(task), ...(folder !== undefined && { folder }) }, registry)
  return {
    input: entryOf(task, { name, length, split, ...(at !== undefined && { path: at }) }),
    pieceCount: split === undefined ? undefined : split.by === 'files' ? task.files.length : task.pieceCount
  }
}

/** Its files lie where the task was run. */
async function rememberSealed (task: Task, torrent: Uint8Array, folder: string, registry: string): Promise<void> {
  const info = infoOf(torrent, task.name)
  const layout = readLayout(info, task.name)
  const root = path.resolve(folder, task.name)
  const files = await Promise.all(layout.files.map(async file => {
    const stats = await stat(path.join(root, file.path)).catch(() => null)
    return { length: stats?.size ?? -1, mtimeMs: stats?.mtimeMs ?? 0, ctimeMs: stats?.ctimeMs ?? 0 }
  }))
  // what has changed since is found in the swarm
  if (files.some(({ length }, i) => length !== layout.files[i]!.length)) return
  await rememberInput(sha1Hex(info), { info, path: root, files }, registry)
}

interface Shape { name: string, length: number, split: InputSplit | undefined, path?: string }

function entryOf ({ digest, infoHash }: Task, { name, length, split, path: at }: Shape): OutputInput {
  return {
    name,
    length,
    task: { digest, infoHash, ...(at !== undefined && { path: at }) },
    ...(split !== undefined && { split })
  }
}

function splitOf ({ files }: Task, perPart: boolean): InputSplit | undefined {
  if (!perPart) return undefined
  return { by: files.length > 1 ? 'files' : 'pieces' }
}

function lengthOf (task: Task, at: string): number {
  const file = task.files.find(each => each.path === `${task.name}/${at}`)
  if (file !== undefined) return file.length
  throw sourceError(at, `is not a file of the task ${task.name}`)
}

/** How many tasks it takes in a row to make the task's output, itself included, as far as this machine knows them. */
async function stagesIn (
  task: Task, registry: string, known = new Map<string, number>(), limit = MAX_STAGES
): Promise<number> {
  let most = 0
  for (const { task: before } of task.inputs ?? []) {
    if (before === undefined || limit <= 1) continue
    let depth = known.get(before.infoHash)
    if (depth === undefined) {
      const made = await findTask(before.infoHash, registry)
      depth = made === null ? 1 : await stagesIn(parseTask(made.file), registry, known, limit - 1)
      known.set(before.infoHash, depth)
    }
    most = Math.max(most, depth)
  }
  return most + 1
}

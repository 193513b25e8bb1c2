/**
 * Compares what two tasks give their pieces, slice by slice: after a correction of one line of a list, only its piece
 * gets something else. Lists that are torrents are read where they were made. Called by the command line.
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { equalBytes, sha1Hex } from '../base/digest.ts'
import type { EmbeddedInput, Task, TaskInput } from '../task/types.ts'
import { tableBytes } from '../task/inputs.ts'
import { isAsHashed } from './original.ts'
import { readLayout } from './metainfo.ts'
import { findInput, registryFolder } from './registry.ts'
import { embeddedSlice } from './slices.ts'

/** Of one of the two lists, in memory; what is larger counts as another one. */
const MAX_LIST_BYTES = 2 ** 28

/**
 * A function that tells whether a piece gets the same in both tasks; null: that is not known for any piece. What all
 * pieces see is not compared.
 */
export async function sameSlices (
  old: Task, task: Task, registry = registryFolder()
): Promise<((piece: number) => boolean) | null> {
  const [before, now] = [splitInput(old), splitInput(task)]
  if (isDeepStrictEqual(before, now)) return () => true
  if (before === undefined || now === undefined || !isDeepStrictEqual(kindOf(before), kindOf(now))) return null
  const [first, second] = [await inMemory(before, old, registry), await inMemory(now, task, registry)]
  if (first === null || second === null) return null
  return piece => piece < Math.min(old.pieceCount, task.pieceCount) &&
    equalBytes(embeddedSlice(first, piece), embeddedSlice(second, piece))
}

function splitInput ({ inputs }: Task): TaskInput | undefined {
  return inputs?.find(({ split }) => split !== undefined)
}

/** What a command finds besides the bytes: the name, and the variables. */
function kindOf ({ name, split }: TaskInput): unknown {
  if (split?.by !== 'table') return [name, split?.by]
  return [name, split.by, split.columns, split.chunk === 1]
}

/** A list as if it was in the task; null: it is no list, or not here as it was. */
async function inMemory (input: TaskInput, { pieceCount }: Task, registry: string): Promise<EmbeddedInput | null> {
  if (input.data !== undefined) return input
  if (input.infoHash === undefined || input.split?.by !== 'table' || input.length > MAX_LIST_BYTES) return null
  const made = await findInput(input.infoHash, registry)
  if (made === null || sha1Hex(made.info) !== input.infoHash) return null
  if (!isAsHashed(made, readLayout(made.info, input.name))) return null
  const [data, offsets] = await Promise.all(
    ['data', 'slices'].map(async name => new Uint8Array(await readFile(path.join(made.path, name))))
  )
  if (offsets!.length !== tableBytes(pieceCount)) return null
  return { name: input.name, length: data!.length, data: data!, split: { ...input.split, offsets: offsets! } }
}

/**
 * The inputs of a task: reads (strictly) and writes the entries of `inputs` in a `bitworker` dictionary of version 2.
 * lib/inputs/metainfo.ts reads the metadata of their torrents once it has arrived. Pure. Called by lib/task/command.ts
 * and lib/task/create.ts.
 */
import { textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue, Encodable } from '../base/bencode.ts'
import { hexOf } from '../base/digest.ts'
import { columnsProblem } from './columns.ts'
import { MAX_LENGTH } from './info.ts'
import { pathsProblem, quote } from './names.ts'
import { taskError, TaskFlaw } from './types.ts'
import type { CreateTaskOptions, InputSplit, TaskInput } from './types.ts'

const MAX_INPUTS = 16
/** All embedded bytes of a task, including tables. Everyone who opens the task receives them. */
const MAX_EMBEDDED_BYTES = 256 * 1024
/** As many as fit into the metadata of a torrent that a peer accepts, see lib/inputs/metainfo.ts. */
export const MAX_INPUT_FILES = 100_000
/** The folder of a complete command's parts. */
const RESERVED_NAME = 'p'
const OFFSET_BYTES = 8

/** The keys that an entry may have, by the location of its bytes. */
const KEYS = {
  data: new Set(['name', 'data', 'split', 'slice', 'slices', 'chunk', 'columns']),
  'info hash': new Set(['name', 'length', 'info hash', 'sha256', 'files', 'split', 'slice', 'chunk', 'columns']),
  task: new Set(['name', 'length', 'task', 'split'])
}
type Source = keyof typeof KEYS
const SOURCES = Object.keys(KEYS) as Source[]
const KNOWN_KEYS = new Set([...KEYS.data, ...KEYS['info hash'], ...KEYS.task])
const TASK_KEYS = new Set(['digest', 'info hash', 'path'])

/** Reads the `inputs` of a task with `pieceCount` pieces; undefined if there are none. Throws BW_ERR_TASK_INPUT. */
export function readInputs (value: Bvalue | undefined, pieceCount: number): TaskInput[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_INPUTS) {
    throw badTask(`an \`inputs\` that is not a list of 1 to ${MAX_INPUTS}`)
  }
  const inputs = value.map(entry => readInput(entry, pieceCount))
  checkNames(inputs)
  if (inputs.filter(({ split }) => split !== undefined).length > 1) throw badTask('more than one split input')
  const embedded = inputs.reduce((sum, input) => sum + embeddedBytes(input), 0)
  if (embedded > MAX_EMBEDDED_BYTES) {
    throw badTask(`${embedded} bytes of inputs in the task file; at most ${MAX_EMBEDDED_BYTES} are allowed`)
  }
  return inputs
}

/**
 * Reads `root`: the name of the input that is the archive of a system; undefined: there is none. Throws
 * BW_ERR_TASK_INPUT.
 */
export function readRootName (value: Bvalue | undefined, inputs: readonly TaskInput[] = []): string | undefined {
  if (value === undefined) return undefined
  const name = textOf(value)
  const input = inputs.find(each => each.name === name)
  if (input?.infoHash !== undefined && input.files === undefined && input.split === undefined) return input.name
  throw badTask('a root that is not one of its inputs, a whole one that is a torrent of one file')
}

/** The keys in the entries that this version does not know, in words. */
export function unknownInputKeys (value: Bvalue | undefined): string[] {
  if (!Array.isArray(value)) return []
  return value.flatMap(entry => {
    if (!(entry instanceof Map)) return []
    const task = entry.get('task')
    const keys = [
      ...[...entry.keys()].filter(key => !KNOWN_KEYS.has(key)),
      ...(task instanceof Map ? [...task.keys()].filter(key => !TASK_KEYS.has(key)) : [])
    ]
    return keys.map(key => `the key ${quote(key)} of an input`)
  })
}

/**
 * The entries to write; undefined if there are none. Checks only what could not be written; the reader checks the rest.
 * Throws BW_ERR_TASK_OPTIONS.
 */
export function inputsList (inputs: CreateTaskOptions['inputs']): Encodable | undefined {
  if (inputs === undefined) return undefined
  if (!Array.isArray(inputs)) throw badOption('inputs must be a list.')
  return inputs.map(entryOf)
}

function entryOf (input: NonNullable<CreateTaskOptions['inputs']>[number]): Encodable {
  if (typeof input?.name !== 'string') throw badOption('Each of inputs needs a name (text).')
  const { name, split } = input
  if (input.data !== undefined) return { name, data: input.data, ...splitKeys(split) }
  const { length } = input
  if (input.task !== undefined) {
    const { digest, infoHash, path } = input.task
    if (path !== undefined && typeof path !== 'string') throw badOption('The path of an output must be text.')
    const task = { digest, 'info hash': hashBytes(infoHash), path: path?.split('/') }
    return { name, length, task, ...splitKeys(split) }
  }
  const { infoHash, sha256, files } = input
  return { name, length, 'info hash': hashBytes(infoHash), sha256, files, ...splitKeys(split) }
}

function hashBytes (infoHash: string): Uint8Array {
  if (typeof infoHash === 'string') return Buffer.from(infoHash, 'hex')
  throw badOption('The infoHash of an input must be 40 hexadecimal digits.')
}

function splitKeys (split: InputSplit | undefined): Record<string, Encodable | undefined> {
  if (split === undefined) return {}
  if (typeof split.by !== 'string') throw badOption('The split of an input must say what it goes by.')
  if (split.by === 'bytes') return { split: 'bytes', slice: split.size }
  if (split.by !== 'table') return { split: split.by }
  const { offsets, chunk, columns } = split
  return {
    split: 'table',
    slices: offsets,
    chunk: chunk === 1 ? undefined : chunk,
    columns: columns?.length === 0 ? undefined : columns
  }
}

function embeddedBytes ({ data, split }: TaskInput): number {
  if (data === undefined) return 0
  return data.length + (split?.by === 'table' ? split.offsets?.length ?? 0 : 0)
}

function checkNames (inputs: readonly TaskInput[]): void {
  const problem = pathsProblem(inputs.map(({ name }) => [name]))
  if (problem !== null) throw new TaskFlaw('BW_ERR_TASK_INPUT', `The name of the task's input ${problem}`)
  for (const { name } of inputs) {
    if (name.toLowerCase() === RESERVED_NAME) throw badInput(name, 'has the name of the folder of parts')
  }
}

function readInput (entry: Bvalue, pieceCount: number): TaskInput {
  if (!(entry instanceof Map)) throw badTask('an input that is not a dictionary')
  const name = textOf(entry.get('name'))
  if (name === undefined) throw badTask('an input whose name is not text')
  const sources = SOURCES.filter(key => entry.has(key))
  const source = sources[0]
  if (source === undefined || sources.length > 1) {
    throw badInput(name, 'must have exactly one of `data`, `info hash` and `task`')
  }
  const stray = [...entry.keys()].find(key => KNOWN_KEYS.has(key) && !KEYS[source].has(key))
  if (stray !== undefined) throw badInput(name, `has \`${stray}\` beside \`${source}\``)
  const input = readSource(entry, name, source)
  const split = readSplit(entry, input, pieceCount)
  return split === undefined ? input : { ...input, split }
}

function readSource (entry: Bdict, name: string, source: Source): TaskInput {
  if (source === 'data') {
    const data = entry.get('data')
    if (!(data instanceof Uint8Array) || data.length === 0) throw badInput(name, 'has `data` that is not 1 or more bytes')
    return { name, length: data.length, data: data.slice() }
  }
  const length = numberIn(entry, 'length', MAX_LENGTH, name)
  if (source === 'task') {
    const task = entry.get('task')
    if (!(task instanceof Map)) throw badInput(name, 'has a `task` that is not a dictionary')
    const path = task.has('path') ? readPath(task.get('path'), name) : undefined
    return {
      name,
      length,
      task: {
        digest: bytesIn(task, 'digest', 32, name),
        infoHash: hexOf(bytesIn(task, 'info hash', 20, name)),
        ...(path !== undefined && { path })
      }
    }
  }
  return {
    name,
    length,
    infoHash: hexOf(bytesIn(entry, 'info hash', 20, name)),
    sha256: bytesIn(entry, 'sha256', 32, name),
    ...(entry.has('files') && { files: numberIn(entry, 'files', MAX_INPUT_FILES, name) })
  }
}

/** A file of the other task, below its folder. */
function readPath (value: Bvalue | undefined, name: string): string {
  const parts = Array.isArray(value) ? value.map(textOf) : []
  if (parts.length === 0 || parts.some(part => part === undefined)) throw badInput(name, 'has a `path` that is not a list of text')
  const problem = pathsProblem([parts as string[]])
  if (problem !== null) throw badInput(name, `has a path that ${problem}`)
  return parts.join('/')
}

function readSplit (entry: Bdict, input: TaskInput, pieceCount: number): InputSplit | undefined {
  const { name } = input
  const by = entry.has('split') ? textOf(entry.get('split')) ?? '' : undefined
  checkSplitKeys(entry, name, by)
  if (by === undefined) return undefined
  if (by === 'files' && input.infoHash !== undefined) {
    if (input.files !== pieceCount) throw badInput(name, `does not have one file for each of the ${pieceCount} pieces`)
    return { by }
  }
  if (by === 'bytes' && input.task === undefined) {
    const size = numberIn(entry, 'slice', MAX_LENGTH, name)
    if (input.infoHash !== undefined && input.files !== undefined) throw badInput(name, 'is a folder, which cannot be cut into slices of bytes')
    if (Math.ceil(input.length / size) !== pieceCount) {
      throw badInput(name, `does not have one slice for each of the ${pieceCount} pieces`)
    }
    return { by, size }
  }
  if (by === 'table' && input.task === undefined) return readTable(entry, input, pieceCount)
  if ((by === 'files' || by === 'pieces') && input.task !== undefined && input.task.path === undefined) return { by }
  throw badInput(name, `has the split ${quote(by)}, which does not apply to this kind of input`)
}

/** The keys of one kind of split have no meaning with another. */
function checkSplitKeys (entry: Bdict, name: string, by: string | undefined): void {
  const belongs = { slice: 'bytes', slices: 'table', chunk: 'table', columns: 'table' }
  for (const [key, kind] of Object.entries(belongs)) {
    if (entry.has(key) && by !== kind) throw badInput(name, `has \`${key}\`, but not the split "${kind}"`)
  }
}

function readTable (entry: Bdict, input: TaskInput, pieceCount: number): InputSplit {
  const { name } = input
  const chunk = entry.has('chunk') ? numberIn(entry, 'chunk', 2 ** 30, name) : 1
  const columns = entry.has('columns') ? readColumns(entry.get('columns'), name) : []
  if (input.data !== undefined) {
    const offsets = entry.get('slices')
    if (!(offsets instanceof Uint8Array) || !isTable(offsets, pieceCount, input.length)) {
      throw badInput(name, 'has no valid table of the slices of its data (`slices`)')
    }
    return { by: 'table', offsets: offsets.slice(), chunk, columns }
  }
  if (input.infoHash === undefined || input.files !== 2 || input.length <= tableBytes(pieceCount)) {
    throw badInput(name, 'is split by a table, but is not a folder of `data` and `slices`')
  }
  return { by: 'table', chunk, columns }
}

/** The size in bytes of the table of a task's slices. */
export function tableBytes (pieceCount: number): number {
  return (pieceCount + 1) * OFFSET_BYTES
}

/** The offsets must start at 0, never decrease, and end at the end of the data. */
function isTable (table: Uint8Array, pieceCount: number, length: number): boolean {
  if (table.length !== tableBytes(pieceCount)) return false
  const view = new DataView(table.buffer, table.byteOffset, table.length)
  let last = 0n
  for (let at = 0; at < table.length; at += OFFSET_BYTES) {
    const offset = view.getBigUint64(at)
    if (offset < last || (at === 0 && offset !== 0n)) return false
    last = offset
  }
  return last === BigInt(length)
}

function readColumns (value: Bvalue | undefined, name: string): string[] {
  const names = Array.isArray(value) ? value.map(textOf) : []
  if (names.some(column => column === undefined)) throw badInput(name, 'has columns whose names are not text')
  const problem = columnsProblem(names as string[])
  if (problem !== null) throw badInput(name, `has a list of columns that ${problem}`)
  return names as string[]
}

function numberIn (dict: Bdict, key: string, max: number, name: string): number {
  const value = dict.get(key)
  if (typeof value === 'number' && value >= 1 && value <= max) return value
  throw badInput(name, `has no valid \`${key}\` (1 to ${max})`)
}

function bytesIn (dict: Bdict, key: string, length: number, name: string): Uint8Array {
  const value = dict.get(key)
  if (value instanceof Uint8Array && value.length === length) return value.slice()
  throw badInput(name, `has no valid \`${key}\` (${length} bytes)`)
}

function badInput (name: string, why: string): TaskFlaw {
  return new TaskFlaw('BW_ERR_TASK_INPUT', `The task's input ${quote(name)} ${why}`)
}

function badTask (what: string): TaskFlaw {
  return new TaskFlaw('BW_ERR_TASK_INPUT', `The task has ${what}`)
}

function badOption (message: string): Error {
  return taskError('BW_ERR_TASK_OPTIONS', message, 'usage')
}

/**
 * Describes the inputs of a task: as lines for users, as objects for `--json`; and prints the bytes of an embedded one.
 */
import { hexOf } from '../../base/digest.ts'
import { BitWorkerError } from '../../base/errors.ts'
import type { InputSplit, Task, TaskInput } from '../../task/task.ts'
import { escapeLines, escapeText, formatBytes, plural } from './format.ts'

/** An input in a `task` event. */
export interface InputFields {
  name: string
  /** bytes; an upper bound for a task's output */
  length: number
  source: 'embedded' | 'torrent' | 'task'
  infoHash?: string
  /** for a task's output: only this file */
  path?: string
  /** of its torrent's info dictionary */
  sha256?: string
  /** number of files, for a folder */
  files?: number
  split?: InputSplit['by']
  /** bytes per slice */
  slice?: number
  /** entries per slice */
  chunk?: number
  columns?: readonly string[]
  /** true: it is the archive of the system in which the commands run */
  root?: boolean
}

/** One line per input: name, size, origin, and what each piece gets. */
export function describeInputs ({ inputs = [], root }: Task): string[] {
  return inputs.map(input => [
    `${escapeText(input.name)}${isFolder(input) ? '/' : ''}`,
    formatBytes(input.length),
    sourceOf(input),
    ...(input.name === root ? ['unpacked: the system in which its commands run'] : []),
    ...(input.split === undefined ? [] : [shareOf(input, input.split)])
  ].join(', '))
}

/** A list consists of two files, which users do not see. */
function isFolder (input: TaskInput): boolean {
  return input.infoHash !== undefined && input.files !== undefined && input.split?.by !== 'table'
}

function sourceOf (input: TaskInput): string {
  if (input.data !== undefined) return `in the task file (--show-input ${escapeText(input.name)})`
  if (input.task !== undefined) {
    const { infoHash, path } = input.task
    return `${path === undefined ? '' : `${escapeText(path)} of `}the output of task ${infoHash}`
  }
  return `torrent ${input.infoHash}${isFolder(input) ? `, ${plural(input.files ?? 1, 'file')}` : ''}`
}

function shareOf ({ length }: TaskInput, split: InputSplit): string {
  if (split.by === 'files') return 'one file for each piece'
  if (split.by === 'bytes') return `${formatBytes(Math.min(split.size, length))} for each piece`
  if (split.by === 'pieces') return 'one piece for each piece'
  const columns = split.columns.length === 0 ? '' : ` of ${split.columns.join(', ')}`
  return `${split.chunk === 1 ? 'one entry' : `${split.chunk} entries`}${columns} for each piece`
}

/**
 * The bytes to download before the first piece is computed, as far as the task says: only the torrent knows the sizes
 * of a folder's files or a list's entries.
 */
export function bytesBefore ({ inputs = [] }: Task): number {
  return inputs
    .filter(({ data }) => data === undefined)
    .reduce((sum, { length, split }) => {
      if (split === undefined) return sum + length
      return split.by === 'bytes' ? sum + Math.min(split.size, length) : sum
    }, 0)
}

/** The same for `--json`. */
export function inputFields ({ inputs = [], root }: Task): InputFields[] {
  return inputs.map(({ name, length, split, ...input }) => ({
    name,
    length,
    ...(input.data !== undefined
      ? { source: 'embedded' as const }
      : input.task !== undefined
        ? {
            source: 'task' as const,
            infoHash: input.task.infoHash,
            ...(input.task.path !== undefined && { path: input.task.path })
          }
        : {
            source: 'torrent' as const,
            infoHash: input.infoHash,
            sha256: hexOf(input.sha256),
            ...(input.files !== undefined && { files: input.files })
          }),
    ...(name === root && { root: true }),
    ...(split !== undefined && { split: split.by }),
    ...(split?.by === 'bytes' && { slice: split.size }),
    ...(split?.by === 'table' && {
      chunk: split.chunk, ...(split.columns.length > 0 && { columns: split.columns })
    })
  }))
}

/** The lines of an embedded input, with control characters made visible. Throws BW_ERR_USAGE. */
export function embeddedLines ({ inputs = [] }: Task, name: string): string[] {
  const input = inputs.find(each => each.name === name)
  if (input === undefined) throw usage(`The task has no input ${escapeText(name)}. Run bitworker info without --show-input for their names.`)
  if (input.data === undefined) throw usage(`The input ${escapeText(name)} is not in the task file, so it cannot be shown.`)
  try {
    return escapeLines(new TextDecoder('utf-8', { fatal: true }).decode(input.data))
  } catch {
    throw usage(`The input ${escapeText(name)} contains ${formatBytes(input.length)} that are not text, so it cannot be shown.`)
  }
}

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}

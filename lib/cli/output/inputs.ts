/** What a task reads, before anything of it is downloaded: for people as lines, for `--json` as objects. */
import type { Task, TaskInput } from '../../task/types.ts'
import { escapeText, formatBytes } from './format.ts'

/** One line for each input. */
export function describeInputs ({ inputs = [] }: Task): string[] {
  return inputs.map(input => `${escapeText(input.name)}  ${formatBytes(input.length)}, ${sourceOf(input)}${shareOf(input)}`)
}

function sourceOf ({ data, infoHash, task, files }: TaskInput & { files?: number | undefined }): string {
  if (data !== undefined) return 'in the task itself'
  if (infoHash === undefined) return `the output of the task ${task?.infoHash}`
  return `${files === undefined ? 'a file' : `${files} files`} of the torrent ${infoHash}`
}

function shareOf ({ split }: TaskInput): string {
  return split === undefined ? '' : '; each piece sees its own part'
}

/** Bytes that are downloaded before the first piece is computed; of an input that is split only parts are. */
export function bytesBefore ({ inputs = [] }: Task): number {
  return inputs
    .filter(({ data, split }) => data === undefined && split === undefined)
    .reduce((sum, { length }) => sum + length, 0)
}

/** As fields of a JSON event. */
export function inputFields ({ inputs = [] }: Task): object[] {
  return inputs.map(({ name, length, data, infoHash, task, split }) => ({
    name,
    length,
    ...(data !== undefined && { embedded: true }),
    ...(infoHash !== undefined && { infoHash }),
    ...(task !== undefined && { task: task.infoHash }),
    ...(split !== undefined && { split: split.by })
  }))
}

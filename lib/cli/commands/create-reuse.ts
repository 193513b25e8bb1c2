/** `bitworker create --reuse`: the new task starts with results of an old one. */
import { BitWorkerError } from '../../base/errors.ts'
import { sameSlices } from '../../inputs/same-slices.ts'
import { reusePieces } from '../../store/reuse.ts'
import type { Reused } from '../../store/reuse.ts'
import type { Task } from '../../task/task.ts'
import type { PieceRange } from '../flags/values.ts'
import { escapeText, formatRanges, plural, shellWord } from '../output/format.ts'
import { JsonOutput } from '../output/json-output.ts'
import { readSource } from '../run/source.ts'

/** The flags as typed. */
export interface ReuseFlags {
  /** the task whose results are copied, and its pieces; default: all that are stored */
  reuse?: string
  pieces?: PieceRange[]
  /** the folders of its files and of the new task's files; default: the current folder */
  reuseDir?: string
  into?: string
}

/** The task whose results are copied; null: none. Throws BW_ERR_USAGE and the errors of `readSource`. */
export async function oldTask ({ reuse, pieces, reuseDir, into }: ReuseFlags): Promise<Task | null> {
  if (reuse === undefined) {
    if (pieces === undefined && reuseDir === undefined && into === undefined) return null
    throw usage('--reuse-dir, --pieces and --into need an old task. Pass --reuse TASK as well.')
  }
  const { task } = await readSource(reuse)
  if (task === null) throw usage(`--reuse ${reuse}: Only the results of a task file can be reused. Name one.`)
  return task
}

/**
 * Copies the results. To be called before the task is written, so that a failure leaves no task file. Throws
 * BW_ERR_USAGE and the errors of `reusePieces`.
 */
export async function takeOver (old: Task, task: Task, flags: ReuseFlags): Promise<Reused> {
  const { pieces, reuseDir = '.', into = '.' } = flags
  if (old.infoHash === task.infoHash) {
    throw usage('The task to reuse is the same as the new one. Run it again in its folder, which has its results.')
  }
  const isNamed = pieces === undefined
    ? await sameSlices(old, task)
    : (index: number): boolean => pieces.some(({ from, to }) => from <= index && index <= to)
  // one more line at the top changes every piece
  if (isNamed === null) {
    throw usage('The two tasks give their pieces different inputs, which cannot be compared. Name the pieces that stay the same with --pieces.')
  }
  return reusePieces({ task: old, path: reuseDir }, { task, path: into }, isNamed)
}

/** Prints which results were copied, and which were not. */
export function announceReused ({ taken, damaged, kept }: Reused, flags: ReuseFlags, json: boolean): void {
  new JsonOutput(json).emit('reused', { pieces: taken, damaged, kept })
  const { reuseDir = '.', into = '.' } = flags
  const stream = json ? process.stderr : process.stdout
  stream.write([
    taken.length === 0
      ? `reused     nothing of ${escapeText(reuseDir)}`
      : `reused     ${counted(taken)}; run it with -o ${shellWord(into)}`,
    ...(damaged.length === 0 ? [] : [`damaged    ${counted(damaged)}: not reused, to be computed`]),
    ...(kept.length === 0 ? [] : [`not reused ${counted(kept)}: ${escapeText(into)} has other results of them`]),
    ''
  ].join('\n'))
}

function counted (pieces: number[]): string { return `${plural(pieces.length, 'piece')} (${formatRanges(pieces)})` }

function usage (message: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_USAGE', 'usage', message)
}

/**
 * Copies results of one task into another, for an author who corrected something and vouches that the new task would
 * produce the same pieces. Neither folder may be open elsewhere.
 */
import { existsSync } from 'node:fs'
import { equalBytes, incrementalSha256 } from '../base/digest.ts'
import { BitWorkerError } from '../base/errors.ts'
import { locate } from '../task/task.ts'
import type { Task } from '../task/task.ts'
import { ComputeStore } from './compute-store.ts'
import { keptFiles } from './finished-files.ts'

const WINDOW_BYTES = 1024 * 1024

/** A task, and the folder of its files. */
export interface TaskPlace { task: Task, path: string }

/** Piece indices, ascending. */
export interface Reused {
  /** stored in the new task's folder as in the old one's */
  taken: number[]
  /** gone or damaged in the old folder */
  damaged: number[]
  /** the new folder has another result, which is kept */
  kept: number[]
}

/**
 * Stores in `to` each piece of `from` that is stored there and `isWanted`, under the same index, if it matches its
 * digest. Rejects with BW_ERR_PIECE_RANGE, before anything is stored, for a piece that is not at the same place in the
 * new task or is too large for it, and with the errors of `ComputeStore.open` and its drafts.
 */
export async function reusePieces (
  from: TaskPlace, to: TaskPlace, isWanted: (index: number) => boolean
): Promise<Reused> {
  const reused: Reused = { taken: [], damaged: [], kept: [] }
  // a folder where the task never ran is not turned into one
  if (!existsSync(keptFiles(from.path, from.task.infoHash).taskFile)) return reused
  // it is only read, and each piece is compared, so changed files do no harm: some of their pieces may be good
  const source = new ComputeStore({ ...from, force: true })
  const target = new ComputeStore(to)
  try {
    const indices = Array.from(await source.open(), ([index]) => index).filter(isWanted).sort((a, b) => a - b)
    for (const index of indices) checkPlace(index, source.results.sizeOf(index)!, from.task, to.task)
    await target.open()
    for (const index of indices) reused[await take(source, target, index)].push(index)
    return reused
  } finally {
    for (const store of [target, source]) await new Promise<void>(resolve => { store.close(() => { resolve() }) })
  }
}

/** The place of a piece: its file and part number. The name of the task may differ. */
function placeOf (task: Task, index: number): string {
  const { file, part } = locate(task, index)
  const { path } = task.files[file]!
  return path === task.name ? `part ${part} of its only file` : `part ${part} of ${path.slice(task.name.length + 1)}`
}

function checkPlace (index: number, size: number, old: Task, task: Task): void {
  if (index >= task.pieceCount) throw misfit(index, `the new task has only ${task.pieceCount} pieces`)
  const [before, now] = [placeOf(old, index), placeOf(task, index)]
  if (before !== now || locate(old, index).file !== locate(task, index).file) {
    throw misfit(index, `it was ${before}, and is ${now} in the new task`)
  }
  if (size > task.pieceLength) {
    throw misfit(index, `it has ${size} bytes, and the new task's pieces have at most ${task.pieceLength}`)
  }
}

function misfit (index: number, why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_PIECE_RANGE', 'usage', `Piece ${index} cannot be reused: ${why}.`)
}

async function take (source: ComputeStore, target: ComputeStore, index: number): Promise<keyof Reused> {
  const result = source.results.get(index)
  if (result === undefined) return 'damaged' // lost together with another piece of its file
  if (target.results.has(index)) return target.results.matches(index, result) ? 'taken' : 'kept'
  const { size, digest } = result
  const draft = target.receive(index, size)
  const actual = incrementalSha256()
  try {
    // an empty piece has a file, too
    for (let at = 0; at === 0 || at < size; at += WINDOW_BYTES) {
      const bytes = await source.read(index, at, Math.min(WINDOW_BYTES, size - at))
      actual.update(bytes)
      await draft.write(at, bytes)
    }
    if (equalBytes(actual.digest(), digest)) {
      await draft.commit(result)
      // who reuses it says that it is right
      await target.setComputed(index, result)
      return 'taken'
    }
  } catch (err) {
    draft.discard()
    if (err instanceof BitWorkerError && err.code === 'BW_ERR_PIECE_LOST') return 'damaged'
    throw err
  }
  // it changed while it was read
  draft.discard()
  return 'damaged'
}

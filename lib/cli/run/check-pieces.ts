/** Computes pieces again, and compares them with what lies in a folder. Changes nothing there unless told to. */
import { CommandError } from '../../base/errors.ts'
import { sameResult } from '../../results/result.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import type { Output } from '../../store/output.ts'
import type { Generated } from '../../store/types.ts'
import { untilEnded } from './commands-here.ts'

/** How a piece was found. */
export interface CheckedPiece {
  piece: number
  /** `right`, `wrong`; `damaged`: its bytes are gone or changed; `unsure`: here, two runs of it differ; `failed` */
  state: 'right' | 'wrong' | 'damaged' | 'unsure' | 'failed'
  /** why it failed */
  message?: string
}

/** What is checked, and how. */
export interface CheckOptions {
  output: Output
  /** computes pieces; their results are removed again */
  store: ComputeStore
  /** in the order in which they are checked */
  pieces: readonly number[]
  /** pieces at a time */
  slots: number
  /** replace wrong pieces */
  repair: boolean
  signal: AbortSignal
  onChecked (checked: CheckedPiece): void
}

/**
 * Checks the pieces. Ends early when one turns out to differ from run to run. Rejects with the signal's reason, and
 * with the errors of `Output` and `Generation` that are not those of a command.
 */
export async function checkPieces (options: CheckOptions): Promise<void> {
  const { pieces, slots, signal } = options
  let next = 0
  let isOver = false
  const work = async (): Promise<void> => {
    while (next < pieces.length && !isOver) {
      signal.throwIfAborted()
      const checked = await check(pieces[next++]!, options)
      isOver ||= checked.state === 'unsure'
      options.onChecked(checked)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(slots, pieces.length) }, work))
  } catch (err) {
    isOver = true
    throw signal.aborted ? signal.reason : err
  }
}

async function check (piece: number, { output, store, repair, signal }: CheckOptions): Promise<CheckedPiece> {
  const there = await output.read(piece)
  if (there === null && !repair) return { piece, state: 'damaged' }
  try {
    const computed = await compute(store, piece, signal)
    if (there !== null && sameResult(there, computed)) return { piece, state: 'right' }
    store.drop(piece)
    if (!sameResult(computed, await compute(store, piece, signal))) return { piece, state: 'unsure' }
    if (repair) await output.replace(piece, await store.read(piece, 0, computed.size))
    return { piece, state: there === null ? 'damaged' : 'wrong' }
  } catch (err) {
    if (!(err instanceof CommandError) || signal.aborted) throw err
    return { piece, state: 'failed', message: err.message }
  } finally {
    store.drop(piece)
  }
}

async function compute (store: ComputeStore, piece: number, signal: AbortSignal): Promise<Generated> {
  return untilEnded(store.generate(piece), signal)
}

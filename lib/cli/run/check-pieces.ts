/**
 * Judges pieces in a folder: by the task's verify command, or by computing them again and comparing. Changes nothing
 * there unless told to.
 */
import { CommandError } from '../../base/errors.ts'
import { sameResult } from '../../results/result.ts'
import type { Result } from '../../results/result.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import type { Output } from '../../store/output.ts'
import type { Generated, Judging, UnstoredResult } from '../../store/types.ts'
import type { Task } from '../../task/task.ts'
import { untilEnded } from './commands-here.ts'

/** How a piece was found. */
export interface CheckedPiece {
  piece: number
  /**
   * `right`, `wrong`; `damaged`: its bytes are gone or changed; `unsure`: here, two runs of it differ; `failed`:
   * nothing can be told
   */
  state: 'right' | 'wrong' | 'damaged' | 'unsure' | 'failed'
  /** it was replaced by what this machine computes */
  isReplaced?: boolean
  /** why it failed, or was not replaced */
  message?: string
}

/** What is checked, and how. */
export interface CheckOptions {
  task: Task
  output: Output
  /** computes and judges pieces; their results are removed again */
  store: ComputeStore
  /** in the order in which they are checked */
  pieces: readonly number[]
  /** pieces at a time */
  slots: number
  /** replace wrong pieces */
  repair: boolean
  /** leave right pieces in `store`, as they are in the folder */
  keep: boolean
  signal: AbortSignal
  onChecked (checked: CheckedPiece): void
}

/** Pieces are judged by the verify command: their bytes are there. */
export function isJudged ({ verifyCommand }: Task, { kind }: Output): boolean {
  return verifyCommand !== undefined && kind !== 'list'
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

async function check (piece: number, options: CheckOptions): Promise<CheckedPiece> {
  const { output, store, repair, keep, signal } = options
  const there = await output.read(piece)
  if (there === null && !repair) return { piece, state: 'damaged' }
  let isKept = false
  let state: CheckedPiece['state'] = 'failed'
  try {
    state = there === null ? await computedAnew(piece, options) : await judge(piece, there, options)
    if (state === 'right' && keep) {
      await keepAsThere(piece, there!, options)
      isKept = true
    }
    if (!repair || (state !== 'wrong' && state !== 'damaged')) return { piece, state }
    await replace(piece, options)
    return { piece, state, isReplaced: true }
  } catch (err) {
    if (!(err instanceof CommandError) || signal.aborted) throw err
    return { piece, state, message: err.message }
  } finally {
    if (!isKept) store.drop(piece)
  }
}

/** Of a damaged piece: whether what is computed here can take its place. */
async function computedAnew (piece: number, options: CheckOptions): Promise<'damaged' | 'unsure'> {
  const first = await compute(piece, options)
  const { verifyCommand, compareCommand } = options.task
  if (verifyCommand !== undefined || compareCommand !== undefined) return 'damaged'
  return sameResult(first, await compute(piece, options)) ? 'damaged' : 'unsure'
}

async function judge (piece: number, there: Result, options: CheckOptions): Promise<'right' | 'wrong' | 'unsure'> {
  const { task, output, store, signal } = options
  const bytes = bytesOf(output, piece, there)
  if (isJudged(task, output)) return verdictOf('verify', store.verifyBy(piece, bytes), signal)
  const compares = task.compareCommand !== undefined && output.kind !== 'list'
  const isSame = async (computed: Result): Promise<boolean> => sameResult(there, computed) ||
    (compares && await verdictOf('compare', store.compare(piece, bytes), signal) === 'right')
  const first = await compute(piece, options)
  if (await isSame(first)) return 'right'
  const second = await compute(piece, options)
  // a machine may err, and a command may not print the same each time
  const isSure = compares ? !await isSame(second) : sameResult(first, second)
  return isSure ? 'wrong' : 'unsure'
}

/** Throws a CommandError if the command cannot tell. */
async function verdictOf (what: string, judging: Judging, signal: AbortSignal): Promise<'right' | 'wrong'> {
  const judgement = await untilEnded(judging, signal)
  if (judgement.verdict !== 'unknown') return judgement.verdict
  const { message } = judgement.why
  throw new CommandError(
    'BW_ERR_VERIFY_COMMAND', `The ${what} command cannot tell: ${message}`, { exitCode: null, signal: null, stderr: '' }
  )
}

/** Replaces the piece by what this machine computes, if that is right. */
async function replace (piece: number, options: CheckOptions): Promise<void> {
  const { task, output, store, signal } = options
  const { size } = store.results.get(piece) ?? await compute(piece, options)
  if (task.verifyCommand !== undefined && await verdictOf('verify', store.verifyBy(piece), signal) === 'wrong') {
    throw new CommandError('BW_ERR_VERIFY_COMMAND', 'The verify command finds what this machine computes wrong as well.', {
      exitCode: null, signal: null, stderr: ''
    })
  }
  await output.replace(piece, await store.read(piece, 0, size))
}

/** What a complete command is given must be the very bytes that are there. */
async function keepAsThere (piece: number, there: Result, { output, store }: CheckOptions): Promise<void> {
  const computed = store.results.get(piece)
  if (computed !== undefined && sameResult(computed, there)) return
  const bytes = await output.readBytes(piece, 0, there.size)
  await new Promise<void>((resolve, reject) => {
    store.put(piece, bytes, err => { if (err == null) resolve(); else reject(err) })
  })
}

function bytesOf (output: Output, piece: number, { size }: Result): UnstoredResult {
  return {
    size,
    draft: {
      hashInto: async (digest, at, length) => { digest.update(await output.readBytes(piece, at, length)) }
    }
  }
}

async function compute (piece: number, { store, signal }: CheckOptions): Promise<Generated> {
  store.drop(piece)
  return untilEnded(store.generate(piece), signal)
}

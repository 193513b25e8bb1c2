/** `bitworker verify`: judges pieces of a finished task, by its verify command or by computing them again. */
import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { BitWorkerError } from '../../base/errors.ts'
import type { Bind } from '../../executor/binds.ts'
import type { ComputeStore } from '../../store/compute-store.ts'
import { openOutput } from '../../store/output.ts'
import type { Output } from '../../store/output.ts'
import type { Task } from '../../task/task.ts'
import { isConcatenation } from '../../task/unsupported.ts'
import { EXIT } from '../output/failure.ts'
import { checkingBar } from '../output/checking-bar.ts'
import { JsonOutput } from '../output/json-output.ts'
import { checkBinds } from '../run/binds.ts'
import { checkFiles } from '../run/check-files.ts'
import type { CheckedFile } from '../run/check-files.ts'
import { checkPieces, isJudged } from '../run/check-pieces.ts'
import type { CheckedPiece } from '../run/check-pieces.ts'
import { obstacleToComputing, withCommands } from '../run/commands-here.ts'
import { confine } from '../run/confinement.ts'
import type { ConfinementFlags } from '../run/confinement.ts'
import { consentToComputing } from '../run/consent.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { taskRunIn } from '../run/task-in-folder.ts'
import { numbersOf, tellFound } from '../run/verified.ts'

/** The flags as typed. */
export interface VerifyFlags extends ConfinementFlags {
  output: string
  /** how many pieces, drawn by lot */
  sample?: number
  all: boolean
  repair: boolean
  /** default: one per core */
  slots?: number
  yes: boolean
  bind: Bind[]
  json: boolean
  debug: boolean
}

/** Without a wrong one, at most 5 % are wrong. */
const DEFAULT_SAMPLE = 60

/** Resolves with the exit code. Throws errors in the arguments, and those that keep pieces from being computed. */
export async function verify (id: string, flags: VerifyFlags): Promise<number> {
  if (flags.all && flags.sample !== undefined) {
    throw new BitWorkerError('BW_ERR_USAGE', 'usage', 'Both --all and --sample say how many pieces to check. Leave out one of them.')
  }
  const stop = new AbortController()
  const release = onInterrupt(() => { stop.abort() })
  try {
    return await verifyOutput(await taskRunIn(id, flags.output), flags, stop.signal)
  } catch (error) {
    if (stop.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    release()
  }
}

async function verifyOutput (task: Task, flags: VerifyFlags, signal: AbortSignal): Promise<number> {
  const confinement = await confine(flags)
  const problem = await obstacleToComputing(task, confinement, signal)
  if (problem !== null) throw problem
  await checkBinds(flags.bind)
  const output = await openOutput(task, flags.output)
  try {
    if (output.results.size === 0) throw nothingStored(task)
    if (flags.repair && output.kind !== 'folder') throw notToBeRepaired(flags.output)
    const incomparable = obstacleToComparing(task, output)
    if (incomparable !== null) throw incomparable
    await consentToComputing(task, flags, signal)
    const out = new JsonOutput(flags.json)
    out.emit('sandbox', confinement.fields)
    const found = await withCommands({ task, confinement, binds: flags.bind, signal }, async store =>
      checkOutput({ task, output, store, flags, signal }, out))
    const repaired = numbersOf(found.pieces.filter(({ isReplaced }) => isReplaced === true))
    const isMade = repaired.length === 0 || await output.finish(repaired)
    return tellFound({ ...found, task, output, repair: flags.repair, repaired, isMade }, out)
  } finally {
    await output.close()
  }
}

interface Checking { task: Task, output: Output, store: ComputeStore, flags: VerifyFlags, signal: AbortSignal }

async function checkOutput (
  { task, output, store, flags, signal }: Checking, out: JsonOutput
): Promise<{ pieces: CheckedPiece[], files: CheckedFile[] }> {
  const pieces = Array.from(output.results, ([index]) => index)
  const drawn = flags.all ? pieces : drawFrom(pieces, flags.sample ?? DEFAULT_SAMPLE)
  const isWhole = drawn.length === task.pieceCount
  const checked: CheckedPiece[] = []
  const bar = checkingBar(drawn.length)
  try {
    await checkPieces({
      task,
      output,
      store,
      pieces: drawn,
      slots: flags.slots ?? availableParallelism(),
      repair: flags.repair,
      keep: isWhole && output.made.length > 0,
      signal,
      onChecked: each => {
        checked.push(each)
        const { piece, state, isReplaced, message } = each
        const by = isJudged(task, output) ? 'verify' : 'sample'
        out.emit('checked', { piece, right: state === 'right', state, by, isReplaced, message })
        bar.show(checked.length, checked.filter(({ state: found }) => found !== 'right').length)
      }
    })
    const isRight = isWhole && checked.every(({ state }) => state === 'right')
    return { pieces: checked, files: await checkFiles({ task, output, store: isRight ? store : null, signal }) }
  } finally {
    bar.close()
  }
}

/** So many of the pieces, each set of them as likely as another. */
function drawFrom (pieces: readonly number[], count: number): number[] {
  const left = [...pieces]
  for (let at = 0; at < Math.min(count, left.length); at++) {
    const other = randomInt(at, left.length)
    ;[left[at], left[other]] = [left[other]!, left[at]!]
  }
  return left.slice(0, count)
}

function nothingStored ({ name }: Task): BitWorkerError {
  return new BitWorkerError('BW_ERR_NOT_FINISHED', 'usage', `${name} has no piece there yet. Run the task first.`)
}

/** Why nothing can be told of the pieces; null: it can. */
function obstacleToComparing (task: Task, output: Output): BitWorkerError | null {
  const { name, deterministic, compareCommand, verifyCommand } = task
  if (isJudged(task, output)) return null
  const needsBytes = compareCommand ?? (deterministic === false ? verifyCommand : undefined)
  if (needsBytes !== undefined && output.kind === 'list') {
    return refused(`The ${compareCommand === undefined ? 'verify' : 'compare'} command of ${name} needs the bytes of the pieces, and only their digests are there. Verify it where it was run${isConcatenation(task) ? ', or copy the files as well' : ''}.`)
  }
  if (deterministic !== false || compareCommand !== undefined) return null
  return refused(`The results of ${name} differ from run to run, and it has no command that judges or compares them, so they cannot be checked.`)
}

function refused (why: string): BitWorkerError { return new BitWorkerError('BW_ERR_USAGE', 'usage', why) }

function notToBeRepaired (folder: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_USAGE', 'usage', `--repair works only where the task was run, and ${folder} has nothing of the task but copies. Leave it out.`
  )
}

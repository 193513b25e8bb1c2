/** `bitworker verify`: computes pieces of a finished task again, and compares. */
import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { BitWorkerError } from '../../base/errors.ts'
import type { Bind } from '../../executor/binds.ts'
import { openOutput } from '../../store/output.ts'
import type { Output } from '../../store/output.ts'
import type { Task } from '../../task/task.ts'
import { atMost } from '../../verification/statistics.ts'
import { EXIT } from '../output/failure.ts'
import { escapeText, formatRanges, plural } from '../output/format.ts'
import { checkingBar } from '../output/checking-bar.ts'
import { JsonOutput } from '../output/json-output.ts'
import { checkBinds } from '../run/binds.ts'
import { checkPieces } from '../run/check-pieces.ts'
import type { CheckedPiece } from '../run/check-pieces.ts'
import { obstacleToComputing, withCommands } from '../run/commands-here.ts'
import { confine } from '../run/confinement.ts'
import type { ConfinementFlags } from '../run/confinement.ts'
import { consentToComputing } from '../run/consent.ts'
import { onInterrupt } from '../run/interrupt.ts'
import { taskRunIn } from '../run/task-in-folder.ts'

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
  if (task.compareCommand !== undefined && task.verifyCommand === undefined) throw notComparable(task)
  const confinement = await confine(flags)
  const problem = await obstacleToComputing(task, confinement, signal)
  if (problem !== null) throw problem
  await checkBinds(flags.bind)
  const output = await openOutput(task, flags.output)
  try {
    if (output.results.size === 0) throw nothingStored(task)
    if (flags.repair && output.kind !== 'folder') throw notToBeRepaired(flags.output)
    await consentToComputing(task, flags, signal)
    const pieces = Array.from(output.results, ([index]) => index)
    const drawn = flags.all ? pieces : drawFrom(pieces, flags.sample ?? DEFAULT_SAMPLE)
    const out = new JsonOutput(flags.json)
    out.emit('sandbox', confinement.fields)
    const bar = checkingBar(drawn.length)
    const checked: CheckedPiece[] = []
    try {
      await withCommands({ task, confinement, binds: flags.bind, signal }, async store => {
        const slots = flags.slots ?? availableParallelism()
        await checkPieces({
          output,
          store,
          pieces: drawn,
          slots,
          repair: flags.repair,
          signal,
          onChecked: each => {
            checked.push(each)
            const { piece, state, message } = each
            out.emit('checked', { piece, right: state === 'right', state, by: 'sample', message })
            bar.show(checked.length, checked.filter(({ state: found }) => found !== 'right').length)
          }
        })
      })
    } finally {
      bar.close()
    }
    const repaired = flags.repair ? piecesThat(checked, 'wrong', 'damaged') : []
    const isMade = repaired.length === 0 || await output.finish(repaired)
    return tell(checked, { task, flags, output, total: pieces.length, repaired, isMade }, out)
  } finally {
    await output.close()
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

function piecesThat (checked: readonly CheckedPiece[], ...states: Array<CheckedPiece['state']>): number[] {
  return checked.filter(({ state }) => states.includes(state)).map(({ piece }) => piece).sort((a, b) => a - b)
}

interface Circumstances {
  task: Task
  flags: VerifyFlags
  output: Output
  total: number
  repaired: number[]
  /** the files of what was repaired are made */
  isMade: boolean
}

function tell (
  checked: readonly CheckedPiece[], { task, flags, output, total, repaired, isMade }: Circumstances, out: JsonOutput
): number {
  const [wrong, damaged, failed, unsure] = (['wrong', 'damaged', 'failed', 'unsure'] as const)
    .map(state => piecesThat(checked, state)) as [number[], number[], number[], number[]]
  const drawn = checked.length - failed.length - unsure.length
  const bad = wrong.length + damaged.length
  const isAll = drawn === total
  const bound = isAll ? bad / total : atMost(bad, drawn)
  out.emit('verified', {
    pieces: total, drawn, wrong, damaged, failed, unsure, repaired, atMost: bound, missing: task.pieceCount - total
  })
  const stream = flags.json ? process.stderr : process.stdout
  const say = (line: string): void => { stream.write(`${line}\n`) }
  if (unsure.length > 0) {
    say(`Two runs of piece ${unsure[0]!} on this machine differ: the results of this task cannot be checked by comparing them.`)
    return EXIT.unmet
  }
  if (drawn > 0 || failed.length === 0) {
    say(isAll
      ? bad === 0 ? `all ${plural(total, 'piece')} are as this machine computes them` : `of all ${plural(total, 'piece')} ${bad} ${bad === 1 ? 'is' : 'are'} wrong`
      : `of ${drawn} drawn by lot ${bad} were wrong: at most ${percent(bound)} are (95 %)`)
  }
  if (wrong.length > 0) say(`wrong: ${wrong.length === 1 ? 'piece' : 'pieces'} ${formatRanges(wrong)}`)
  if (damaged.length > 0) say(`damaged, or no longer there: ${damaged.length === 1 ? 'piece' : 'pieces'} ${formatRanges(damaged)}`)
  if (failed.length > 0) {
    const message = checked.find(({ state }) => state === 'failed')?.message ?? ''
    say(`not computed here: ${failed.length === 1 ? 'piece' : 'pieces'} ${formatRanges(failed)}. ${escapeText(message)}`)
  }
  if (total < task.pieceCount) say(`not there yet: ${plural(task.pieceCount - total, 'piece')} of ${task.pieceCount}`)
  if (output.kind === 'list') say(`Only the results in ${escapeText(task.name)}.results.json were compared, because ${unbytes(task)}.`)
  if (repaired.length > 0) {
    say(`replaced by what this machine computed: ${plural(repaired.length, 'piece')}. ${isMade ? 'The files were made again.' : 'Run the task again to make its files.'}`)
  }
  if (wrong.length > 0 && repaired.length === 0) say('Another version of a program may print something else. Look at one of them: bitworker try TASK --piece N.')
  const advice = nextStep(flags, output, { isAll, wrong: wrong.length, damaged: damaged.length })
  if (advice !== null) say(advice)
  if (bad > repaired.length || (bad > 0 && !isAll)) return EXIT.unmet
  return failed.length > 0 ? EXIT.workFailed : EXIT.done
}

function nextStep (
  { repair }: VerifyFlags, { kind }: Output,
  { isAll, wrong, damaged }: { isAll: boolean, wrong: number, damaged: number }
): string | null {
  if (wrong + damaged === 0 || (repair && isAll)) return null
  if (kind === 'folder' && wrong === 0 && !repair) return 'Run the task again in that folder: it restores what is damaged.'
  if (kind !== 'folder') return 'To replace the wrong pieces, run bitworker verify with --all --repair where the task was run.'
  return repair
    ? 'Others may be wrong as well: find and replace them with --all --repair.'
    : 'To find and replace all wrong pieces, run the same command with --all --repair.'
}

function unbytes ({ completeCommand }: Task): string {
  return completeCommand === undefined ? 'the files are not there' : 'a complete command has made the files of the pieces'
}

function percent (share: number): string {
  return `${(Math.ceil(share * 1000) / 10).toFixed(1)} %`
}

function nothingStored ({ name }: Task): BitWorkerError {
  return new BitWorkerError('BW_ERR_NOT_FINISHED', 'usage', `${name} has no piece there yet. Run the task first.`)
}

function notComparable ({ name }: Task): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_USAGE', 'usage', `The results of ${name} are compared by its compare command, which bitworker verify does not run in this version. Look at single pieces with bitworker try.`
  )
}

function notToBeRepaired (folder: string): BitWorkerError {
  return new BitWorkerError(
    'BW_ERR_USAGE', 'usage', `--repair works only where the task was run, and ${folder} has nothing of the task but copies. Leave it out.`
  )
}

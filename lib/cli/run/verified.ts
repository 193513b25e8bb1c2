/** What `verify` has found: in words, as an event, and as an exit code. */
import type { Output } from '../../store/output.ts'
import type { Task } from '../../task/task.ts'
import { atMost } from '../../verification/statistics.ts'
import { EXIT } from '../output/failure.ts'
import { escapeText, formatRanges, plural } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'
import type { CheckedFile } from './check-files.ts'
import { isJudged } from './check-pieces.ts'
import type { CheckedPiece } from './check-pieces.ts'

/** What was checked, and what became of it. */
export interface Found {
  task: Task
  output: Output
  pieces: readonly CheckedPiece[]
  /** of a complete command */
  files: readonly CheckedFile[]
  repair: boolean
  repaired: readonly number[]
  /** the files of what was repaired are made */
  isMade: boolean
}

/** Reports it. Returns the exit code. */
export function tellFound (found: Found, out: JsonOutput): number {
  const { task, pieces, files, repaired } = found
  const { wrong, damaged, failed, unsure, drawn, isAll, bound, total } = countsOf(found)
  out.emit('verified', {
    pieces: total,
    drawn,
    wrong,
    damaged,
    failed,
    unsure,
    repaired,
    atMost: bound,
    missing: task.pieceCount - total,
    ...(task.completeCommand !== undefined && { files })
  })
  const stream = out.enabled ? process.stderr : process.stdout
  const say = (line: string): void => { stream.write(`${line}\n`) }
  if (unsure.length > 0) {
    say(`Two runs of piece ${unsure[0]!} on this machine differ: the results of this task cannot be checked by comparing them.`)
    return EXIT.unmet
  }
  const bad = wrong.length + damaged.length
  if (drawn > 0 || failed.length === 0) {
    say(isAll
      ? bad === 0 ? praise(found, total) : `of all ${plural(total, 'piece')} ${bad} ${bad === 1 ? 'is' : 'are'} wrong`
      : `of ${drawn} drawn by lot ${bad} were wrong: at most ${percent(bound)} are (95 %)`)
  }
  if (wrong.length > 0) say(`wrong: ${wrong.length === 1 ? 'piece' : 'pieces'} ${formatRanges(wrong)}`)
  if (damaged.length > 0) say(`damaged, or no longer there: ${damaged.length === 1 ? 'piece' : 'pieces'} ${formatRanges(damaged)}`)
  for (const line of aboutFailures(pieces)) say(line)
  if (total < task.pieceCount) say(`not there yet: ${plural(task.pieceCount - total, 'piece')} of ${task.pieceCount}`)
  for (const line of [...aboutFiles(files, isAll), ...aboutList(found)]) say(line)
  for (const line of nextSteps(found)) say(line)
  const badFiles = files.filter(({ state }) => state === 'wrong' || state === 'damaged' || state === 'unsure').length
  if (bad > repaired.length || (bad > 0 && !isAll) || badFiles > 0) return EXIT.unmet
  return failed.length > 0 || files.some(({ state }) => state === 'failed') ? EXIT.workFailed : EXIT.done
}

function aboutFailures (checked: readonly CheckedPiece[]): string[] {
  const failed = checked.filter(({ message }) => message !== undefined)
  return [
    ...about('not checked', failed.filter(({ state }) => state === 'failed')),
    ...about('not replaced', failed.filter(({ state }) => state !== 'failed'))
  ]
}

function about (what: string, some: CheckedPiece[]): string[] {
  const [first] = some
  if (first === undefined) return []
  return [`${what}: ${some.length === 1 ? 'piece' : 'pieces'} ${formatRanges(numbersOf(some))}. ${escapeText(first.message ?? '')}`]
}

/** Their numbers, sorted. */
export function numbersOf (checked: readonly CheckedPiece[]): number[] {
  return checked.map(({ piece }) => piece).sort((a, b) => a - b)
}

interface Counts {
  wrong: number[]
  damaged: number[]
  failed: number[]
  unsure: number[]
  drawn: number
  /** in the folder */
  total: number
  isAll: boolean
  bound: number
}

function countsOf ({ pieces, output }: Found): Counts {
  const [wrong, damaged, failed, unsure] = (['wrong', 'damaged', 'failed', 'unsure'] as const)
    .map(state => numbersOf(pieces.filter(each => each.state === state))) as [number[], number[], number[], number[]]
  const drawn = pieces.length - failed.length - unsure.length
  const total = output.results.size
  const isAll = drawn === total
  const bad = wrong.length + damaged.length
  return { wrong, damaged, failed, unsure, drawn, total, isAll, bound: isAll ? bad / total : atMost(bad, drawn) }
}

function praise ({ task, output }: Found, total: number): string {
  if (isJudged(task, output)) return `the verify command finds all ${plural(total, 'piece')} right`
  return `all ${plural(total, 'piece')} are as this machine computes them`
}

const FILES_SAID: Array<[state: CheckedFile['state'], says: string]> = [
  ['right', 'what the complete command makes of these pieces'],
  ['wrong', 'not what the complete command makes of these pieces here'],
  ['unsure', 'not checked, because two runs of the complete command on this machine differ'],
  ['failed', 'not checked, because the complete command failed'],
  ['damaged', 'changed since it was made, or gone'],
  ['unmade', 'as it was when it was made']
]

/** A line for each state, however many files there are. */
function aboutFiles (files: readonly CheckedFile[], isAll: boolean): string[] {
  return FILES_SAID.flatMap(([state, says]) => {
    const some = files.filter(each => each.state === state)
    const [first] = some
    if (first === undefined) return []
    const more = some.length === 1 ? '' : ` and ${plural(some.length - 1, 'other file')}`
    const hint = state !== 'unmade' || isAll ? '' : '; to see whether it was made of these pieces, check --all'
    const why = first.message === undefined ? '' : `. ${escapeText(first.message)}`
    return [`${escapeText(first.path)}${more}: ${says}${hint}${why}`]
  })
}

/** What was not looked at. */
function aboutList ({ task, output, files }: Found): string[] {
  if (output.kind !== 'list' || files.some(({ state }) => state === 'right')) return []
  const why = task.completeCommand === undefined || output.made.length === 0
    ? 'the files are not there'
    : 'a complete command has made the files of the pieces'
  return [`Only the results in ${escapeText(task.name)}.results.json were compared, because ${why}.`]
}

function nextSteps (found: Found): string[] {
  const { task, output, files, repair, repaired, isMade } = found
  const { wrong, damaged, isAll } = countsOf(found)
  const lines = []
  if (repaired.length > 0) {
    lines.push(`replaced by what this machine computed: ${plural(repaired.length, 'piece')}. ${isMade ? 'The files were made again.' : 'Run the task again to make its files.'}`)
  }
  if (wrong.length > 0 && repaired.length === 0 && !isJudged(task, output)) {
    lines.push('Another version of a program may print something else. Look at one of them: bitworker try TASK --piece N.')
  }
  const isDamaged = damaged.length > 0 || files.some(({ state }) => state === 'damaged')
  if ((wrong.length === 0 && !isDamaged) || (repair && isAll)) return lines
  if (output.kind !== 'folder') {
    lines.push('To replace the wrong pieces, run bitworker verify with --all --repair where the task was run.')
  } else if (wrong.length === 0 && !repair) {
    lines.push('Run the task again in that folder: it restores what is damaged.')
  } else {
    lines.push(repair
      ? 'Others may be wrong as well: find and replace them with --all --repair.'
      : 'To find and replace all wrong pieces, run the same command with --all --repair.')
  }
  return lines
}

function percent (share: number): string { return `${(Math.ceil(share * 1000) / 10).toFixed(1)} %` }

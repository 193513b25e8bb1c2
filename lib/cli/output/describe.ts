/** Describes a task and what it would run: as lines for users, as an object for `--json`. Runs nothing. */
import path from 'node:path'
import type { Bind } from '../../executor/binds.ts'
import { DEFAULT_LIMITS, limitsFor } from '../../executor/limits.ts'
import type { Limits } from '../../executor/limits.ts'
import { completeMsOf, spaceAsked } from '../../task/asks.ts'
import { magnetOf } from '../../task/task.ts'
import type { Task, TaskNeeds } from '../../task/task.ts'
import type { Judgement } from '../../trust/judge.ts'
import { BAR, escapeLines, escapeText, formatBytes, formatDuration, plural, quote, wrap } from './format.ts'
import type { Row } from './format.ts'
import { describeInputs, inputFields } from './inputs.ts'
import type { InputFields } from './inputs.ts'
import { describeSigner } from './signers.ts'
import { describeVerifying, verifyingFields } from './verifying.ts'
import type { VerifyingFields } from './verifying.ts'

// More rows than this push the command, which matters most, off the screen.
const MAX_FILES_SHOWN = 20
const LABEL_COLUMNS = 10
const MARGIN = LABEL_COLUMNS + 4

function section (rows: Row[], columns: number): string[] {
  const room = Math.max(20, columns - MARGIN)
  return rows.flatMap(([label, lines, bar]) =>
    lines
      .flatMap(line =>
        bar === undefined ? wrap(line, room).map(part => part.trimStart()) : quote(line, bar, room - bar.length)
      )
      .map((line, i) => `  ${(i === 0 ? label : '').padEnd(LABEL_COLUMNS)}  ${line}`)
  )
}

function capped (lines: string[]): string[] {
  if (lines.length <= MAX_FILES_SHOWN) return lines
  return [...lines.slice(0, MAX_FILES_SHOWN), `… and ${lines.length - MAX_FILES_SHOWN} more`]
}

function describeFiles (task: Task, outDir: string | undefined): string[] {
  if (task.outputPattern !== undefined) {
    const target = outDir === undefined ? '' : ` → ${escapeText(path.resolve(outDir, task.name))}`
    return [`${escapeText(`${task.name}/${task.outputPattern}`)}  ${plural(task.files.length, 'file')}, one for each piece${target}`]
  }
  return capped(task.files.map(file => {
    const target = outDir === undefined ? '' : ` → ${escapeText(path.resolve(outDir, file.path))}`
    return `${escapeText(file.path)}  ${plural(file.parts, 'part')}${target}`
  }))
}

/** Options of the description. */
export interface DescribeOptions {
  /** also shows where the files are written */
  outDir?: string
  /** the width of the terminal; default: lines are not wrapped */
  columns?: number | undefined
  /** also shows who signed it */
  judgement?: Judgement
  /** trackers that are asked besides those of the task */
  announce?: readonly string[]
  /** files and folders of this machine that the command can read */
  binds?: Bind[]
  /** also shows what each command gets with these limits of the volunteer */
  limits?: Partial<Limits>
}

function describeSigners ({ signers }: Judgement): Row[] {
  if (signers.length === 0) return [['signed by', ['nobody, so anyone may have made it']]]
  return signers.flatMap((signer): Row[] => [
    ['signed by', describeSigner(signer)],
    // a stranger can use any name
    ...(signer.claimed === undefined ? [] : [['own name', [escapeText(signer.claimed)], BAR] satisfies Row])
  ])
}

function describeTime ({ timeoutMs, pieceCount, completeCommand, completeTimeoutMs, verifyTimeoutMs }: Task): string[] {
  const atEnd = [
    ...(completeCommand === undefined || completeTimeoutMs === undefined
      ? []
      : [`${formatDuration(completeTimeoutMs)} per file at the end`]),
    ...(verifyTimeoutMs === undefined ? [] : [`${formatDuration(verifyTimeoutMs)} to verify a piece`])
  ]
  if (timeoutMs === undefined)
    return [
      `none given; the default is ${formatDuration(DEFAULT_LIMITS.timeoutMs)} per piece, unless the volunteer sets another`,
      ...atEnd
    ]
  return [`${formatDuration(timeoutMs)} per piece, ${formatDuration(timeoutMs * pieceCount)} for all of them`, ...atEnd]
}

function describeNeeds ({ needs = {}, memoryBytes, scratchBytes }: Task): Row[] {
  const { tools = [], commands = [], cpus, arch = [], gpu } = needs
  const machine = [
    ...tools,
    ...(cpus === undefined ? [] : [plural(cpus, 'processor')]),
    ...(arch.length === 0 ? [] : [arch.join(' or ')]),
    ...(gpu === true ? ['a GPU'] : [])
  ]
  const each = [
    ...(memoryBytes === undefined ? [] : [`${formatBytes(memoryBytes)} of memory`]),
    ...(scratchBytes === undefined ? [] : [`${formatBytes(scratchBytes)} in its folder`])
  ]
  return [
    ...(machine.length === 0 ? [] : [['it needs', [machine.join(', ')]] satisfies Row]),
    ...commands.map((command): Row => ['must pass', escapeLines(command), BAR]),
    ...(each.length === 0 ? [] : [['it needs', [`${each.join(', ')} per command`]] satisfies Row])
  ]
}

/** What a command gets of this machine; and the flags that would give it what it asks for. */
function describeUse (task: Task, given: Partial<Limits>): Row[] {
  const { timeoutMs } = task
  const asks = { ...spaceAsked(task), ...(timeoutMs !== undefined && { timeoutMs }) }
  const gets = limitsFor(asks, given)
  const atEnd =
    task.completeCommand === undefined
      ? ''
      : ` (${formatDuration(limitsFor({ timeoutMs: completeMsOf(task) }, given).timeoutMs)} per file at the end)`
  const use = `${formatDuration(gets.timeoutMs)}${atEnd}, ${formatBytes(gets.memoryBytes)} of memory, ${formatBytes(gets.scratchBytes)} in its folder, ${gets.processes} processes`
  const lacks = [
    ...((asks.timeoutMs ?? 0) > gets.timeoutMs ? [`--max-time ${asks.timeoutMs! / 1000}`] : []),
    ...((asks.memoryBytes ?? 0) > gets.memoryBytes ? [`--max-memory ${asks.memoryBytes}`] : []),
    ...((asks.scratchBytes ?? 0) > gets.scratchBytes ? [`--max-scratch ${asks.scratchBytes}`] : [])
  ]
  return [
    [
      'it may use',
      [
        `${use} per command`,
        ...(lacks.length === 0 ? [] : [`less than it needs; to allow it more, pass ${lacks.join(' ')}`])
      ]
    ]
  ]
}

function describeTrackers (task: Task, more: readonly string[]): string[] {
  const added = more.filter(url => !task.announce.includes(url)).map(url => `${escapeText(url)} (--announce)`)
  const all = [...capped(task.announce.map(escapeText)), ...added]
  return all.length === 0 ? ['none'] : all
}

/** A task as lines for a user. */
export function describeTask (
  task: Task, { outDir, columns = Infinity, judgement, binds = [], limits, announce = [] }: DescribeOptions = {}
): string[] {
  const optional: Array<Row | false> = [
    task.legacy && ['format', ['2014; the info-hash does not cover the command']],
    task.convertedFrom !== undefined && [
      'converted', [`from a task file of 2014, whose info-hash ${task.convertedFrom} does not cover the command`]
    ],
    task.comment !== undefined && ['comment', escapeLines(task.comment), BAR],
    task.createdBy !== undefined && ['made by', [escapeText(task.createdBy)]],
    task.created !== undefined && ['made on', [task.created.toISOString()]]
  ]
  return [`${escapeText(task.name)}: a task of ${plural(task.pieceCount, 'piece')}`, ...section([
    ['info-hash', [task.infoHash]],
    ...(judgement === undefined ? [] : describeSigners(judgement)),
    ...(task.unsupported === undefined ? [] : [['unknown', [`${escapeText(task.unsupported.join(', '))}: not computed by this version; update BitWorker`]] satisfies Row]),
    ...(task.command === '' ? [] : [['command', escapeLines(task.command), BAR] satisfies Row]),
    task.unsupported !== undefined ? ['at the end', ['not known to this version']] : task.completeCommand === undefined ? ['at the end', [task.outputPattern === undefined ? 'the parts are joined' : 'each piece is a file']] : ['at the end', escapeLines(task.completeCommand), BAR],
    ...(task.completeBy === undefined ? [] : [['', ['run by its author only; others keep the parts']] satisfies Row]),
    ...describeVerifying(task),
    [task.files.length === 1 ? 'file' : 'files', describeFiles(task, outDir)],
    ...(task.inputs === undefined ? [] : [['it reads', describeInputs(task)] satisfies Row]),
    ...(binds.length === 0 ? [] : [['it sees', binds.map(({ path: from, name }) => escapeText(path.resolve(from)) + (name === undefined ? '' : ` as ${escapeText(name)}`))] satisfies Row]),
    ['piece size', [`at most ${formatBytes(task.pieceLength)}, ${formatBytes(task.length)} for all of them`]],
    ...(task.command === '' ? [] : [['time limit', describeTime(task)] satisfies Row]),
    ...describeNeeds(task),
    ...(limits === undefined ? [] : describeUse(task, limits)),
    ['trackers', describeTrackers(task, announce)],
    ...(task.private === true ? [['private', ['peers are found only through its trackers, not through DHT, local network or peer exchange']] satisfies Row] : []),
    ...optional.filter(row => row !== false)
  ], columns)]
}

/** The fields of `task` events and `info --json`. */
export interface TaskFields extends VerifyingFields {
  infoHash: string
  name: string
  pieces: number
  /** the largest size of a piece in bytes */
  pieceLength: number
  command: string
  completeCommand?: string
  completeBy?: 'author'
  /** features that this version does not support */
  unsupported?: readonly string[]
  /** time limit of a work item in seconds */
  timeout?: number
  /** time limit of the complete command of each file in seconds */
  completeTimeout?: number
  needs?: TaskNeeds
  /** memory that each command asks for, in bytes */
  memory?: number
  scratch?: number
  files: Array<{ path: string, parts: number }>
  outputPattern?: string
  /** the inputs of the commands */
  inputs?: InputFields[]
  announce: string[]
  private?: boolean
  comment?: string
  createdBy?: string
  created?: string
  legacy: boolean
  /** info-hash of the legacy task file that it was converted from */
  convertedFrom?: string
  magnet: string
  /** the verdict of the trust list */
  trust?: Judgement['verdict']
  signers?: Judgement['signers']
}

/** A task as the fields of a JSON event. */
export function taskFields (task: Task, judgement?: Judgement): TaskFields {
  return {
    infoHash: task.infoHash,
    name: task.name,
    pieces: task.pieceCount,
    pieceLength: task.pieceLength,
    command: task.command,
    ...(task.completeCommand !== undefined && { completeCommand: task.completeCommand }),
    ...(task.completeBy !== undefined && { completeBy: task.completeBy }),
    ...verifyingFields(task),
    ...(task.unsupported !== undefined && { unsupported: task.unsupported }),
    ...(task.timeoutMs !== undefined && { timeout: task.timeoutMs / 1000 }),
    ...(task.completeTimeoutMs !== undefined && { completeTimeout: task.completeTimeoutMs / 1000 }),
    ...(task.needs !== undefined && { needs: task.needs }),
    ...(task.memoryBytes !== undefined && { memory: task.memoryBytes }),
    ...(task.scratchBytes !== undefined && { scratch: task.scratchBytes }),
    ...(task.inputs !== undefined && { inputs: inputFields(task) }),
    files: task.files.map(file => ({ path: file.path, parts: file.parts })),
    ...(task.outputPattern !== undefined && { outputPattern: task.outputPattern }),
    announce: task.announce,
    ...(task.private !== undefined && { private: task.private }),
    ...(task.comment !== undefined && { comment: task.comment }),
    ...(task.createdBy !== undefined && { createdBy: task.createdBy }),
    ...(task.created !== undefined && { created: task.created.toISOString() }),
    legacy: task.legacy,
    ...(task.convertedFrom !== undefined && { convertedFrom: task.convertedFrom }),
    magnet: magnetOf(task),
    ...(judgement !== undefined && { trust: judgement.verdict, signers: judgement.signers })
  }
}

/**
 * Turns the options of createTask into dictionaries. Checks only what would otherwise be lost or misread in bencode.
 * The reader checks all other rules, since every new task is read back before it is returned. Pure. Called by
 * lib/task/task.ts.
 */
import type { Encodable } from '../base/bencode.ts'
import { asksDict } from './asks.ts'
import { commandsDict } from './command.ts'
import { checkPieceLength, MAX_PIECES, tooManyPieces } from './info.ts'
import { inputsList } from './inputs.ts'
import { quote } from './names.ts'
import { needsDict } from './needs.ts'
import { isTrackerUrl, MAX_REMARK_LENGTH, MAX_TRACKERS, trackerProblem } from './trackers.ts'
import { taskError } from './types.ts'
import type { CreateTaskOptions } from './types.ts'
import { versionFor } from './unsupported.ts'
import { verifyingDict } from './verifying.ts'

const DEFAULT_PIECE_LENGTH = 1024 * 1024
const LONE_SURROGATE = /\p{Surrogate}/u

type EncodableDict = Record<string, Encodable | undefined>

/**
 * Makes the info dictionary. Throws BW_ERR_TASK_OPTIONS, BW_ERR_TASK_PIECE_LENGTH, BW_ERR_TASK_TOO_MANY_PIECES,
 * BW_ERR_TASK_TIMEOUT, BW_ERR_TASK_LIMITS.
 */
export function createInfo (opts: CreateTaskOptions): EncodableDict {
  const { name, command, completeCommand } = opts
  checkText('name', name)
  checkText('command', command)
  checkOptionalText('completeCommand', completeCommand)
  checkOptionalText('outputPattern', opts.outputPattern)
  checkOptionalText('root', opts.root)
  checkOptionalText('verifyCommand', opts.verifyCommand)
  checkOptionalText('compareCommand', opts.compareCommand)
  if (opts.outputPattern !== undefined && opts.parts === undefined) {
    throw badOption('A task with an outputPattern needs parts (a number): each is a file.')
  }
  const pieceLength = checkPieceLength(opts.pieceLength ?? DEFAULT_PIECE_LENGTH)
  const bitworker = {
    ...commandsDict({ command, ...(completeCommand !== undefined && completeCommand !== '' && { completeCommand }) }),
    ...asksDict(opts),
    ...verifyingDict(opts),
    inputs: inputsList(opts.inputs),
    needs: needsDict(opts.needs),
    root: opts.root,
    'complete by': completeByOf(opts),
    'output pattern': opts.outputPattern
  }
  checkRemark('comment', opts.comment)
  return {
    comment: opts.comment === '' ? undefined : opts.comment,
    name,
    'piece length': pieceLength,
    ...createFiles(opts, pieceLength),
    private: opts.private === true ? 1 : undefined,
    bitworker: { version: versionFor(bitworker), ...bitworker }
  }
}

/**
 * Makes the entries beside the info dictionary. Throws BW_ERR_TASK_OPTIONS. BEP 3, BEP 12: one tier per tracker, as
 * WebTorrent writes them.
 */
export function createRemarks (
  opts: Pick<CreateTaskOptions, 'announce' | 'comment' | 'createdBy' | 'created'>
): EncodableDict {
  const { comment, createdBy, created } = opts
  const announce = checkTrackers(opts.announce ?? [])
  checkRemark('comment', comment)
  checkRemark('createdBy', createdBy)
  return {
    announce: announce[0],
    'announce-list': announce.length === 0 ? undefined : announce.map(url => [url]),
    comment,
    'created by': createdBy,
    'creation date': created === undefined ? undefined : toSeconds(created)
  }
}

/** Not written where it changes nothing, so that the info-hash is the same. Throws BW_ERR_TASK_OPTIONS. */
function completeByOf ({ completeBy = 'all', completeCommand }: CreateTaskOptions): 'author' | undefined {
  if (completeBy !== 'author' && completeBy !== 'all') throw badOption("completeBy must be 'author' or 'all'.")
  if (completeBy === 'author' && (completeCommand ?? '') === '') throw badOption('completeBy needs a completeCommand.')
  return completeBy === 'author' ? completeBy : undefined
}

function createFiles ({ parts, files }: CreateTaskOptions, pieceLength: number): EncodableDict {
  if ((parts === undefined) === (files === undefined)) {
    throw badOption('A task needs either parts (a number) or files (a list), not both.')
  }
  if (files === undefined) return { length: checkParts(parts) * pieceLength }
  if (!Array.isArray(files)) throw badOption('files must be a list of { path, parts }.')
  return {
    files: files.map(file => {
      checkText('path', file?.path)
      return { path: file.path.split('/'), length: checkParts(file.parts) * pieceLength }
    })
  }
}

function checkParts (parts: unknown): number {
  if (typeof parts !== 'number' || !Number.isInteger(parts) || parts < 1) {
    throw badOption(`parts must be a whole number of at least 1, not ${quote(String(parts))}.`)
  }
  if (parts > MAX_PIECES) throw tooManyPieces()
  return parts
}

function checkTrackers (announce: readonly string[]): readonly string[] {
  if (!Array.isArray(announce)) throw badOption('announce must be a list of URLs.')
  if (announce.length > MAX_TRACKERS) {
    throw badOption(`announce has ${announce.length} trackers; at most ${MAX_TRACKERS} are allowed.`)
  }
  for (const url of announce) {
    if (isTrackerUrl(url)) continue
    throw badOption(
      `The tracker ${quote(String(url))} is not an http, https, udp, ws or wss URL${because(trackerProblem(url))}.`
    )
  }
  return announce
}

function because (problem: string | undefined): string {
  return problem === undefined ? '' : `: ${problem}`
}

function toSeconds (date: Date): number {
  const seconds = date instanceof Date ? Math.floor(date.getTime() / 1000) : NaN
  if (seconds >= 0) return seconds
  throw badOption('created must be a Date in 1970 or later.')
}

function checkRemark (option: string, value: string | undefined): void {
  checkOptionalText(option, value)
  if ((value ?? '').length > MAX_REMARK_LENGTH) {
    throw badOption(`${option} is longer than ${MAX_REMARK_LENGTH} characters.`)
  }
}

function checkOptionalText (option: string, value: unknown): void {
  if (value !== undefined) checkText(option, value)
}

function checkText (option: string, value: unknown): void {
  if (typeof value !== 'string') throw badOption(`${option} must be a string.`)
  if (LONE_SURROGATE.test(value)) {
    throw badOption(`${option} is not well-formed Unicode, so it cannot be written as UTF-8.`)
  }
}

function badOption (message: string): Error {
  return taskError('BW_ERR_TASK_OPTIONS', message, 'usage')
}

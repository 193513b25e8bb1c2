/**
 * The part of the info dictionary that task files share with torrents (BEP 3): names, lengths, and how the pieces are
 * distributed over the files. Pure. Called by lib/task/task.ts.
 */
import { textOf } from '../base/bencode.ts'
import type { Bdict, Bvalue } from '../base/bencode.ts'
import { checkPaths, quote } from './names.ts'
import { patternPaths, readPattern } from './output-pattern.ts'
import { TaskFlaw } from './types.ts'
import type { Task, TaskFile } from './types.ts'

/** Each piece takes up memory, so a small file must not be able to ask for more pieces than this. */
export const MAX_PIECES = 2 ** 20
const MAX_PIECE_LENGTH = 2 ** 30
/** Far below 2^53, so that sums of lengths are exact. */
export const MAX_LENGTH = 2 ** 50
const MAX_FILES = 10_000

/** The result of `readInfo`. */
export type InfoFields = Pick<
  Task, 'name' | 'pieceLength' | 'pieceCount' | 'length' | 'files' | 'private' | 'outputPattern'
>

/**
 * Reads and checks names, lengths and files. Throws BW_ERR_TASK_PIECE_LENGTH, BW_ERR_TASK_NAME, BW_ERR_TASK_NO_FILES,
 * BW_ERR_TASK_FILES, BW_ERR_TASK_TOO_MANY_FILES, BW_ERR_TASK_LENGTH, BW_ERR_TASK_TOO_MANY_PIECES. BEP 3.
 */
export function readInfo (info: Bdict): InfoFields {
  const pieceLength = checkPieceLength(info.get('piece length'))
  const name = nameOf(info.get('name'), 'name')
  const pattern = readPattern(info.get('bitworker'))
  const entries = pattern === undefined ? readEntries(info, name) : entriesOf(pattern, info, { name, pieceLength })
  checkPaths(entries.map(entry => entry.path))
  const files = layOut(entries, pieceLength)
  const pieceCount = files.reduce((count, file) => count + file.parts, 0)
  const isPrivate = info.get('private')
  return {
    name,
    pieceLength,
    pieceCount,
    length: pieceCount * pieceLength,
    files,
    ...(pattern !== undefined && { outputPattern: pattern }),
    ...(isPrivate !== undefined && { private: isPrivate !== 0 })
  }
}

/** Returns the value if it is a valid piece length. Throws BW_ERR_TASK_PIECE_LENGTH. */
export function checkPieceLength (value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_PIECE_LENGTH) return value
  const what =
    value === undefined
      ? 'no piece length'
      : `the piece length ${typeof value === 'number' ? value : 'of a wrong type'}`
  throw new TaskFlaw(
    'BW_ERR_TASK_PIECE_LENGTH', `The task has ${what}, not a whole number from 1 to ${MAX_PIECE_LENGTH} bytes`
  )
}

/** Makes the error for a task with too many pieces. */
export function tooManyPieces (): Error {
  return new TaskFlaw(
    'BW_ERR_TASK_TOO_MANY_PIECES',
    `The task has more than ${MAX_PIECES} pieces. Make them larger, or split the task`
  )
}

interface Entry { path: string[], length: number }

function readEntries (info: Bdict, name: string): Entry[] {
  const files = info.get('files')
  const length = info.get('length')
  if (files === undefined && length === undefined) throw noFiles('neither `files` nor `length`')
  if (files !== undefined && length !== undefined) {
    throw badFiles('both `files` and `length`, so it is not clear which counts')
  }
  if (files === undefined) {
    checkAttributes(info)
    return [{ path: [name], length: checkLength(length, name) }]
  }
  if (!Array.isArray(files)) throw badFiles('a `files` that is not a list')
  if (files.length === 0) throw noFiles('an empty list of files')
  if (files.length > MAX_FILES) throw tooManyFiles(files.length)
  return files.map(file => readEntry(file, name))
}

/** One file per piece, in a folder named after the task. */
function entriesOf (
  pattern: string, info: Bdict, { name, pieceLength }: { name: string, pieceLength: number }
): Entry[] {
  if (info.has('files')) throw badFiles('both `files` and an output pattern, so it is not clear which counts')
  const [{ length } = { length: 0 }] = readEntries(info, name)
  const count = Math.ceil(length / pieceLength)
  if (count > MAX_FILES) throw tooManyFiles(count)
  return patternPaths(pattern, count).map(path => ({ path: [name, ...path], length: pieceLength }))
}

function tooManyFiles (count: number): Error {
  return new TaskFlaw('BW_ERR_TASK_TOO_MANY_FILES', `The task has ${count} files; at most ${MAX_FILES} are allowed`)
}

function readEntry (file: Bvalue, name: string): Entry {
  if (!(file instanceof Map)) throw badFiles('a file that is not a dictionary')
  const path = file.get('path')
  if (!Array.isArray(path) || path.length === 0) throw badFiles('a file without a path')
  checkAttributes(file)
  const components = path.map(component => nameOf(component, 'path'))
  return { path: [name, ...components], length: checkLength(file.get('length'), components.join('/')) }
}

/** BEP 47: a command cannot compute a symbolic link or padding. */
function checkAttributes (entry: Bdict): void {
  const attributes = entry.has('attr') ? textOf(entry.get('attr')) : ''
  if (entry.has('symlink path') || attributes === undefined || /[lp]/.test(attributes)) {
    throw badFiles('a file that is a symbolic link or padding (BEP 47)')
  }
}

function nameOf (value: Bvalue | undefined, key: string): string {
  const text = textOf(value)
  if (text !== undefined) return text
  const why = value === undefined ? `no \`${key}\`` : `a \`${key}\` that is not UTF-8 text`
  throw new TaskFlaw('BW_ERR_TASK_NAME', `The task has ${why}`)
}

function checkLength (value: Bvalue | undefined, path: string): number {
  if (typeof value === 'number' && value >= 1 && value <= MAX_LENGTH) return value
  const what =
    value === undefined
      ? 'no length'
      : typeof value === 'number'
        ? `the length ${value}`
        : 'a length that is not a number'
  throw new TaskFlaw('BW_ERR_TASK_LENGTH', `The task's file ${quote(path)} has ${what}, not 1 to 2^50 bytes`)
}

/**
 * Every file starts at a piece boundary, because a part belongs to one file. Offsets are therefore not BEP 3's running
 * sum.
 */
function layOut (entries: Entry[], pieceLength: number): TaskFile[] {
  let firstPiece = 0
  return entries.map(({ path, length }) => {
    const parts = Math.ceil(length / pieceLength)
    const file = {
      path: path.join('/'),
      name: path.at(-1)!,
      length: parts * pieceLength,
      offset: firstPiece * pieceLength,
      parts,
      firstPiece
    }
    firstPiece += parts
    if (firstPiece > MAX_PIECES) throw tooManyPieces()
    return file
  })
}

function noFiles (what: string): Error {
  return new TaskFlaw('BW_ERR_TASK_NO_FILES', `The task has ${what}, so there is nothing to compute`)
}

function badFiles (what: string): Error {
  return new TaskFlaw('BW_ERR_TASK_FILES', `The task has ${what}`)
}

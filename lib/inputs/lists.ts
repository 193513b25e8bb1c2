/**
 * Lists of parameters: lines, tables, JSON; combinations of several as in GNU parallel; and cutting a list into slices.
 * Pure. Called by lib/inputs/make-task.ts and the command line.
 */
import { isUtf8 } from 'node:buffer'
import { parse } from 'csv-parse/sync'
import { BitWorkerError } from '../base/errors.ts'
import { columnsProblem } from '../task/columns.ts'
import { quote } from '../task/names.ts'
import { checkCount } from './ranges.ts'
import type { ValueList } from './ranges.ts'
import { escapeValue, MAX_ENTRY_BYTES } from './slices.ts'

/** As much as fits into memory twice; enough for all pieces that a task may have. */
const MAX_LIST_BYTES = 2 ** 30

/** Data and table of a list, see docs/task-file.md. */
export interface SlicedList {
  data: Uint8Array
  /** the offsets of the slices, in the format of `slices` */
  offsets: Uint8Array
  pieceCount: number
  columns: readonly string[]
  chunk: number
}

/** The lines of a text, for combination with other lists. Throws BW_ERR_INPUT_SOURCE. */
export function linesList (bytes: Uint8Array, name: string): ValueList {
  const lines = textIn(withoutMarks(bytes), name).split('\n')
  if (lines.at(-1) === '') lines.pop()
  return { rows: lines.map(line => [line]) }
}

/** A table (RFC 4180, or with `;` or tabs) whose first line contains the names. Throws BW_ERR_INPUT_SOURCE. */
export function csvList (bytes: Uint8Array, name: string): ValueList {
  const text = textIn(bytes, name)
  let rows: string[][]
  try {
    rows = parse(text, { bom: true, skip_empty_lines: true, delimiter: delimiterOf(text) })
  } catch (error) {
    throw listError(name, `is not a CSV table: ${(error as Error).message}`)
  }
  const [columns, ...rest] = rows
  if (columns === undefined) throw listError(name, 'is empty; its first line has the names of the columns')
  checkColumns(columns, name)
  if (rest.length === 0) throw listError(name, 'has no entry below the names in its first line')
  return { columns, rows: rest }
}

/**
 * A JSON array, or one JSON text per line: each element is an entry, as JSON on one line. If all elements are objects
 * with the same keys, the keys are columns: strings are used as they are, other values as JSON. Throws
 * BW_ERR_INPUT_SOURCE.
 */
export function jsonList (bytes: Uint8Array, name: string): ValueList {
  const text = textIn(withoutMarks(bytes), name)
  let items: unknown
  try {
    items = jsonItems(text)
  } catch (error) {
    throw listError(name, `is not JSON: ${(error as Error).message}`)
  }
  if (!Array.isArray(items)) throw listError(name, 'is not a JSON array')
  const columns = keysOf(items[0])
  const isTable = columns.length > 0 && items.every(item => {
    const keys = keysOf(item)
    return keys.length === columns.length && columns.every(column => keys.includes(column))
  })
  if (!isTable) return { rows: items.map(item => [JSON.stringify(item)]) }
  checkColumns(columns, name)
  return {
    columns, rows: items.map(item => columns.map(column => valueOf((item as Record<string, unknown>)[column])))
  }
}

/** The array, or what the lines have. */
function jsonItems (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const lines = text.split('\n').filter(line => line.trim() !== '')
    if (lines.length < 2) throw error
    try {
      return lines.map(line => JSON.parse(line) as unknown)
    } catch {
      throw error // what is wrong with the array
    }
  }
}

function valueOf (value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function keysOf (item: unknown): string[] {
  return typeof item === 'object' && item !== null && !Array.isArray(item) ? Object.keys(item) : []
}

/**
 * All combinations; the last list varies fastest, as with GNU parallel's `:::`. If there are several values without a
 * name, they are called ENTRY1, ENTRY2 … Throws BW_ERR_INPUT_SOURCE.
 */
export function combine (lists: readonly ValueList[]): ValueList {
  const [only] = lists
  if (lists.length === 1 && (only!.columns !== undefined || (only!.rows[0]?.length ?? 1) === 1)) return only!
  let unnamed = 0
  const columns = lists.flatMap(list => list.columns ?? (list.rows[0] ?? ['']).map(() => `ENTRY${++unnamed}`))
  checkColumns(columns, 'the lists together')
  checkCount(lists.reduce((product, { rows }) => product * rows.length, 1))
  const rows = lists.reduce<ReadonlyArray<readonly string[]>>(
    (before, list) => before.flatMap(row => list.rows.map(more => [...row, ...more])), [[]]
  )
  return { columns, rows }
}

/**
 * The lists side by side, as with GNU parallel's `:::+`, but all must have as many entries. Throws BW_ERR_INPUT_SOURCE.
 */
export function linked (lists: readonly ValueList[]): ValueList {
  const [first] = lists
  const other = lists.find(({ rows }) => rows.length !== first!.rows.length)
  if (other !== undefined) {
    const [one, another] = [first!.rows.length, other.rows.length]
    throw new BitWorkerError(
      'BW_ERR_INPUT_SOURCE', 'usage', `A list of ${another} entries cannot be linked to one of ${one}; they need the same number.`
    )
  }
  return { rows: first!.rows.map((_, i) => lists.flatMap(({ rows }) => rows[i]!)) }
}

/**
 * The lines of a file, with or without a final line feed. Throws BW_ERR_INPUT_SOURCE.
 */
export function sliceLines (bytes: Uint8Array, chunk: number, name: string): SlicedList {
  const text = withoutMarks(bytes)
  const whole = text.at(-1) === 0x0a ? text : Buffer.concat([text, Buffer.from('\n')])
  if (text.length === 0) throw listError(name, 'has no entry')
  checkText(whole, name)
  const ends: number[] = []
  for (let at = whole.indexOf(0x0a); at !== -1; at = whole.indexOf(0x0a, at + 1)) {
    const start = ends.at(-1) ?? 0
    if (at - start > MAX_ENTRY_BYTES) throw tooLong(name, ends.length)
    ends.push(at + 1)
  }
  return cut(whole, ends, { chunk, columns: [] })
}

/** The rows as lines of values. Throws BW_ERR_INPUT_SOURCE. */
export function sliceRows ({ columns = [], rows }: ValueList, chunk: number, name: string): SlicedList {
  if (rows.length === 0) throw listError(name, 'has no entry')
  const isPlain = columns.length === 0
  const lines = rows.map(row => (isPlain ? row[0]! : row.map(escapeValue).join('\t')))
  if (isPlain && lines.some(line => line.includes('\n'))) throw listError(name, 'has an entry with several lines')
  const data = Buffer.from(`${lines.join('\n')}\n`)
  checkText(data, name)
  let end = 0
  const ends = lines.map((line, i) => {
    const length = Buffer.byteLength(line)
    if (length > MAX_ENTRY_BYTES) throw tooLong(name, i)
    return (end += length + 1)
  })
  return cut(data, ends, { chunk, columns })
}

/** Ends a slice after every `chunk`th entry. */
function cut (
  data: Uint8Array, ends: readonly number[], { chunk, columns }: Pick<SlicedList, 'chunk' | 'columns'>
): SlicedList {
  const pieceCount = Math.ceil(ends.length / chunk)
  const table = new DataView(new ArrayBuffer((pieceCount + 1) * 8))
  for (let piece = 1; piece <= pieceCount; piece++) {
    table.setBigUint64(piece * 8, BigInt(ends[Math.min(piece * chunk, ends.length) - 1]!))
  }
  return { data, offsets: new Uint8Array(table.buffer), pieceCount, columns, chunk }
}

/** No name of a column has one of the three in it. */
function delimiterOf (text: string): string {
  const [header = ''] = text.split(/[\r\n]/, 1)
  return [',', ';', '\t'].find(mark => header.includes(mark)) ?? ','
}

/** Without what editors on Windows put into a text: a byte order mark, and CR before each LF. */
function withoutMarks (bytes: Uint8Array): Uint8Array {
  const text = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
  const buffer = Buffer.from(text.buffer, text.byteOffset, text.length)
  return buffer.includes('\r\n') ? withoutReturns(buffer) : text
}

function withoutReturns (text: Buffer): Uint8Array {
  const made = new Uint8Array(text.length)
  let [start, length] = [0, 0]
  for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n', start)) {
    made.set(text.subarray(start, at), length)
    length += at - start
    start = at + 1
  }
  made.set(text.subarray(start), length)
  return made.subarray(0, length + text.length - start)
}

function textIn (bytes: Uint8Array, name: string): string {
  checkText(bytes, name)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
}

function checkText (bytes: Uint8Array, name: string): void {
  if (bytes.length > MAX_LIST_BYTES) throw listError(name, `has more than ${MAX_LIST_BYTES} bytes`)
  const isUtf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (!isUtf8(bytes)) throw listError(name, `is not UTF-8${isUtf16 ? ', but UTF-16' : ''}; save it as UTF-8`)
  if (bytes.includes(0)) throw listError(name, 'contains a NUL character')
}

function checkColumns (columns: readonly string[], name: string): void {
  const problem = columnsProblem(columns)
  if (problem !== null) throw listError(name, `${problem}; each name is a variable of the command`)
}

function tooLong (name: string, index: number): BitWorkerError {
  return listError(name, `has an entry of more than ${MAX_ENTRY_BYTES} bytes (entry ${index + 1})`)
}

function listError (name: string, why: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_INPUT_SOURCE', 'usage', `The list ${quote(name)} ${why}.`)
}

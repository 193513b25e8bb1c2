/**
 * The slices of a split input: which bytes of its torrent a piece of the task needs, the path of the slice for the work
 * item, and the variables that it gets. Pure. Called by the code that downloads inputs, and by the code that runs work
 * items.
 */
import { BitWorkerError } from '../base/errors.ts'
import { quote } from '../task/names.ts'
import type { EmbeddedInput, TaskInput, TorrentInput } from '../task/types.ts'
import type { InputLayout } from './metainfo.ts'

/** On Linux, a variable has at most 128 KiB, including its name. */
export const MAX_ENTRY_BYTES = 100 * 1024
const OFFSET_BYTES = 8
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\', t: '\t', n: '\n', r: '\r' }

/** The bytes from `start` to `end` (exclusive) of a file of an input torrent. */
export interface FileRange {
  /** index in the layout's files */
  file: number
  start: number
  end: number
}

/** A range of torrent pieces, both ends included. */
export interface TorrentPieces { first: number, last: number }

/** The slice of a piece. null for a list, whose table must be read first: see `tableRange` and `rangeFromTable`. */
export function rangeOf (input: TorrentInput, layout: InputLayout, piece: number): FileRange | null {
  const { split } = input
  if (split?.by === 'files') return { file: piece, start: 0, end: layout.files[piece]!.length }
  if (split?.by !== 'bytes') return null
  return { file: 0, start: piece * split.size, end: Math.min((piece + 1) * split.size, layout.length) }
}

/** The position of the two offsets (16 bytes) that delimit the slice of a piece. For lists only. */
export function tableRange (layout: InputLayout, piece: number): FileRange {
  const start = piece * OFFSET_BYTES
  return { file: layout.files.length - 1, start, end: start + 2 * OFFSET_BYTES }
}

/**
 * The slice between two offsets of the table.
 *
 * @param offsets the bytes at `tableRange`. Their hash was checked, but the author may have written nonsense, or an
 * entry that is too large, which must not be downloaded. Throws BW_ERR_INPUT
 */
export function rangeFromTable (input: TorrentInput, layout: InputLayout, offsets: Uint8Array): FileRange {
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.length)
  const start = view.getBigUint64(0)
  const end = view.getBigUint64(OFFSET_BYTES)
  if (start > end || end > BigInt(layout.files[0]!.length)) {
    throw inputError(input, 'has a table whose offsets go backwards or beyond its data')
  }
  if (hasVariables(input) && end - start > MAX_ENTRY_BYTES + 1) throw tooLong(input)
  return { file: 0, start: Number(start), end: Number(end) }
}

/** The torrent pieces that contain a range; null if it is empty. */
export function torrentPiecesOf (layout: InputLayout, { file, start, end }: FileRange): TorrentPieces | null {
  if (start === end) return null
  const { offset } = layout.files[file]!
  return {
    first: Math.floor((offset + start) / layout.pieceLength), last: Math.floor((offset + end - 1) / layout.pieceLength)
  }
}

/**
 * The group of a piece: the torrent piece in which its slice begins. For a list, it is an estimate that assumes slices
 * of equal size, because reading the table would cost too much for a hint. All peers get the same number.
 */
export function groupOf (input: TorrentInput, layout: InputLayout, piece: number, pieceCount: number): number {
  const range = rangeOf(input, layout, piece)
  if (range === null) return Math.floor(((piece / pieceCount) * layout.files[0]!.length) / layout.pieceLength)
  return Math.floor((layout.files[range.file]!.offset + range.start) / layout.pieceLength)
}

/** The slice of a piece of an embedded input, as a view. */
export function embeddedSlice ({ data, split }: EmbeddedInput, piece: number): Uint8Array {
  if (split?.by === 'bytes') return data.subarray(piece * split.size, (piece + 1) * split.size)
  if (split?.by !== 'table' || split.offsets === undefined) return data
  const { buffer, byteOffset, length } = split.offsets
  const table = new DataView(buffer, byteOffset, length)
  const offset = (index: number): number => Number(table.getBigUint64(index * OFFSET_BYTES))
  return data.subarray(offset(piece), offset(piece + 1))
}

/**
 * The path of a piece's slice, relative to the working directory of its work item: `INPUT`.
 *
 * @param layout for an input torrent only
 */
export function slicePath ({ name, split }: TaskInput, layout: InputLayout | undefined, piece: number): string {
  return split?.by === 'files' && layout !== undefined ? `${name}/${layout.files[piece]!.path}` : name
}

/** Whether `sliceEnv` needs the bytes of the slice. */
export function hasVariables ({ split }: TaskInput): boolean {
  return split?.by === 'table' && split.chunk === 1
}

/**
 * The variables of an entry: `ENTRY`, and one for each column. None if a slice may have several entries, or the input
 * is not a list. Throws BW_ERR_INPUT for an entry that does not fit into a variable, or does not have the columns.
 */
export function sliceEnv (input: TaskInput, slice: Uint8Array): Record<string, string> {
  const { split } = input
  if (split?.by !== 'table' || split.chunk > 1) return {}
  const entry = entryText(input, slice)
  if (split.columns.length === 0) return { ENTRY: entry }
  const values = entry.split('\t')
  if (values.length !== split.columns.length) {
    throw inputError(input, `has an entry with ${values.length} values for ${split.columns.length} columns`)
  }
  const columns = split.columns.map((column, i) => [column, unescapeValue(input, values[i]!)])
  return { ENTRY: entry, ...Object.fromEntries(columns) }
}

function entryText (input: TaskInput, slice: Uint8Array): string {
  const bytes = slice.at(-1) === 0x0a ? slice.subarray(0, -1) : slice
  if (bytes.length > MAX_ENTRY_BYTES) throw tooLong(input)
  if (bytes.includes(0)) throw inputError(input, 'has an entry that contains a NUL character')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw inputError(input, 'has an entry that is not UTF-8')
  }
}

/** Unescapes a value of an entry with columns. */
function unescapeValue (input: TaskInput, value: string): string {
  return value.replace(/\\([\s\S]?)|[\n\r]/g, (_, escaped: string | undefined) => {
    const character = ESCAPES[escaped ?? '']
    if (character === undefined) throw inputError(input, 'has an entry with a malformed value')
    return character
  })
}

/** Escapes a value for an entry with columns, like jq's `@tsv`. */
export function escapeValue (value: string): string {
  return value.replace(/[\\\t\n\r]/g, character =>
    `\\${Object.keys(ESCAPES).find(escape => ESCAPES[escape] === character)!}`)
}

function tooLong (input: TaskInput): BitWorkerError {
  return inputError(input, `has an entry of more than ${MAX_ENTRY_BYTES} bytes`)
}

function inputError ({ name }: TaskInput, why: string): BitWorkerError {
  const advice = "ask the task's author to correct it"
  return new BitWorkerError('BW_ERR_INPUT', 'input', `The input ${quote(name)} ${why}; ${advice}.`)
}

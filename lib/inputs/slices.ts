/**
 * The slices of a split input: which bytes of its torrent a piece of the task needs, where the work item finds its
 * slice, and the variables that it gets. Pure. Called by whoever fetches inputs and by whoever runs work items.
 */
import { BitWorkerError } from '../base/errors.ts'
import { quote } from '../task/names.ts'
import type { EmbeddedInput, TaskInput, TorrentInput } from '../task/types.ts'
import type { InputLayout } from './metainfo.ts'

/** A variable of a process has at most 128 KiB on Linux, its name included. */
export const MAX_ENTRY_BYTES = 100 * 1024
const OFFSET_BYTES = 8
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\', t: '\t', n: '\n', r: '\r' }

/** Bytes `start` … `end` (exclusive) of a file of an input torrent. */
export interface FileRange {
  /** index in the layout's files */
  file: number
  start: number
  end: number
}

/** The first and the last of some torrent pieces, both included. */
export interface TorrentPieces { first: number, last: number }

/**
 * The slice of a piece. Null for a list, whose table must be read first: see `tableRange` and `rangeFromTable`.
 */
export function rangeOf (input: TorrentInput, layout: InputLayout, piece: number): FileRange | null {
  const { split } = input
  if (split?.by === 'files') return { file: piece, start: 0, end: layout.files[piece]!.length }
  if (split?.by !== 'bytes') return null
  return { file: 0, start: piece * split.size, end: Math.min((piece + 1) * split.size, layout.length) }
}

/** Where the two offsets stand, 16 bytes, between which the slice of a piece is. Of lists only. */
export function tableRange (layout: InputLayout, piece: number): FileRange {
  const start = piece * OFFSET_BYTES
  return { file: layout.files.length - 1, start, end: start + 2 * OFFSET_BYTES }
}

/**
 * The slice between two offsets of the table.
 *
 * @param offsets what is at `tableRange`; it is in the torrent, so it is right by its hash, but may be nonsense, or say
 * that an entry is larger than any may be, which must not be fetched.
 * Throws BW_ERR_INPUT
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

/** The torrent pieces that hold a range; null if it is empty. */
export function torrentPiecesOf (layout: InputLayout, { file, start, end }: FileRange): TorrentPieces | null {
  if (start === end) return null
  const { offset } = layout.files[file]!
  return {
    first: Math.floor((offset + start) / layout.pieceLength), last: Math.floor((offset + end - 1) / layout.pieceLength)
  }
}

/**
 * The group of a piece: the torrent piece in which its slice begins. Of a list it is the one in which the slice would
 * begin if all were of one size: a hint, which must not cost the table. All peers get the same number.
 */
export function groupOf (input: TorrentInput, layout: InputLayout, piece: number, pieceCount: number): number {
  const range = rangeOf(input, layout, piece)
  if (range === null) return Math.floor(((piece / pieceCount) * layout.files[0]!.length) / layout.pieceLength)
  return Math.floor((layout.files[range.file]!.offset + range.start) / layout.pieceLength)
}

/** The slice of a piece, of an input that is in the info dictionary; a view of it. */
export function embeddedSlice ({ data, split }: EmbeddedInput, piece: number): Uint8Array {
  if (split?.by === 'bytes') return data.subarray(piece * split.size, (piece + 1) * split.size)
  if (split?.by !== 'table' || split.offsets === undefined) return data
  const { buffer, byteOffset, length } = split.offsets
  const table = new DataView(buffer, byteOffset, length)
  const offset = (index: number): number => Number(table.getBigUint64(index * OFFSET_BYTES))
  return data.subarray(offset(piece), offset(piece + 1))
}

/**
 * Where the work item of a piece finds its slice, from its working directory: `INPUT`.
 *
 * @param layout of an input torrent only
 */
export function slicePath ({ name, split }: TaskInput, layout: InputLayout | undefined, piece: number): string {
  return split?.by === 'files' && layout !== undefined ? `${name}/${layout.files[piece]!.path}` : name
}

/** Whether `sliceEnv` needs the bytes of the slice. */
export function hasVariables ({ split }: TaskInput): boolean {
  return split?.by === 'table' && split.chunk === 1
}

/**
 * The variables of an entry: `ENTRY` and one for each column. None if a slice may have several entries, or the input is
 * no list. Throws BW_ERR_INPUT for an entry that no variable can hold, or that does not have the columns.
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
  if (bytes.includes(0)) throw inputError(input, 'has an entry with a NUL')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw inputError(input, 'has an entry that is not UTF-8')
  }
}

/** A value of an entry with columns as the variable has it. */
function unescapeValue (input: TaskInput, value: string): string {
  return value.replace(/\\([\s\S]?)|[\n\r]/g, (_, escaped: string | undefined) => {
    const character = ESCAPES[escaped ?? '']
    if (character === undefined) throw inputError(input, 'has an entry with a malformed value')
    return character
  })
}

/** A value as it is written into an entry with columns: the escapes of jq's `@tsv`. */
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

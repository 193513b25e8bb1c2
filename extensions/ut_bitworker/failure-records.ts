/**
 * Encodes and decodes the records of `failures` (docs/ut_bitworker.md, "Failures"): why a peer gave up a piece. Pure.
 */
import { FAILURE_BYTES } from './constants.ts'
import { demand, readIndex, refuse, writeIndex } from './record-fields.ts'
import type { Bounds, Packed, RecordType } from './record-fields.ts'

/** How a command failed, in the order of their numbers. */
const FAILURE_KINDS = ['other', 'exit', 'signal', 'time', 'output', 'memory', 'disk'] as const

export type FailureKind = typeof FAILURE_KINDS[number]

/** "I have given up this piece": how the command failed the last time, and the last line that it wrote to stderr. */
export interface FailureRecord {
  index: number
  kind: FailureKind
  /** the exit code or the number of the signal, 0 to 255; 0 for other kinds */
  value: number
  /** without control characters; cut to MAX_LINE bytes of UTF-8 when it is sent */
  line: string
}

const LINE_AT = 6
const MAX_LINE = FAILURE_BYTES - LINE_AT
/** Control and format characters, and line separators: all that can change how the rest is shown. */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** <index u32><kind u8><value u8><line, filled with zero bytes> */
export const FAILURE_TYPE: RecordType<FailureRecord> = { bytes: FAILURE_BYTES, write: writeFailure, read: readFailure }

function writeFailure (to: Packed, at: number, { index, kind, value, line }: FailureRecord): void {
  demand(Number.isInteger(value) && value >= 0 && value <= 255, 'value', value)
  writeIndex(to, at, index)
  to.view.setUint8(at + 4, FAILURE_KINDS.indexOf(kind))
  to.view.setUint8(at + 5, value)
  const text = to.bytes.subarray(at + LINE_AT, at + FAILURE_BYTES)
  // encodeInto never writes half a character
  const { written } = new TextEncoder().encodeInto(line.replace(CONTROLS, ' ').slice(0, MAX_LINE), text)
  text.fill(0, written)
}

function readFailure (from: Packed, at: number, bounds: Bounds): FailureRecord {
  const index = readIndex(from, at, bounds)
  // a kind of a later version
  const kind = FAILURE_KINDS[from.view.getUint8(at + 4)] ?? 'other'
  const text = from.bytes.subarray(at + LINE_AT, at + FAILURE_BYTES)
  const end = text.indexOf(0)
  const line = text.subarray(0, end === -1 ? MAX_LINE : end)
  if (text.subarray(line.length).some(byte => byte !== 0)) throw refuse(`a failure of piece ${index} with bytes after its line`)
  return { index, kind, value: from.view.getUint8(at + 5), line: decoded(line, index) }
}

function decoded (line: Uint8Array, index: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line).replace(CONTROLS, ' ')
  } catch {
    throw refuse(`a failure of piece ${index} whose line is not UTF-8`)
  }
}

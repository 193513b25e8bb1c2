/**
 * Lists of values, and those that are ranges of numbers. Apart from lib/inputs/lists.ts, so that the command line does
 * not load what reads tables to read a flag. Pure. Called by lib/inputs/lists.ts and the command line.
 */
import { BitWorkerError } from '../base/errors.ts'

/** Of several lists together, or of a range: all are in memory. */
const MAX_ENTRIES = 2 ** 22

/** Rows of values; with no names a row is one value. */
export interface ValueList {
  /** names of the values of a row; none: they are counted, or there is only one */
  columns?: readonly string[]
  rows: ReadonlyArray<readonly string[]>
}

/** `1-250`, `1-250:10`, `10-1:3`: whole numbers. Null: it is none. */
export function rangeList (text: string): ValueList | null {
  const match = /^(-?\d{1,15})-(-?\d{1,15})(?::(\d{1,15}))?$/.exec(text)
  if (match === null) return null
  const [from, to, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)]
  if (step === 0) return null
  const count = Math.floor(Math.abs(to - from) / step) + 1
  checkCount(count)
  const sign = to < from ? -step : step
  return { rows: Array.from({ length: count }, (_, i) => [String(from + sign * i)]) }
}

/** Throws BW_ERR_INPUT_SOURCE for more entries than fit into memory. */
export function checkCount (count: number): void {
  if (count <= MAX_ENTRIES) return
  throw new BitWorkerError(
    'BW_ERR_INPUT_SOURCE', 'usage', `There would be ${count} entries; at most ${MAX_ENTRIES} are allowed.`
  )
}

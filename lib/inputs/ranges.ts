/**
 * Lists of values, and those that are ranges of numbers. Separate from lib/inputs/lists.ts, so that the command line
 * can parse a flag without loading the code for tables. Pure. Called by lib/inputs/lists.ts and the command line.
 */
import { BitWorkerError } from '../base/errors.ts'

/** Limit for all lists together, or for a range: they are in memory. */
const MAX_ENTRIES = 2 ** 22

/** Rows of values. Without names, a row is one value. */
export interface ValueList {
  /** names of the values of a row; absent: they are numbered, or there is only one */
  columns?: readonly string[]
  rows: ReadonlyArray<readonly string[]>
}

/** Parses a range of whole numbers: `1-250`, `1-250:10`, `10-1:3`. null if the text is not a range. */
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

/** Throws BW_ERR_INPUT_SOURCE if there are too many entries for the memory. */
export function checkCount (count: number): void {
  if (count <= MAX_ENTRIES) return
  throw new BitWorkerError(
    'BW_ERR_INPUT_SOURCE', 'usage', `There would be ${count} entries; at most ${MAX_ENTRIES} are allowed.`
  )
}

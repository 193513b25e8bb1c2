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

const NUMBER = String.raw`(-?\d{1,15}(?:\.\d{1,9})?)`
const RANGE = new RegExp(`^${NUMBER}-${NUMBER}(?::(\\d{1,15}(?:\\.\\d{1,9})?))?$`)

/**
 * Parses a range of numbers: `1-250`, `1-250:10`, `10-1:3`, `0-1:0.25`; with `001-250`, all numbers have as many
 * digits, as in a shell. null if the text is not a range.
 */
export function rangeList (text: string): ValueList | null {
  const [, first, last, by = '1'] = RANGE.exec(text) ?? []
  if (first === undefined || last === undefined) return null
  const decimals = Math.max(...[first, last, by].map(number => number.split('.')[1]?.length ?? 0))
  // as whole numbers, whose sums are exact
  const scaled = (number: string): number => Math.round(Number(number) * 10 ** decimals)
  const [from, to, step] = [scaled(first), scaled(last), scaled(by)]
  if (step === 0 || ![from, to, step].every(Number.isSafeInteger)) return null
  const count = Math.floor(Math.abs(to - from) / step) + 1
  checkCount(count)
  const digits = hasLeadingZero(first) || hasLeadingZero(last) ? Math.max(wholeDigits(first), wholeDigits(last)) : 0
  const sign = to < from ? -step : step
  return { rows: Array.from({ length: count }, (_, i) => [numberText(from + sign * i, decimals, digits)]) }
}

function hasLeadingZero (number: string): boolean { return /^-?0\d/.test(number) }

function wholeDigits (number: string): number { return /\d+/.exec(number)![0].length }

/** @param scaled the number times 10 ** decimals */
function numberText (scaled: number, decimals: number, digits: number): string {
  const text = String(Math.abs(scaled)).padStart(decimals + 1, '0')
  const point = text.length - decimals
  const whole = text.slice(0, point).padStart(digits, '0')
  return `${scaled < 0 ? '-' : ''}${whole}${decimals === 0 ? '' : `.${text.slice(point)}`}`
}

/** Throws BW_ERR_INPUT_SOURCE if there are too many entries for the memory. */
export function checkCount (count: number): void {
  if (count <= MAX_ENTRIES) return
  throw new BitWorkerError(
    'BW_ERR_INPUT_SOURCE', 'usage', `The lists make ${count} entries; at most ${MAX_ENTRIES} are allowed.`
  )
}

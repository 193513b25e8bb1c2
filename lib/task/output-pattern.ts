/**
 * One file per piece, named by a pattern instead of a list: the key `output pattern` of a `bitworker` dictionary of
 * version 2. Pure. Called by lib/task/info.ts and lib/task/create.ts.
 */
import { textOf } from '../base/bencode.ts'
import type { Bvalue } from '../base/bencode.ts'
import { quote } from './names.ts'
import { TaskFlaw } from './types.ts'

/** The piece's index in decimal, padded with zeros to this many digits. */
const NUMBER = /%(?:0([1-9]))?d/
const SINCE_VERSION = 2

/** Reads the pattern from the `bitworker` dictionary; undefined if there is none. Throws BW_ERR_TASK_NAME. */
export function readPattern (bitworker: Bvalue | undefined): string | undefined {
  if (!(bitworker instanceof Map) || bitworker.get('version') !== SINCE_VERSION) return undefined
  const value = bitworker.get('output pattern')
  if (value === undefined) return undefined
  const pattern = textOf(value)
  if (pattern === undefined) throw bad('that is not UTF-8 text')
  if (pattern.split('%').length !== 2 || !NUMBER.test(pattern)) {
    throw bad(`${quote(pattern)}, which must have one %d or %0Nd (N: 1 to 9) for the number of the piece, and no other %`)
  }
  return pattern
}

/** The paths of `count` files in order, relative to the task's folder. */
export function patternPaths (pattern: string, count: number): string[][] {
  const digits = Number(NUMBER.exec(pattern)?.[1] ?? 1)
  return Array.from({ length: count }, (_, index) =>
    pattern.replace(NUMBER, String(index).padStart(digits, '0')).split('/'))
}

function bad (what: string): TaskFlaw {
  return new TaskFlaw('BW_ERR_TASK_NAME', `The task has an output pattern ${what}`)
}

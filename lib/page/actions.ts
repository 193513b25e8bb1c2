/** Reads what a page asks for. Pure. */
import type { Action } from './snapshot.ts'

/** The most bytes of a request's body. */
export const MAX_ACTION_BYTES = 1_024
const MAX_SLOTS = 1_024
const MAX_INDEX = 2 ** 32 - 1

/** The number that each action has besides its name, and the lowest and highest one; null: none. */
const NUMBERS: Readonly<Record<Action['do'], readonly [name: string, from: number, to: number] | null>> = {
  pause: null,
  resume: null,
  finish: null,
  stop: null,
  slots: ['slots', 1, MAX_SLOTS],
  retry: ['piece', 0, MAX_INDEX],
  first: ['piece', 0, MAX_INDEX],
  preview: ['file', 0, MAX_INDEX]
}

/** The action in a body; null if it is not exactly one. Never throws. */
export function parseAction (body: string): Action | null {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const fields = value as Record<string, unknown>
  const what = fields['do']
  if (typeof what !== 'string' || !Object.hasOwn(NUMBERS, what)) return null
  const number = NUMBERS[what as Action['do']]
  if (Object.keys(fields).length !== (number === null ? 1 : 2)) return null
  if (number === null) return fields as unknown as Action
  const [name, from, to] = number
  const given = Number.isSafeInteger(fields[name]) ? Number(fields[name]) : NaN
  return given >= from && given <= to ? fields as unknown as Action : null
}

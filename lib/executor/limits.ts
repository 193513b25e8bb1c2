/** The limits of one command. Pure. A task may ask for less or more than the defaults; the volunteer decides. */
import { BitWorkerError } from '../base/errors.ts'

/** Limits of a work item or a complete command. */
export interface Limits {
  /** milliseconds of elapsed time, without pauses */
  timeoutMs: number
  /** milliseconds of processor time, for each of its processes */
  cpuMs: number
  /** bytes of memory, for each process and for all together */
  memoryBytes: number
  /** processes and threads at a time (in a sandbox with bwrap) */
  processes: number
  /** open files, for each of its processes */
  openFiles: number
  /** bytes in its working directory, and the same again in /tmp */
  scratchBytes: number
  /** bytes that a complete command may write */
  fileBytes: number
}

declare const checked: unique symbol

/** A volunteer's limits that have passed `validLimits`; they cannot change any more. */
export type ValidLimits = Readonly<Partial<Limits>> & { readonly [checked]: true }

/** The limits that a command asks for; the others have their defaults. */
export type Asks = Partial<Pick<Limits, 'timeoutMs' | 'memoryBytes' | 'scratchBytes'>>

const HOUR_MS = 3_600_000
const MIB = 1024 ** 2
const GIB = 1024 ** 3

/** The limits of a command that asks for nothing, if the volunteer has set none. */
export const DEFAULT_LIMITS: Readonly<Limits> = {
  timeoutMs: HOUR_MS,
  cpuMs: 4 * HOUR_MS,
  memoryBytes: 2 * GIB,
  processes: 128,
  openFiles: 256,
  scratchBytes: 512 * MIB,
  fileBytes: 16 * GIB
}

/** The most that a command may ask for, if the volunteer has set no limits. */
const MOST: Readonly<Limits> = { ...DEFAULT_LIMITS, timeoutMs: 24 * HOUR_MS, cpuMs: 96 * HOUR_MS }

/** The limits of a command: the volunteer's limits are both maximum and default. */
export function limitsFor (asks: Asks, given: Partial<Limits> = {}): Limits {
  const most = { ...MOST, ...given }
  const wanted = { ...DEFAULT_LIMITS, ...given, ...asks }
  const limits = { ...most }
  for (const name of Object.keys(most) as Array<keyof Limits>) limits[name] = Math.min(most[name], wanted[name])
  // a command that may run longer may also use more processor time
  return given.cpuMs === undefined
    ? { ...limits, cpuMs: Math.max(limits.cpuMs, Math.min(MOST.cpuMs, 4 * limits.timeoutMs)) }
    : limits
}

const valid = new WeakSet<object>()

/**
 * Checks a volunteer's limits. What this has returned passes unchecked: limits are checked once, by the first public
 * function that they are given to. Throws BW_ERR_COMPUTE_OPTIONS unless each limit is a whole number of at least 1.
 */
export function validLimits (given: Partial<Limits>): ValidLimits {
  if (isValid(given)) return given
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULT_LIMITS)) {
      throw badLimit(`There is no limit ${name}`, `one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`)
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      throw badLimit(`The limit ${name} is ${value}`, 'a whole number of at least 1')
    }
  }
  const limits = Object.freeze({ ...given })
  valid.add(limits)
  return limits as ValidLimits
}

function isValid (given: Partial<Limits>): given is ValidLimits { return valid.has(given) }

function badLimit (what: string, instead: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_COMPUTE_OPTIONS', 'usage', `${what}. Give ${instead}.`)
}

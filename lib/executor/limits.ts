/**
 * How much of this machine one command may use. Pure. The task may ask for less or for more; the volunteer decides.
 */
import { BitWorkerError } from '../base/errors.ts'

/** Limits of one work item, or one complete command. */
export interface Limits {
  /** milliseconds by the clock, without the time it was paused */
  timeoutMs: number
  /** milliseconds of processor time, for each of its processes */
  cpuMs: number
  /** bytes of memory, of each process and of all together */
  memoryBytes: number
  /** processes and threads at a time (in a sandbox with bwrap) */
  processes: number
  /** open files, for each of its processes */
  openFiles: number
  /** bytes in its working directory, and as many in /tmp */
  scratchBytes: number
  /** bytes that a complete command may write */
  fileBytes: number
}

/** What a command asks for itself; what is missing is the default. */
export type Asks = Partial<Pick<Limits, 'timeoutMs' | 'memoryBytes' | 'scratchBytes'>>

const HOUR_MS = 3_600_000
const MIB = 1024 ** 2
const GIB = 1024 ** 3

/** What a command gets that asks for nothing, where the volunteer said nothing. */
export const DEFAULT_LIMITS: Readonly<Limits> = {
  timeoutMs: HOUR_MS,
  cpuMs: 4 * HOUR_MS,
  memoryBytes: 2 * GIB,
  processes: 128,
  openFiles: 256,
  scratchBytes: 512 * MIB,
  fileBytes: 16 * GIB
}

/** What a command may ask for at most, where the volunteer said nothing. */
const MOST: Readonly<Limits> = { ...DEFAULT_LIMITS, timeoutMs: 24 * HOUR_MS, cpuMs: 96 * HOUR_MS }

/** What the volunteer gives: a command gets no more than that, and that if it does not ask. */
export function limitsFor (asks: Asks, given: Partial<Limits> = {}): Limits {
  const most = { ...MOST, ...given }
  const wanted = { ...DEFAULT_LIMITS, ...given, ...asks }
  const limits = { ...most }
  for (const name of Object.keys(most) as Array<keyof Limits>) limits[name] = Math.min(most[name], wanted[name])
  // who may run for long may compute for long
  return given.cpuMs === undefined
    ? { ...limits, cpuMs: Math.max(limits.cpuMs, Math.min(MOST.cpuMs, 4 * limits.timeoutMs)) }
    : limits
}

/** Throws BW_ERR_COMPUTE_OPTIONS unless each is a whole number of at least 1. */
export function checkLimits (given: Partial<Limits>): void {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in DEFAULT_LIMITS)) {
      throw badLimit(`there is no limit ${name}`, `one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`)
    }
    if (!Number.isSafeInteger(value) || value < 1) {
      throw badLimit(`limits.${name} is ${value}`, 'a whole number of at least 1')
    }
  }
}

function badLimit (what: string, instead: string): BitWorkerError {
  return new BitWorkerError('BW_ERR_COMPUTE_OPTIONS', 'usage', `${what}; give ${instead}.`)
}

/** Limits of a volunteer's machine, with the names and the meaning that GNU parallel has given them. */
import { availableParallelism } from 'node:os'
import { InvalidArgumentError, Option } from 'commander'
import type { DayPart, MachineRules } from '../../control/machine-rules.ts'
import { group, value } from './shared.ts'
import { parseCount, parseLimit } from './values.ts'

/** The flags as typed. */
export interface MachineFlags {
  nice?: number
  load?: number
  memfree?: number
  hours?: NonNullable<MachineRules['hours']>
  battery: boolean
}

/** The flags. */
export const machine = (): Option[] => group('Limits of this machine', [
  value('--nice <n>', 'give BitWorker and the commands this niceness, from 0 to 19 (the last in the queue)', parseNice),
  value('--load <n>', 'start no piece while the load average of the last minute is this high; 80% is that of the processor cores', parseLoad),
  value('--memfree <size>', 'start no piece while less memory than this is available', parseLimit),
  value('--hours <from-to>', 'compute only at these hours, such as 22-7 or 9:30-12,13-17 (local time); outside them, pieces are suspended', parseHours),
  new Option('--no-battery', 'suspend pieces while the machine runs on battery')
])

/** A number of slots, or a share of the processor cores such as `80%`, rounded down; at least 1. */
export function parseSlots (text: string): number {
  const share = percentOf(text)
  return share === null ? parseCount(text) : Math.max(1, Math.floor(availableParallelism() * share))
}

function parseLoad (text: string): number {
  const share = percentOf(text)
  if (share !== null) return availableParallelism() * share
  const load = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (!(load > 0 && load < 1e6)) throw new InvalidArgumentError('It must be a number above 0, such as 1.5 or 80%.')
  return load
}

/** The share of `80%`: 0.8; null for another text. */
function percentOf (text: string): number | null {
  const percent = /^(\d{1,4})%$/.exec(text)?.[1]
  if (percent === undefined) return null
  if (Number(percent) === 0) throw new InvalidArgumentError('It must be at least 1%.')
  return Number(percent) / 100
}

function parseNice (text: string): number {
  const nice = /^\d{1,2}$/.test(text) ? Number(text) : NaN
  if (!(nice <= 19)) throw new InvalidArgumentError('It must be a whole number from 0 to 19.')
  return nice
}

/** Parts of the day, such as `22-7` or `9:30-12,13-17`. */
export function parseHours (text: string): NonNullable<MachineRules['hours']> {
  const parts = text.split(',').map((part): DayPart => {
    const [, from = '', to = ''] = /^([\d:]{1,5})-([\d:]{1,5})$/.exec(part) ?? []
    return { from: minuteOf(from), to: minuteOf(to) }
  })
  return { parts, text }
}

function minuteOf (time: string): number {
  const [, hour = '', minute = '0'] = /^(\d{1,2})(?::(\d\d))?$/.exec(time) ?? []
  const minutes = hour === '' ? NaN : Number(hour) * 60 + Number(minute)
  if (!(minutes <= 24 * 60 && Number(minute) < 60)) {
    throw new InvalidArgumentError('It must be hours of the day, such as 22-7 or 9:30-12,13-17.')
  }
  return minutes % (24 * 60)
}

/** When the machine of a volunteer is not to be used: rules, readings and the time of day in, reasons out. Pure. */
import type { Hold } from './holds.ts'

/** A part of the day, in minutes since midnight; it may go beyond midnight, and from a time to itself is all day. */
export interface DayPart { from: number, to: number }

/** The limits that the user has set. */
export interface MachineRules {
  /** when to compute, and as what it was typed */
  hours?: { parts: readonly DayPart[], text: string }
  /** nothing starts while the load average of the last minute is so high */
  load?: number
  /** nothing starts while less memory is available, in bytes */
  memfree?: number
  /** nothing runs on battery */
  battery: boolean
}

/** What the machine says; null: unknown. */
export interface Readings {
  load: number | null
  memoryBytes: number | null
  onBattery: boolean | null
}

/** How far load and memory must be from their limits before work items start again, or they would start and stop. */
const MARGIN = 0.1

/**
 * Why nothing starts now.
 * @param minute of the day, local time
 * @param before the result of the last call
 */
export function machineHolds (
  rules: MachineRules, readings: Readings, minute: number, before: readonly Hold[] = []
): Hold[] {
  const { hours, load, memfree, battery } = rules
  const holds: Hold[] = []
  const marginOf = (reason: string): number => before.some(hold => hold.reason === reason) ? MARGIN : 0
  if (hours !== undefined && !hours.parts.some(part => isWithin(part, minute))) {
    holds.push({ reason: `hours ${hours.text}`, running: 'suspend' })
  }
  if (!battery && readings.onBattery === true) holds.push({ reason: 'on battery', running: 'suspend' })
  // suspended items would keep their memory; and the load sinks by itself when they end
  if (load !== undefined && readings.load !== null) {
    const reason = `load ${round(load)} or more`
    if (readings.load >= load * (1 - marginOf(reason))) holds.push({ reason, running: 'finish' })
  }
  if (memfree !== undefined && readings.memoryBytes !== null) {
    const reason = `less than ${sizeOf(memfree)} of memory available`
    if (readings.memoryBytes < memfree * (1 + marginOf(reason))) holds.push({ reason, running: 'finish' })
  }
  return holds
}

function isWithin ({ from, to }: DayPart, minute: number): boolean {
  return from < to ? minute >= from && minute < to : minute >= from || minute < to
}

function round (value: number): string { return String(Math.round(value * 100) / 100) }

function sizeOf (bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return `${round(bytes / 1024 ** power)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

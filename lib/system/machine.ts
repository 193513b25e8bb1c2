/** What this machine is doing otherwise: its load, memory and power. Called by lib/cli/run/machine.ts. */
import os from 'node:os'
import path from 'node:path'
import { namesIn, readOrEmpty } from './lenient-reads.ts'

/** The load average of the last minute; null where the system has none. */
export function loadAverage (): number | null { return os.platform() === 'win32' ? null : os.loadavg()[0] ?? null }

/** The bytes that programs can still get without swapping; null if unknown. @param file for tests */
export function availableMemory (file = '/proc/meminfo'): number | null {
  const kib = /^MemAvailable:\s+(\d{1,15}) kB$/m.exec(readOrEmpty(file))?.[1]
  return kib === undefined ? null : Number(kib) * 1024
}

/**
 * Whether the machine runs on battery; null if it has none, or does not say. The batteries of mice and the like do not
 * count. @param folder for tests
 */
export function isOnBattery (folder = '/sys/class/power_supply'): boolean | null {
  const supplies = namesIn(folder).map(name => {
    const read = (what: string): string => readOrEmpty(path.join(folder, name, what)).trim()
    return { type: read('type'), isOfDevice: read('scope') === 'Device', online: read('online'), status: read('status') }
  }).filter(({ isOfDevice }) => !isOfDevice)
  const batteries = supplies.filter(({ type }) => type === 'Battery' || type === 'UPS')
  if (batteries.length === 0) return null
  const mains = supplies.filter(({ type }) => type !== 'Battery' && type !== 'UPS')
  if (mains.some(({ online }) => online === '1')) return false
  return batteries.some(({ status }) => status === 'Discharging') || mains.some(({ type }) => type === 'Mains')
}

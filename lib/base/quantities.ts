/** Sizes, durations and numbers of things in words. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** A number of bytes in powers of 1024, e.g. `1.5 MiB`. */
export function formatBytes (bytes: number): string {
  let unit = 0
  let value = bytes
  // 1023.95 would be shown as 1024.0 of the smaller unit.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || Number.isInteger(value) || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** A duration of at least a second in its two largest units, e.g. `2 h 5 min`, `1 d`. */
export function formatDuration (ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return both(seconds, 60, 'min', 's')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 24 * 60) return both(minutes, 60, 'h', 'min')
  return both(Math.floor(minutes / 60), 24, 'd', 'h')
}

function both (amount: number, each: number, large: string, small: string): string {
  return `${Math.floor(amount / each)} ${large}${amount % each === 0 ? '' : ` ${amount % each} ${small}`}`
}

/** `1 piece`, `2 pieces`. @param many default: `noun` with an s */
export function plural (count: number, noun: string, many = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : many}`
}

/**
 * Numbers and texts as people read them, as the terminal shows them. Pure.
 */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** In powers of 1024: `1.5 MiB`. */
export function formatBytes (bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || Number.isInteger(value) || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)}\u00a0${UNITS[unit]!}`
}

/** In its two largest units: `2 h 5 min`; below ten seconds `1.4 s`. */
export function formatDuration (ms: number): string {
  if (ms < 9950) return `${(ms / 1000).toFixed(1)}\u00a0s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds}\u00a0s`
  if (seconds < 3600) return both(seconds, 60, 'min', 's')
  const minutes = Math.round(seconds / 60)
  return minutes < 24 * 60 ? both(minutes, 60, 'h', 'min') : both(Math.floor(minutes / 60), 24, 'd', 'h')
}

function both (amount: number, each: number, large: string, small: string): string {
  return `${Math.floor(amount / each)}\u00a0${large}${amount % each === 0 ? '' : ` ${amount % each}\u00a0${small}`}`
}

/** Never 100 % before the end, never 0 % after the beginning. */
export function formatPercent (done: number, total: number): string {
  if (done >= total) return '100\u00a0%'
  if (done === 0) return '0\u00a0%'
  const percent = 100 * done / total
  if (percent < 0.1) return '<\u00a00.1\u00a0%'
  return `${total >= 1000 ? (Math.floor(percent * 10) / 10).toFixed(1) : Math.max(1, Math.floor(percent))}\u00a0%`
}

/** In the unit in which it is at least one: `3.1 pieces/min`. */
export function formatPieceRate (perMinute: number): string {
  if (perMinute === 0) return '0\u00a0pieces/min'
  const [rate, unit] = perMinute >= 120
    ? [perMinute / 60, 's']
    : perMinute >= 1 ? [perMinute, 'min'] : [perMinute * 60, 'h']
  return `${rate >= 9.95 ? formatCount(rate) : rate.toFixed(1)}\u00a0pieces/${unit}`
}

/** With its basis: `≈ 14 min at 3.1 pieces/min`. */
export function formatTimeLeft (ms: number, perMinute: number | null): string {
  const left = ms < 60_000 ? `${Math.max(1, Math.round(ms / 1000))}\u00a0s` : formatDuration(rough(ms))
  return `≈\u00a0${left}${perMinute === null || perMinute <= 0 ? '' : ` at ${formatPieceRate(perMinute)}`}`
}

/** An estimate is not known to the second. */
function rough (ms: number): number {
  const step = ms < 600_000 ? 10_000 : ms < 36_000_000 ? 60_000 : 3_600_000
  return Math.round(ms / step) * step
}

/** `1 000 000`, with narrow spaces. */
export function formatCount (count: number): string {
  return String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, '\u202f')
}

/** `1 piece`, `2 pieces`. */
export function plural (count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

// As lib/cli/output/format.ts has them: all that can change how the rest is shown, but for line breaks and tabs.
const DECEPTIVE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu

/** Text of a stranger with its invisible characters as `\xNN` or `\u{…}`, as the terminal shows it. */
export function harmless (text: string): string {
  return text.replaceAll('\r\n', '\n').replace(DECEPTIVE, char => {
    const code = char.codePointAt(0)!
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

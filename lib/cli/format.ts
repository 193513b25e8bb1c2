/**
 * How numbers and foreign text look to a person. Pure: no streams, no clock. Everything that came from a task
 * file or a peer goes through `escapeText` before it reaches a terminal.
 */

// Controls, format characters (bidi overrides, zero-width ones, tags), surrogates, private and unassigned code
// points, line separators, and every blank that is not U+0020: what can change how a terminal shows the rest.
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu

function escapeChar (char: string): string {
  const code = char.codePointAt(0) ?? 0
  const hex = code.toString(16)
  return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
}

/** The text on one line, with everything that does not show itself as `\xNN` or `\u{…}`. */
export function escapeText (text: string): string {
  return text.replace(DECEPTIVE, escapeChar)
}

/** JSON that says the same, with what `escapeText` escapes as `\\uXXXX`: it may be shown on a terminal. */
export function escapeJson (json: string): string {
  return json.replace(DECEPTIVE, char => char.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''))
}

/** The text escaped, broken after each (visible) `\x0a`, so that a script of many lines can be read. */
export function escapeLines (text: string): string[] {
  return text.split(/(?<=\n)/).map(escapeText)
}

/** The text in lines of at most `columns`. Errs on the narrow side: what is not Latin counts as two columns wide. */
export function wrap (text: string, columns: number): string[] {
  const lines = ['']
  let used = 0
  for (const char of text) {
    const width = char < '\u0300' ? 1 : 2
    if (used + width > columns) {
      lines.push('')
      used = 0
    }
    lines.push(`${lines.pop() ?? ''}${char}`)
    used += width
  }
  return lines
}

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

/** A speed in bytes a second, e.g. `1.5 MiB/s`. */
export function formatRate (bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`
}

/** A duration of at least a second in its two largest units, e.g. `2 h 5 min`. */
export function formatDuration (ms: number): string {
  const seconds = Math.max(1, Math.ceil(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `1 piece`, `2 pieces`. */
export function plural (count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A bar `width` cells wide, `fraction` (0 to 1) of them full. */
export function formatBar (fraction: number, width: number): string {
  // Never full before it is done, never empty once something is there.
  const exact = Math.min(Math.max(fraction, 0), 1) * width
  const full = fraction < 1 ? Math.min(Math.floor(exact), width - 1) : width
  return '█'.repeat(full) + '░'.repeat(width - full)
}

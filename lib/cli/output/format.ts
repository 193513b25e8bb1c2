/**
 * Formats numbers and untrusted text for users. Pure: no streams, no clock. All text from a task file or a peer goes
 * through `escapeText` before it reaches a terminal.
 */
import { formatBytes } from '../../base/quantities.ts'

export { formatBytes, formatDuration, plural } from '../../base/quantities.ts'

/** A label and its lines; `bar` marks text of a stranger. */
export type Row = [label: string, lines: string[], bar?: string]

// Only our own output has the bar on the left, and lines are wrapped here: no line of a command, however long, can be
// mistaken for one of the report, nor its continuation for another line of the command.
export const BAR = '│ '

// Control and format characters (bidi overrides, zero-width ones, tags), surrogates, private and unassigned code
// points, line separators, and every space except U+0020: all that can change how a terminal shows the rest.
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu

function escapeChar (char: string): string {
  const code = char.codePointAt(0) ?? 0
  const hex = code.toString(16)
  return code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`
}

/** The text on one line, with invisible characters written as `\xNN` or `\u{…}`. */
export function escapeText (text: string): string {
  return text.replace(DECEPTIVE, escapeChar)
}

/** Equivalent JSON in which the characters of `escapeText` are escaped as `\\uXXXX`: safe for a terminal. */
export function escapeJson (json: string): string {
  return json.replace(DECEPTIVE, char =>
    char
      .split('')
      .map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('')
  )
}

/** The lines of a script, each escaped, with tabs as spaces. A line break at its end does not start another line. */
export function escapeLines (text: string): string[] {
  return text.replace(/\n$/, '').split('\n').map(line => escapeText(line.replaceAll('\t', '    ')))
}

// Overestimates: characters that are not Latin count as two columns.
function widthOf (text: string): number {
  let width = 0
  for (const char of text) width += char < '\u0300' ? 1 : 2
  return width
}

const UNIT = /^ (?:[KMGTP]?i?B(?:\/s)?|ms|s|min|h|d|%)(?![A-Za-z])/

/** Words, each with the spaces before it. A number and its unit, or a flag and its value, form one word. */
function wordsOf (text: string): string[] {
  const words: string[] = []
  for (const word of text.split(/(?<! )(?= )/)) {
    const before = words.at(-1)
    const isOne =
      before !== undefined &&
      ((/\d$/.test(before) && UNIT.test(word)) || (/ --[a-z-]+$/.test(before) && /^ [A-Z\d]/.test(word)))
    if (isOne) words[words.length - 1] = before + word
    else words.push(word)
  }
  return words
}

/** Fills each line with as many words as fit, at least one. */
function fill (text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of wordsOf(text)) {
    const line = lines.at(-1)
    if (line === undefined || widthOf(line) + widthOf(word) > columns) lines.push(word)
    else lines[lines.length - 1] = line + word
  }
  return lines
}

function cut (text: string, columns: number): string[] {
  const lines = ['']
  let used = 0
  for (const char of text) {
    const width = widthOf(char)
    if (used + width > columns) {
      lines.push('')
      used = 0
    }
    lines.push(`${lines.pop() ?? ''}${char}`)
    used += width
  }
  return lines
}

/**
 * Wraps untrusted text in lines of at most `columns`, between words if possible. A line that continues after a space
 * begins with it: joined, the lines give the text.
 */
export function wrap (text: string, columns: number): string[] {
  return fill(text, columns).flatMap(line => cut(line, columns))
}

// The beginning of a quoted line. Its continuation is marked, so that it is not mistaken for a line of its own.
const QUOTED = /^ *│ /

/**
 * Wraps a message for a terminal of this width; without a width, each paragraph is one line. Each paragraph keeps its
 * indentation. Words that are longer than a line are not broken, so that they can be copied. Quoted text is broken, and
 * stays behind its bar.
 */
export function fit (text: string, columns: number | undefined): string[] {
  return text.split('\n').flatMap(line => {
    if (columns === undefined || widthOf(line) <= columns) return [line]
    const [quoted] = QUOTED.exec(line) ?? []
    if (quoted !== undefined) return quote(line.slice(quoted.length), quoted, Math.max(20, columns - quoted.length))
    const indent = /^ */.exec(line)![0]
    return fill(line.trim(), Math.max(20, columns - indent.length)).map(part => indent + part.trimStart())
  })
}

/** Untrusted text behind a bar; a dashed bar where a line continues. */
export function quote (text: string, bar: string, columns: number): string[] {
  return wrap(text, columns).map((part, index) => (index === 0 ? bar : bar.replace('│', '┆')) + part)
}

/** A speed in bytes per second, e.g. `1.5 MiB/s`. */
export function formatRate (bytesPerSecond: number): string {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`
}

/** Sorted numbers as ranges, `0–4, 7, 9–11`: at most `max` ranges, and the number of those left out. */
export function formatRanges (sorted: readonly number[], max = 20): string {
  const ranges: Array<[first: number, last: number]> = []
  for (const number of sorted) {
    const range = ranges.at(-1)
    if (range !== undefined && range[1] === number - 1) range[1] = number
    else ranges.push([number, number])
  }
  const shown = ranges.slice(0, max).map(([first, last]) => first === last ? `${first}` : `${first}–${last}`)
  const left = ranges.slice(max).reduce((sum, [first, last]) => sum + last - first + 1, 0)
  return `${shown.join(', ')}${left === 0 ? '' : `, … and ${left} more`}`
}

/** Joins parts by ` · ` in lines of at most `columns`, which are broken only between parts. */
export function formatParts (parts: readonly string[], columns: number): string {
  const lines: string[] = []
  for (const part of parts) {
    const line = lines.at(-1)
    if (line !== undefined && line.length + 3 + part.length <= columns) lines.push(`${lines.pop()} · ${part}`)
    else lines.push(part)
  }
  return lines.join('\n')
}

/** A bar `width` cells wide, `fraction` (0 to 1) of them full. */
export function formatBar (fraction: number, width: number): string {
  // Never full before it is done, never empty once there is something.
  const exact = Math.min(Math.max(fraction, 0), 1) * width
  const full = fraction < 1 ? Math.min(Math.floor(exact), width - 1) : width
  return '█'.repeat(full) + '░'.repeat(width - full)
}

/** A path as one word of a shell. */
export function shellWord (path: string): string {
  return /^[\w./%+,:@-]+$/.test(path) && !path.startsWith('-') ? path : `'${escapeText(path).replaceAll("'", "'\\''")}'`
}

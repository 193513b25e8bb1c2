/** The log of a task for people: one line per attempt, in columns that fit 80, and what was said below it. Pure. */
import { styleText } from 'node:util'
import type { LogEntry } from '../../store/log-reader.ts'
import { escapeText, quote } from './format.ts'

/** The heading of the columns. */
export const LOG_HEADING = '  PIECE ENDED            TIME    CPU   MEM   SIZE RESULT   WHERE'

/** How it is shown. */
export interface LogLook {
  /** width of the terminal; undefined: whatever is written is not cut */
  columns?: number | undefined
  /** where colours would go */
  stream: NodeJS.WriteStream
  /** all lines of stderr, and the reasons, instead of the last line of a failure */
  isWhole: boolean
}

/** What failures are called, by code: short, as a column is narrow. */
const FAILURES: Record<string, string> = {
  BW_ERR_COMMAND_TIMEOUT: 'time-out',
  BW_ERR_COMMAND_OUTPUT: 'too long',
  BW_ERR_COMMAND_MEMORY: 'memory',
  BW_ERR_COMMAND_DISK: 'disk',
  BW_ERR_COMMAND_SPAWN: 'no start',
  BW_ERR_INPUT: 'input',
  BW_ERR_VERIFY_COMMAND: 'wrong'
}

/** The lines of an entry. */
export function logLines (entry: LogEntry, { columns, stream, isWhole }: LogLook): string[] {
  const { at, piece, file = 0, ms, cpuMs, memoryBytes, size, event, from = [] } = entry
  const [result, colour] = resultOf(entry)
  const cells = [
    (piece === null ? `file ${file}` : String(piece)).padStart(7),
    formatTime(at),
    shortDuration(ms).padStart(6),
    shortDuration(cpuMs).padStart(6),
    shortBytes(memoryBytes).padStart(5),
    shortBytes(size).padStart(6)
  ].join(' ')
  // an IPv4 address as a socket for both gives it
  const where = from[0] === undefined ? 'here' : `${from[0].replace(/^::ffff:/, '')}${from.length > 1 ? ` +${from.length - 1}` : ''}`
  const room = columns === undefined ? Infinity : Math.max(0, columns - cells.length - 10)
  const line = `${cells} ${styleText(colour, result.padEnd(8), { stream })} ${escapeText(where).slice(0, room)}`
  return [line.trimEnd(), ...saidIn(entry, isWhole || event === 'failed' || event === 'peerFailed', isWhole, columns ?? 80)]
}

function saidIn (entry: LogEntry, hasReason: boolean, isWhole: boolean, columns: number): string[] {
  const { message, reason, stderr = '' } = entry
  const said = hasReason ? stderr.split('\n').filter(line => line !== '') : []
  const shown = isWhole ? said : said.slice(-1)
  const why = hasReason ? reason ?? withoutLast(message, said.at(-1)) : undefined
  return [
    ...why === undefined || why === '' ? [] : quote(escapeText(why), ' '.repeat(8), columns - 8),
    ...shown.flatMap(line => quote(escapeText(line), `${' '.repeat(8)}│ `, columns - 10))
  ]
}

/** A message ends with the last line of stderr, which is shown anyway. */
function withoutLast (message: string | undefined, last: string | undefined): string | undefined {
  if (message === undefined || last === undefined) return message
  const at = message.lastIndexOf(`: ${last.slice(0, 40)}`)
  return at === -1 ? message : `${message.slice(0, at)}.`
}

function resultOf ({ event, code = '', exitCode, signal, right }: LogEntry): [string, 'green' | 'red' | 'dim'] {
  switch (event) {
    case 'computed': return ['computed', 'green']
    case 'downloaded': return ['received', 'green']
    case 'aborted': return ['aborted', 'dim']
    case 'checked': return right === true ? ['right', 'green'] : ['wrong', 'red']
    case 'failed': case 'peerFailed':
  }
  const word = FAILURES[code] ?? (signal !== undefined ? signal : exitCode !== undefined ? `exit ${exitCode}` : 'failed')
  return [escapeText(word).slice(0, 8), 'red']
}

/** Month, day and time of this machine, since a log is about the last days. */
function formatTime (at: number): string {
  const date = new Date(Math.min(at, 8.64e15))
  const day = [date.getMonth() + 1, date.getDate()].map(two).join('-')
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')}`
}

function two (value: number): string { return String(value).padStart(2, '0') }

/** At most six characters: `0.12s`, `59.9s`, `59m59s`, `99h59m`, `1234h`. */
function shortDuration (ms: number | undefined): string {
  if (ms === undefined) return '-'
  const seconds = ms / 1000
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m${String(Math.floor(seconds % 60)).padStart(2, '0')}s`
  const hours = Math.floor(minutes / 60)
  return hours < 100 ? `${hours}h${String(minutes % 60).padStart(2, '0')}m` : `${hours}h`
}

/** At most five characters: `999`, `1023K`, `1.5G`. */
function shortBytes (bytes: number | undefined): string {
  if (bytes === undefined) return '-'
  let value = bytes
  let unit = 0
  for (; value >= 999.5 && unit < 5; unit++) value /= 1024
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : value.toFixed(1)}${['', 'K', 'M', 'G', 'T', 'P'][unit]}`
}

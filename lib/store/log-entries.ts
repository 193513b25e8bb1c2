/**
 * The entries of a task's log: one JSON object per line, for each attempt at a piece. Pure. piece-log.ts writes them,
 * log-reader.ts reads them.
 *
 * The file may be torn after a crash, and anybody may have written to the folder: a line that is not an entry is
 * skipped, and so is a field that is not what it should be.
 */

/** What happened: the names of the torrent's events. */
const LOG_EVENTS = ['computed', 'downloaded', 'failed', 'peerFailed', 'aborted', 'checked'] as const

export type LogEvent = typeof LOG_EVENTS[number]

/** Whether the event is logged. */
export function isLogEvent (event: string): event is LogEvent { return LOG_EVENTS.includes(event as LogEvent) }

/** One entry: the fields of the event that are there. */
export interface LogEntry {
  /** when it ended, milliseconds since 1970 */
  at: number
  /** null: the complete command of `file` */
  piece: number | null
  event: LogEvent
  file?: number
  /** what it cost, as in RunCost */
  ms?: number
  cpuMs?: number
  memoryBytes?: number
  /** of a failure */
  code?: string
  exitCode?: number
  signal?: string
  message?: string
  /** it is not tried again there */
  final?: boolean
  /** the last lines that the command wrote to stderr */
  stderr?: string
  /** bytes */
  size?: number
  /** in hex */
  sha256?: string
  /** addresses of the peers that it comes from */
  from?: string[]
  /** why it was aborted */
  reason?: string
  /** of a piece that was computed again: whether it was right, why it was checked, and who attested it */
  right?: boolean
  by?: string
  key?: string
}

/** The longest line: longer ones are not entries. */
export const MAX_LINE_BYTES = 32 * 1024
/** The end of stderr and of a message that is kept, in characters. */
const MAX_TEXT = 2_000
/** The same of a command that succeeded. */
const MAX_IDLE_TEXT = 200
/** Sources of a piece that are named. */
const MAX_FROM = 8

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= MAX_LINE_BYTES
const isFlag = (value: unknown): boolean => typeof value === 'boolean'

/** Which value each field may have, besides `at`, `piece` and `event`; in the order in which they are written. */
const FIELDS: Readonly<Record<Exclude<keyof LogEntry, 'at' | 'piece' | 'event'>, (value: unknown) => boolean>> = {
  file: isCount,
  ms: isCount,
  cpuMs: isCount,
  memoryBytes: isCount,
  code: isText,
  exitCode: isCount,
  signal: isText,
  message: isText,
  final: isFlag,
  size: isCount,
  sha256: isText,
  from: value => Array.isArray(value) && value.length <= MAX_FROM && value.every(isText),
  reason: isText,
  right: isFlag,
  by: isText,
  key: isText,
  stderr: isText
}
const NAMES = Object.keys(FIELDS) as Array<keyof typeof FIELDS>

/** The line of an event, with its end; the payload may have more fields than those of an entry. */
export function encodeEntry (at: number, event: LogEvent, payload: object): string {
  const fields = payload as Partial<LogEntry>
  const entry: Record<string, unknown> = { at, piece: fields.piece ?? null, event }
  for (const name of NAMES) {
    const value = fields[name] ?? null
    if (value === null || value === '') continue
    entry[name] = shortened(value, event === 'computed' ? MAX_IDLE_TEXT : MAX_TEXT)
  }
  return `${JSON.stringify(entry)}\n`
}

/** Reads one line; null if it is no entry. Never throws. */
export function decodeEntry (line: string): LogEntry | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const fields = value as Record<string, unknown>
  const { at, piece, event } = fields
  if (!isCount(at) || !(piece === null || isCount(piece)) || typeof event !== 'string' || !isLogEvent(event)) return null
  const entry: Record<string, unknown> = { at, piece, event }
  for (const name of NAMES) if (Object.hasOwn(fields, name) && FIELDS[name](fields[name])) entry[name] = fields[name]
  return entry as unknown as LogEntry
}

/** Whether it is a failure: these also go to a file of their own, which successes do not fill. */
export function isFailure (event: LogEvent): boolean { return event === 'failed' || event === 'peerFailed' }

function shortened (value: string | number | boolean | string[], characters: number): unknown {
  if (typeof value === 'string') return value.length > characters ? value.slice(-characters) : value
  if (typeof value === 'number') return Math.round(value)
  return Array.isArray(value) ? value.slice(0, MAX_FROM) : value
}

/**
 * What is said on the socket of a running client: one request on a line, then its answer on a line, both JSON; and a
 * line when it ends. Pure.
 * Everything is read strictly and within bounds, by the client and by who asks it.
 */

/** What a client can be asked for; each is answered by its status afterwards. */
export type Request = 'status' | 'pause' | 'resume' | 'finish'

const REQUESTS: ReadonlySet<string> = new Set(['status', 'pause', 'resume', 'finish'])

/** The longest line of a request, in bytes without its end. */
export const MAX_REQUEST_BYTES = 256
/** The longest line of an answer. */
export const MAX_ANSWER_BYTES = 262_144
/** The longest text in an answer, in characters; more is cut off. */
const MAX_TEXT = 1_000
/** The most lines of one kind in an answer. */
const MAX_LINES = 16

const COUNTS = ['pieces', 'stored', 'missing', 'computed', 'downloaded', 'running', 'claimed', 'failed'] as const
const RATES = ['slots', 'peers', 'downloadSpeed', 'uploadSpeed'] as const

/** Numbers of pieces, as in `torrent.stats()`. */
export type LivePieces = Record<(typeof COUNTS)[number], number>

/** How a running client is getting on. */
export interface LiveStatus {
  pid: number
  /** 'off': nothing is computed here, only downloaded and seeded */
  computing: 'off' | 'on' | 'paused'
  /** it stops as soon as the running pieces have ended */
  finishing: boolean
  done: boolean
  pieces: LivePieces
  /** pieces that are computed at a time; 0: unknown, or none */
  slots: number
  peers: number
  /** bytes per second */
  downloadSpeed: number
  uploadSpeed: number
  /** null: unknown */
  timeLeftMs: number | null
  /** why nothing is started: a few words each; empty if nothing is held */
  paused: string[]
  /** what it waits for: one line each */
  waiting: string[]
  /** what it is doing, in words; null: nothing special */
  state: string | null
  /** a further remark; null: none */
  remark: string | null
}

/** The request on a line; null if it is not one. */
export function parseRequest (line: string): Request | null {
  const value = parseObject(line)
  if (value === null || Object.keys(value).length !== 1) return null
  const what = value['do']
  return typeof what === 'string' && REQUESTS.has(what) ? what as Request : null
}

/** The line of a request. */
export function formatRequest (what: Request): string { return `${JSON.stringify({ do: what })}\n` }

/** What a line of a client is: its answer, or, without a question, its last word before it ends. */
export type Telling = 'status' | 'ended'

/** The line of an answer, or of the last word. */
export function formatStatus (status: LiveStatus, telling: Telling = 'status'): string {
  const lines = (texts: string[]): string[] => texts.slice(0, MAX_LINES).map(text => text.slice(0, MAX_TEXT))
  const { paused, waiting, state, remark } = status
  const bounded = {
    ...status,
    paused: lines(paused),
    waiting: lines(waiting),
    state: state?.slice(0, MAX_TEXT) ?? null,
    remark: remark?.slice(0, MAX_TEXT) ?? null
  }
  return `${JSON.stringify({ [telling]: bounded })}\n`
}

/** The line that refuses what is no request. */
export function formatRefusal (why: string): string { return `${JSON.stringify({ error: why })}\n` }

/** The status in an answer, or in the last word; null if the line is not one of this version. */
export function parseStatus (line: string, telling: Telling = 'status'): LiveStatus | null {
  const status = objectOf(parseObject(line)?.[telling])
  const pieces = objectOf(status?.['pieces'])
  if (status === null || pieces === null || !areNumbers(pieces, COUNTS) || !areNumbers(status, RATES)) return null
  const { pid, computing, finishing, done, timeLeftMs, paused, waiting, state, remark } = status
  const isRight = Number.isSafeInteger(pid) && isComputing(computing) &&
    typeof finishing === 'boolean' && typeof done === 'boolean' &&
    (timeLeftMs === null || isNumber(timeLeftMs)) &&
    areTexts(paused) && areTexts(waiting) && isTextOrNull(state) && isTextOrNull(remark)
  // checked member by member; what a later version adds is not passed on
  return isRight
    ? {
        ...pick(status, ['pid', 'computing', 'finishing', 'done', ...RATES, 'timeLeftMs', 'paused', 'waiting', 'state', 'remark']),
        pieces: pick(pieces, COUNTS)
      } as unknown as LiveStatus
    : null
}

function parseObject (line: string): Record<string, unknown> | null {
  try {
    return objectOf(JSON.parse(line))
  } catch {
    return null
  }
}

function objectOf (value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : null
}

function pick (from: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map(name => [name, from[name]]))
}

function isComputing (value: unknown): boolean { return value === 'off' || value === 'on' || value === 'paused' }

function isNumber (value: unknown): boolean { return typeof value === 'number' && Number.isFinite(value) && value >= 0 }

function areNumbers (values: Record<string, unknown>, names: readonly string[]): boolean {
  return names.every(name => isNumber(values[name]))
}

function isText (value: unknown): boolean { return typeof value === 'string' && value.length <= MAX_TEXT }

function isTextOrNull (value: unknown): boolean { return value === null || isText(value) }

function areTexts (value: unknown): boolean {
  return Array.isArray(value) && value.length <= MAX_LINES && value.every(isText)
}

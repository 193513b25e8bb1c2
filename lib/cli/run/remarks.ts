/**
 * Messages that strangers can cause: trackers, peers, and the commands of a task. For users, each is printed once, with
 * a limit per kind; for `--json`, the number is limited so that they do not fill a disk. All messages that they
 * influence go through here.
 */
import { escapeText } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'

/** Remarks per kind and hour; also the number of recent ones that are not repeated. */
const MAX_SHOWN = 20
const MAX_KNOWN = 200
/** Events per type and hour. */
const MAX_EVENTS = 1_000
const HOUR_MS = 3_600_000
/** Characters per line, and per text in an event. */
const MAX_LENGTH = 500
/** Lines of a command's stderr. */
const MAX_LINES = 10

/** A line for users: on one line, without terminal control characters, and of limited length. */
export function cutLine (text: string): string {
  return escapeText(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text)
}

/** The last lines of a command's stderr, to be shown. */
export function lastLines (stderr: string): string[] {
  const lines = stderr.split('\n').filter(line => line !== '')
  return lines.slice(-MAX_LINES).map(line => `  │ ${cutLine(line.replaceAll('\t', '    '))}`)
}

/** Warnings of WebTorrent's packages that say neither what is wrong nor what to do, in words that do. */
const RESTATED: ReadonlyArray<[pattern: RegExp, says: string]> = [
  [
    /\bNo nodes to query$/,
    'The DHT finds no peers: it knows no other node. Check that this machine reaches the Internet by UDP, or turn the DHT off with --no-dht.'
  ],
  [
    /\baddMembership E[A-Z]+$/,
    'No peers are found on the local network: this machine has no network that can multicast. Connect it to one, or turn local service discovery off with --no-lsd.'
  ]
]

/** The message of a warning, for users. */
export function restated (message: string): string {
  return RESTATED.find(([pattern]) => pattern.test(message))?.[1] ?? message
}

/** Counts messages within an hour. */
class Hour {
  readonly #most: number
  #count = 0
  #since: number

  constructor (most: number, now: number) {
    this.#most = most
    this.#since = now
  }

  /** Whether one more is allowed; 'last': it is the last one in this hour. */
  take (now: number): boolean | 'last' {
    if (now - this.#since >= HOUR_MS) {
      this.#since = now
      this.#count = 0
    }
    this.#count++
    return this.#count === this.#most ? 'last' : this.#count < this.#most
  }
}

/** Prints the messages within the limits. */
export class Remarks {
  readonly #note: (text: string, kind: string) => void
  readonly #out: Pick<JsonOutput, 'emit'>
  readonly #now: () => number
  readonly #kinds = new Map<string, { known: Set<string>, hour: Hour }>()
  readonly #events = new Map<string, Hour>()

  /** @param now milliseconds on a steady clock */
  constructor (
    note: (text: string, kind: string) => void, out: Pick<JsonOutput, 'emit'>, now: () => number = () => performance.now()
  ) {
    this.#note = note
    this.#out = out
    this.#now = now
  }

  /**
   * Prints a remark for users.
   * @param lines the first one is a stranger's text; the others are ours, or from `lastLines`
   * @param topic identifies equal remarks; default: the first line
   */
  add (kind: string, [first, ...others]: [string, ...string[]], topic: string = first): void {
    const now = this.#now()
    const { known, hour } = this.#kinds.get(kind) ?? { known: new Set(), hour: new Hour(MAX_SHOWN, now) }
    this.#kinds.set(kind, { known, hour })
    const key = topic.slice(0, MAX_LENGTH)
    if (known.has(key)) return
    const turn = hour.take(now)
    if (turn === false) return
    known.add(key)
    if (known.size > MAX_KNOWN) known.delete(known.values().next().value!)
    this.#note([cutLine(first), ...others].join('\n'), kind)
    if (turn === 'last') this.#note('No more messages like these are shown for an hour; --json prints more of them.', kind)
  }

  /** Emits an event for `--json`, which says if further ones in this hour are omitted. */
  emit (event: string, fields: Record<string, unknown>): void {
    const now = this.#now()
    const hour = this.#events.get(event) ?? new Hour(MAX_EVENTS, now)
    this.#events.set(event, hour)
    const turn = hour.take(now)
    if (turn === false) return
    const short = Object.entries(fields).map(([name, value]) =>
      [name, typeof value === 'string' && value.length > MAX_LENGTH ? `${value.slice(0, MAX_LENGTH)}…` : value]
    )
    this.#out.emit(event, Object.fromEntries(short) as object)
    if (turn === 'last') this.#out.emit('omitted', { of: event })
  }
}

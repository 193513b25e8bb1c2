/**
 * What strangers can make a run say: trackers, peers, and the commands of a task. For people each thing once, and not
 * more of a kind than somebody would read; for `--json` not more than a disk would take. Whatever they have a part in
 * goes through here.
 */
import { escapeText } from '../output/format.ts'
import type { JsonOutput } from '../output/json-output.ts'

/** Remarks of a kind in an hour, and how many of the last ones are known again. */
const MAX_SHOWN = 20
const MAX_KNOWN = 200
/** Events of a type in an hour. */
const MAX_EVENTS = 1_000
const HOUR_MS = 3_600_000
/** Characters of a line, and of a text in an event. */
const MAX_LENGTH = 500
/** Lines of what a command said. */
const MAX_LINES = 10

/** A line as people see it: one line, nothing that a terminal obeys, and not endless. */
export function cutLine (text: string): string {
  return escapeText(text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text)
}

/** The last lines of what a command said, to be shown. */
export function lastLines (stderr: string): string[] {
  const lines = stderr.split('\n').filter(line => line !== '')
  return lines.slice(-MAX_LINES).map(line => `  │ ${cutLine(line.replaceAll('\t', '    '))}`)
}

/** How often something was said since when. */
class Hour {
  readonly #most: number
  #count = 0
  #since: number

  constructor (most: number, now: number) {
    this.#most = most
    this.#since = now
  }

  /** Whether it may be said; 'last': the last time for this hour. */
  take (now: number): boolean | 'last' {
    if (now - this.#since >= HOUR_MS) {
      this.#since = now
      this.#count = 0
    }
    this.#count++
    return this.#count === this.#most ? 'last' : this.#count < this.#most
  }
}

/** Passes on what may be said. */
export class Remarks {
  readonly #note: (text: string) => void
  readonly #out: Pick<JsonOutput, 'emit'>
  readonly #now: () => number
  readonly #kinds = new Map<string, { known: Set<string>, hour: Hour }>()
  readonly #events = new Map<string, Hour>()

  /** @param now milliseconds on a steady clock */
  constructor (
    note: (text: string) => void, out: Pick<JsonOutput, 'emit'>, now: () => number = () => performance.now()
  ) {
    this.#note = note
    this.#out = out
    this.#now = now
  }

  /**
   * For people.
   * @param lines the first one is text of whoever said it; the others are ours, or lines of `lastLines`
   * @param topic what counts as the same; default: the first line
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
    this.#note([cutLine(first), ...others].join('\n'))
    if (turn === 'last') this.#note('No more messages like these are shown for an hour; --json prints more of them.')
  }

  /** For `--json`, which says when it leaves out the rest of an hour. */
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

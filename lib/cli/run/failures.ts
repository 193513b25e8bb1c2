/** The failures of a run, by reason. Pure. */
import type { CommandFailure } from '../../base/errors.ts'
import { STDERR_CHARACTERS } from '../../executor/failures.ts'
import type { FailedEvent, HopelessEvent } from '../../session/events.ts'
import { formatRanges, plural } from '../output/format.ts'
import { cutLine, lastLines } from './remarks.ts'

/** Number of reasons listed at the end; a task with thousands of files can have as many reasons. */
const MAX_REASONS = 20
const MAX_GROUPS = 100
/** Length of a command's stderr in the list of failures. */
const MAX_STDERR = 4_096

/** Explains a failure beyond the command's own message; null: no explanation. */
export type Explain = (failure: CommandFailure) => string | null

/** The failures with the same reason, as in `--json`. */
export interface FailureGroup {
  /** in order; empty for a complete command */
  pieces: number[]
  /** the code of one of them */
  code: string
  exitCode: number | null
  signal: string | null
  message: string
  stderr: string
}

interface Group { readonly first: FailedEvent, readonly pieces: Set<number>, isShown: boolean }

/** The failures of one run that have not been made good. */
export class Failures {
  readonly #explain: Explain
  readonly #groups = new Map<string, Group>()
  /** the reason by piece */
  readonly #reasons = new Map<number, string>()

  constructor (explain: Explain) {
    this.#explain = explain
  }

  /** Adds a failure. Returns the lines for users if it is the first final one for its reason. */
  add (failure: FailedEvent): [string, ...string[]] | null {
    const { piece, file, code, exitCode, signal, final } = failure
    const reason = piece === null ? `file ${file}` : `${code} ${exitCode} ${signal}`
    const group = this.#groups.get(reason) ?? { first: shortened(failure), pieces: new Set(), isShown: false }
    this.#groups.set(reason, group)
    if (piece !== null) {
      this.recovered(piece)
      this.#reasons.set(piece, reason)
      group.pieces.add(piece)
    }
    if (!final || group.isShown) return null
    group.isShown = true
    const { headline, lines } = wordsOf(failure)
    const why = this.#explain(failure)
    return [
      `${subjectOf(failure)} failed permanently on this machine. ${headline}`,
      ...lines,
      ...why === null ? [] : [`  ${cutLine(why)}`]
    ]
  }

  /** The piece has been stored after all. */
  recovered (piece: number): void {
    const reason = this.#reasons.get(piece)
    if (reason === undefined) return
    this.#reasons.delete(piece)
    this.#groups.get(reason)?.pieces.delete(piece)
  }

  /** Sorted by their first piece. */
  groups (): FailureGroup[] {
    return this.#sorted().slice(0, MAX_GROUPS).map(({ first: { code, exitCode, signal, message, stderr }, pieces }) =>
      ({ pieces: [...pieces].sort((a, b) => a - b), code, exitCode, signal, message, stderr }))
  }

  /** One line per reason, for the end of a run; empty if nothing failed. */
  summary (): string[] {
    const lines: string[] = []
    const groups = this.#sorted()
    for (const { first, pieces } of groups.slice(0, MAX_REASONS)) {
      const sorted = [...pieces].sort((a, b) => a - b)
      const subject =
        first.piece === null ? subjectOf(first) : `${sorted.length === 1 ? 'piece' : 'pieces'} ${formatRanges(sorted)}`
      lines.push(`  ${subject}: ${cutLine(first.message)}`)
      const why = this.#explain(first)
      if (why !== null) lines.push(`    ${cutLine(why)}`)
    }
    if (groups.length > MAX_REASONS) lines.push(`  … and ${plural(groups.length - MAX_REASONS, 'more reason')}`)
    return lines
  }

  /** The number of pieces that failed and are not stored. */
  get count (): number { return this.#reasons.size }

  #sorted (): Group[] {
    const groups = [...this.#groups.values()].filter(({ first, pieces }) => first.piece === null || pieces.size > 0)
    // complete commands come last
    return groups.sort((a, b) => firstOf(a) - firstOf(b))
  }
}

/**
 * What to show of a failure: its message, and the last lines of stderr. The very last line is shown once: in the
 * message only if it is the only one.
 */
function wordsOf (failure: Pick<FailedEvent, 'message' | 'stderr'>): { headline: string, lines: string[] } {
  const { message, stderr } = failure
  const isSaid = stderr.trim() !== '' && message.endsWith(stderr.trim())
  return isSaid ? { headline: message, lines: [] } : { headline: headlineOf(failure), lines: lastLines(stderr) }
}

/** The message without the last line of stderr, which executor/failures.ts appends. */
export function headlineOf ({ message, stderr }: Pick<FailedEvent, 'message' | 'stderr'>): string {
  const last = stderr.slice(stderr.lastIndexOf('\n') + 1).slice(0, STDERR_CHARACTERS)
  return last !== '' && message.endsWith(`: ${last}`) ? `${message.slice(0, -last.length - 2)}.` : message
}

function shortened (failure: FailedEvent): FailedEvent {
  const { message, stderr } = failure
  return { ...failure, message: message.slice(0, MAX_STDERR), stderr: stderr.slice(-MAX_STDERR) }
}

function firstOf ({ pieces }: Group): number {
  let first = Number.MAX_SAFE_INTEGER
  for (const piece of pieces) first = Math.min(first, piece)
  return first
}

function subjectOf ({ piece, file }: FailedEvent): string {
  return piece === null ? `The complete command of file ${file ?? 0}` : `Piece ${piece}`
}

/** Reports failures to users and `--json`. */
export class FailureReport {
  readonly #failures: Failures
  readonly #explain: Explain
  readonly #note: (text: string) => void
  readonly #remark: (lines: [string, ...string[]]) => void
  readonly #emit: (event: string, fields: object) => void
  #told = ''

  constructor (
    { explain, note, remark, emit }: {
      explain: Explain
      note: (text: string) => void
      /** prints messages that can occur any number of times */
      remark: (lines: [string, ...string[]]) => void
      emit: (event: string, fields: object) => void
    }
  ) {
    this.#remark = remark
    this.#explain = explain
    this.#failures = new Failures(explain)
    this.#note = note
    this.#emit = emit
  }

  failed (failure: FailedEvent): void {
    const lines = this.#failures.add(failure)
    if (lines !== null) this.#remark(lines)
  }

  recovered (piece: number): void { this.#failures.recovered(piece) }

  /** Prints the list of failures, unless it is empty or was printed before. */
  tell (): void {
    const lines = this.#failures.summary()
    const text = lines.join('\n')
    if (text === this.#told) return
    this.#told = text
    if (lines.length === 0) return
    const { count } = this.#failures
    this.#note(
      [
        `${count === 0 ? 'Failed here' : `${plural(count, 'piece')} failed here`}:`,
        text,
        'Run the same command again to retry.'
      ].join('\n')
    )
    this.#emit('failures', { groups: this.#failures.groups() })
  }

  /** Why nothing more is computed. */
  describeHopeless (hopeless: HopelessEvent): string {
    const { headline, lines } = wordsOf(hopeless)
    const why = this.#explain(hopeless)
    return [cutLine(headline), ...lines, ...(why === null ? [] : [`  ${cutLine(why)}`])].join('\n')
  }
}

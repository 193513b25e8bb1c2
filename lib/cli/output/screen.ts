/**
 * The progress of a task on stderr: a live view on a terminal, otherwise a plain line from time to time. Notes are
 * written through this, too, so that they do not end up inside the live view.
 */
import { styleText } from 'node:util'
import { createLogUpdate } from 'log-update'
import type { TaskStats } from '../../session/events.ts'
import { fit, formatBar, formatDuration, formatParts, formatRate } from './format.ts'

/** What is shown. */
export interface Snapshot {
  /** 0 to 1 */
  fraction: number
  /** null for an ordinary torrent, where bytes count */
  pieces: Omit<TaskStats, 'claimed' | 'expected'> | null
  peers: number
  /** bytes per second */
  downloadSpeed: number
  uploadSpeed: number
  /** null if unknown */
  timeLeftMs: number | null
  /** what is happening instead, in words; null: nothing special */
  state: string | null
  /** an additional remark; null: none */
  remark: string | null
  done: boolean
}

/** Shows snapshots and notes. */
export interface Screen {
  /** prints a line that stays */
  note (text: string): void
  /** prints a line that tells of a problem: it is also printed where the others are not */
  alert (text: string): void
  show (snapshot: Snapshot): void
  /** leaves the last view on the screen */
  close (): void
}

const REDRAW_MS = 200
const PLAIN_INTERVAL_MS = 10_000
const BAR_CELLS = 30
const MIN_BAR_CELLS = 8

function counts ({ pieces }: Snapshot): string[] {
  if (pieces === null) return []
  return [
    `${pieces.computed} computed here`,
    `${pieces.downloaded} downloaded`,
    `${pieces.running} computing now`,
    `${pieces.missing} missing`,
    ...(pieces.failed > 0 ? [`${pieces.failed} failed here`] : [])
  ]
}

function network ({ peers, downloadSpeed, uploadSpeed }: Snapshot): string[] {
  return [`${peers} peer${peers === 1 ? '' : 's'}`, `↓ ${formatRate(downloadSpeed)}`, `↑ ${formatRate(uploadSpeed)}`]
}

function percent ({ fraction }: Snapshot): string {
  return `${Math.floor(fraction * 100)} %`
}

function timeLeft ({ fraction, timeLeftMs, state, done }: Snapshot): string {
  if (state !== null) return state
  if (done) return 'done'
  // the files are being made of the parts
  if (fraction === 1) return 'finishing'
  return timeLeftMs === null ? 'time left unknown' : `${formatDuration(timeLeftMs)} left`
}

/** The live view: two or three lines if there is room, otherwise without its bar. */
export function renderLive (snapshot: Snapshot, columns: number): string {
  const total = snapshot.pieces === null ? '' : `  ${snapshot.pieces.stored}/${snapshot.pieces.pieces} pieces`
  const text = `${percent(snapshot)}${total}  ${timeLeft(snapshot)}`
  const cells = Math.min(BAR_CELLS, columns - text.length - 2)
  const bar =
    cells < MIN_BAR_CELLS
      ? ''
      : `${styleText('cyan', formatBar(snapshot.fraction, cells), { stream: process.stderr })} `
  const [first, ...more] = fit(text, columns - 1)
  const remark = snapshot.remark === null ? [] : fit(snapshot.remark, columns - 1)
  return [
    `${bar}${first}`, ...more, formatParts([...counts(snapshot), ...network(snapshot)], columns - 1), ...remark
  ].join('\n')
}

/** The same on one line without colours. */
export function renderPlain (snapshot: Snapshot): string {
  const remark = snapshot.remark === null ? [] : [snapshot.remark]
  return [percent(snapshot), ...counts(snapshot), ...network(snapshot), timeLeft(snapshot), ...remark].join(', ')
}

/** The live view of a terminal, at most 5 frames a second. */
export class LiveScreen implements Screen {
  readonly #log = createLogUpdate(process.stderr)
  #shownAt = -Infinity

  note (text: string): void {
    this.#log.persist(fit(text, process.stderr.columns).join('\n'))
  }

  alert (text: string): void { this.note(text) }

  show (snapshot: Snapshot): void {
    const now = performance.now()
    if (now - this.#shownAt < REDRAW_MS && !snapshot.done) return
    this.#shownAt = now
    this.#log(renderLive(snapshot, process.stderr.columns ?? 80))
  }

  close (): void {
    this.#log.done()
  }
}

/** Plain lines: one for each tenth, and at least every ten seconds; silent when done. */
export class PlainScreen implements Screen {
  #tenth = 0
  #shownAt = performance.now()
  #ended = false

  note (text: string): void {
    process.stderr.write(`${text}\n`)
  }

  alert (text: string): void { this.note(text) }

  show (snapshot: Snapshot): void {
    const tenth = Math.floor(snapshot.fraction * 10)
    // the last tenth is not reported before the files are finished
    const isNext = tenth > this.#tenth && tenth < 10
    const isDue = snapshot.done || isNext || performance.now() - this.#shownAt >= PLAIN_INTERVAL_MS
    if (!isDue || this.#ended) return
    this.#tenth = tenth
    this.#shownAt = performance.now()
    this.#ended = snapshot.done
    this.note(renderPlain(snapshot))
  }

  close (): void {}
}

/** Problems only, for output that a person does not watch. */
export class QuietScreen implements Screen {
  note (): void {}

  alert (text: string): void { process.stderr.write(`${text}\n`) }

  show (): void {}

  close (): void {}
}

/** Whether stderr can show a live view. */
export function canShowLive (): boolean { return process.stderr.isTTY && process.env['TERM'] !== 'dumb' }

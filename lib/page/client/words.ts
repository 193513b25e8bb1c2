/**
 * What happens, in words. Pure.
 */
import type { AttemptView, TaskLive } from '../snapshot.ts'
import { formatCount, formatDuration, formatTimeLeft, plural } from './format.ts'

/** The state of a task in one line. */
export function stateOf (live: TaskLive): string {
  if (live.done) return live.state ?? 'Done. The files are complete and shared with others.'
  if (live.computing === 'paused') {
    return live.paused.length === 0 ? 'Paused' : `Paused: ${live.paused.join(', ')}`
  }
  if (live.finishing) return 'Stops as soon as the running pieces have ended'
  if (live.state !== null) return live.state
  if (live.computing === 'off') return 'Downloads only: this machine computes nothing'
  const { running, claimed } = live.pieces
  if (running === 0 && claimed === 0) return 'Waiting for work'
  return `Computing ${plural(running, 'piece')} here, and ${formatCount(claimed)} elsewhere`
}

/** The time left with its basis; null: nothing can be said. */
export function timeLeftOf ({ done, timeLeftMs, piecesPerMinute }: TaskLive): string | null {
  return done || timeLeftMs === null ? null : formatTimeLeft(timeLeftMs, piecesPerMinute)
}

/** How an attempt ended. */
export function outcomeOf (attempt: AttemptView): string {
  const { event, exitCode, signal, message, reason, right, from, ms } = attempt
  const after = ms === undefined ? '' : ` after ${formatDuration(ms)}`
  switch (event) {
    case 'computed': return `Computed${ms === undefined ? '' : ` in ${formatDuration(ms)}`}`
    case 'downloaded': return `Downloaded${from === undefined ? '' : ` from ${from.join(', ')}`}`
    case 'checked': return right === false ? 'Checked: wrong' : 'Checked: right'
    case 'aborted': return `Aborted${after}${reason === undefined ? '' : `: ${reason}`}`
    case 'failed': return `Failed${after}${why(exitCode, signal, message)}`
    case 'peerFailed': break
  }
  return `Failed at ${from?.join(', ') ?? 'another peer'}${why(exitCode, signal, message)}`
}

function why (exitCode: number | undefined, signal: string | undefined, message: string | undefined): string {
  if (message !== undefined) return `: ${message}`
  if (signal !== undefined) return ` by ${signal}`
  return exitCode === undefined ? '' : ` with exit code ${exitCode}`
}

/** What the live region says when progress goes from one number of pieces to another: at steps of ten percent only. */
export function announcement (before: number, now: number, total: number): string | null {
  const step = (stored: number): number => Math.floor(stored / total * 10)
  if (total === 0 || now <= before || now >= total || step(now) <= step(before)) return null
  return `${step(now) * 10} percent done`
}

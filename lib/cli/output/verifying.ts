/** Describes what a task says about verifying its results: as rows for users, as fields for `--json`. */
import type { Task } from '../../task/task.ts'
import type { Torrent } from '../../webtorrent/public-types.ts'
import { BAR, escapeLines } from './format.ts'
import type { Row } from './format.ts'

/** Fields of a `task` event. */
export interface VerifyingFields {
  verifyCommand?: string
  /** time limit of the verify command in seconds */
  verifyTimeout?: number
  compareCommand?: string
  deterministic?: boolean
  /** public keys */
  checkers?: readonly string[]
}

/** The commands verbatim, as they run here like the task's command. */
export function describeVerifying ({ verifyCommand, compareCommand, deterministic, checkers }: Task): Row[] {
  return [
    ...(verifyCommand === undefined ? [] : [['verifies', escapeLines(verifyCommand), BAR] satisfies Row]),
    ...(compareCommand === undefined ? [] : [['compares', escapeLines(compareCommand), BAR] satisfies Row]),
    ...(deterministic === undefined ? [] : [['results', [deterministic ? 'the same on all machines' : 'not the same each time']] satisfies Row]),
    ...(checkers === undefined ? [] : [['checkers', [...checkers]] satisfies Row])
  ]
}

/** The same for `--json`. */
export function verifyingFields (
  { verifyCommand, verifyTimeoutMs, compareCommand, deterministic, checkers }: Task
): VerifyingFields {
  return {
    ...(verifyCommand !== undefined && { verifyCommand }),
    ...(verifyTimeoutMs !== undefined && { verifyTimeout: verifyTimeoutMs / 1000 }),
    ...(compareCommand !== undefined && { compareCommand }),
    ...(deterministic !== undefined && { deterministic }),
    ...(checkers !== undefined && { checkers })
  }
}

/** What is said where no command runs. */
export function downloadNote ({ task, verification }: Pick<Torrent, 'task' | 'verification'>): string {
  const isUnverified = task?.verifyCommand !== undefined && verification === null
  const unverified = isUnverified ? " Nothing of it is verified, because the task's verify command does not run." : ''
  return `Downloading only what other peers compute (--no-compute).${unverified}`
}

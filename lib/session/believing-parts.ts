/** What believing.ts is given, and what it tells. Types only. */
import type { Clock } from '../base/clock.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceStore } from '../store/types.ts'
import type { Task } from '../task/task.ts'

/** The parts of a session that are used. */
export interface BelievingParts {
  readonly task: Task
  readonly results: ResultTable
  readonly scheduler: Scheduler
  readonly store: Pick<PieceStore, 'computed' | 'drop' | 'compare' | 'isVerified'>
  readonly clock: Clock
  readonly random: () => number
}

/** The callbacks of the owner. */
export interface BelievingHost {
  /** which result of a missing piece is accepted has changed */
  reconsider (index: number): void
  /** the stored result of a piece is accepted from now on, or no longer */
  believed (index: number, isAccepted: boolean): void
  /** no check is open any more: files may be finished */
  settled (): void
  /** something may be computed */
  run (): void
  misbehaved (peer: TaskPeer, reason: string, isFinal: boolean): void
}

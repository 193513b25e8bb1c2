/**
 * The parts of a session that do not depend on the task. They are passed in, so that a simulation can run the very
 * session on a virtual clock.
 */
import type { Clock } from '../base/clock.ts'
import { hexOf } from '../base/digest.ts'
import type { DownloadHost, DownloadParts } from '../download/download-host.ts'
import type { Downloads } from '../download/downloads.ts'
import { Scheduler } from '../scheduling/scheduler.ts'
import type { SchedulerOptions } from '../scheduling/scheduler.ts'
import type { PieceStore } from '../store/types.ts'

/** The parts of a session. */
export interface SessionParts<Store extends PieceStore = PieceStore> {
  readonly store: Store
  /** our own, 20 bytes */
  readonly peerId: Uint8Array
  readonly clock: Clock
  /** returns numbers in [0, 1) */
  readonly random: () => number
  /** how late everything is here, milliseconds (scheduling/lag.ts) */
  readonly lag: () => number
  /** whether complete commands may run here at all; default: true */
  readonly completes?: boolean
  /** default: the policy of docs/scheduling.md */
  createScheduler? (opts: SchedulerOptions): Scheduler
  /** default: requests over the peers' wires */
  createDownloads? (parts: DownloadParts, host: DownloadHost): Downloads
}

/** The scheduler of a session. */
export function schedulerOf (
  parts: SessionParts, own: Pick<SchedulerOptions, 'pieceCount' | 'overdue' | 'needsInputs' | 'checkShare'>
): Scheduler {
  const { clock, peerId, random, lag } = parts
  const opts = { ...own, peerId: hexOf(peerId), random, now: () => clock.now(), lag }
  return parts.createScheduler?.(opts) ?? new Scheduler(opts)
}

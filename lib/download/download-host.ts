/** The parts that downloads use, and the callbacks of their owner (downloader.ts). */
import type { Clock } from '../base/clock.ts'
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceDraft, PieceStore } from '../store/types.ts'

/** The parts that downloads use. */
export interface DownloadParts {
  /** knows which pieces a reader waits for; `deliveries` is told how holders deliver */
  readonly scheduler: Pick<Scheduler, 'isUrgent' | 'deliveries'>
  /** the connected peers, in no particular order */
  readonly peers: Iterable<TaskPeer>
  readonly store: Pick<PieceStore, 'receive'>
  readonly clock: Clock
  /** returns numbers in [0, 1) */
  readonly random: () => number
}

/** A piece that was written, and may be stored. */
export type IncomingDraft = Pick<PieceDraft, 'commit' | 'hashInto'>

/** The callbacks of the downloads' owner. */
export interface DownloadHost {
  /** the piece is wanted, and neither stored nor being stored */
  needs (index: number): boolean
  /** the peer's result of the piece will do */
  accepts (peer: TaskPeer, index: number): boolean
  /** so many pieces that have come are not stored yet that no more are to be requested */
  readonly isFull: boolean
  /** the piece was written, its digest is right, and `peers` sent it; resolves when it is stored, or refused */
  downloaded (index: number, result: Result, draft: IncomingDraft, peers: Iterable<TaskPeer>): Promise<void>
  /** nothing can be written */
  broken (err: Error): void
  /**
   * `peer` alone is to blame: its data for the piece did not match, or it refused to send it; its announcement is void
   */
  distrust (peer: TaskPeer, index: number, reason: string): void
}

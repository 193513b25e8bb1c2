/**
 * A piece that is being downloaded: the bytes received, the peers that it comes from, and whether it is still coming.
 */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { Scheduler } from '../scheduling/scheduler.ts'
import type { PieceDraft } from '../store/types.ts'
import type { Assembly } from './assembly.ts'

/** One piece, from its first request until it is stored or given up. */
export class Download {
  readonly index: number
  readonly result: Result
  readonly draft: PieceDraft
  readonly piece: Assembly
  readonly sources = new Set<TaskPeer>()
  isEnded = false
  /** number of `hasten` rounds since it began */
  rounds = 0

  constructor (index: number, result: Result, draft: PieceDraft, piece: Assembly) {
    this.index = index
    this.result = result
    this.draft = draft
    this.piece = piece
  }

  /** True if it is not expected of any peer that it was requested from. */
  get isStalled (): boolean {
    return !this.isEnded && ![...this.sources].some(({ holder }) => holder.expected.has(this.index))
  }

  /** True if the peer is a better source than the current ones: they are slow, or nothing has arrived yet. */
  isBetterFrom ({ holder }: TaskPeer, deliveries: Scheduler['deliveries']): boolean {
    if (!holder.expected.has(this.index) || this.isEnded) return false
    if (this.isStalled) return true
    return this.piece.received === 0 && [...this.sources].every(other => deliveries.isSooner(holder, other.holder))
  }
}

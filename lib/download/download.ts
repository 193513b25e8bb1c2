/** A piece on its way: what has come of it, from whom, and whether it still comes. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'
import type { Assembly } from './assembly.ts'
import type { DeliveryWatch, DownloadSink } from './download-host.ts'

/** One piece, from its first request until it is stored or given up. */
export class Download {
  readonly index: number
  readonly result: Result
  readonly sink: DownloadSink
  readonly piece: Assembly
  readonly sources = new Set<TaskPeer>()
  isEnded = false
  /** rounds of `hasten` that it has seen */
  rounds = 0

  constructor (index: number, result: Result, sink: DownloadSink, piece: Assembly) {
    this.index = index
    this.result = result
    this.sink = sink
    this.piece = piece
  }

  /** It is expected of nobody that was asked for it. */
  get isStalled (): boolean {
    return !this.isEnded && ![...this.sources].some(({ holder }) => holder.expected.has(this.index))
  }

  /** The peer is better than those that were asked: they are slow, or nothing has come of it yet. */
  isBetterFrom ({ holder }: TaskPeer, deliveries: DeliveryWatch): boolean {
    if (!holder.expected.has(this.index) || this.isEnded) return false
    if (this.isStalled) return true
    return this.piece.received === 0 && [...this.sources].every(other => deliveries.isSooner(holder, other.holder))
  }
}

/** What went wrong with pieces on their way, until they are here. Pure. Called by downloader.ts. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'

/** From this size on several peers share the work on one piece. */
const SHARED_PIECE_BYTES = 1 << 20
/** A peer that refuses every block of a piece it announced this often is no longer believed that it has it. */
const MAX_REFUSALS = 3

/** The history of one task's downloads. */
export class PieceHistory {
  /** blocks that each peer refused, by piece */
  readonly #refusals = new WeakMap<TaskPeer, Map<number, number>>()
  /** pieces whose blocks came from several peers and did not match */
  readonly #mixed = new Set<number>()
  /** how often a piece was begun afresh because its source was slow */
  readonly #switches = new Map<number, number>()

  /** The peer refused a block of a piece that has so many. True: it does not have the piece. */
  refused (peer: TaskPeer, index: number, blocks: number): boolean {
    const refusals = this.#refusals.get(peer) ?? new Map<number, number>()
    const count = (refusals.get(index) ?? 0) + 1
    this.#refusals.set(peer, refusals.set(index, count))
    if (count < MAX_REFUSALS * blocks) return false
    refusals.delete(index)
    return true
  }

  /** The piece did not match its digest. Gives who is to blame if that is clear. */
  mismatched (index: number, sources: Iterable<TaskPeer>): TaskPeer | undefined {
    const [peer, ...others] = sources
    if (others.length === 0) return peer
    this.#mixed.add(index)
    return undefined
  }

  /** Several peers may send blocks of the piece: it is large, and that has not gone wrong so far. */
  isShared ({ index, result }: { index: number, result: Result }): boolean {
    return result.size >= SHARED_PIECE_BYTES && !this.#mixed.has(index)
  }

  /** The piece was begun afresh because its source was slow. */
  switched (index: number): void { this.#switches.set(index, (this.#switches.get(index) ?? 0) + 1) }

  /** For how many rounds of `hasten` its source has time. */
  patience (index: number): number { return 1 << (this.#switches.get(index) ?? 0) }

  /** The piece is here. */
  forget (index: number): void {
    this.#mixed.delete(index)
    this.#switches.delete(index)
  }
}

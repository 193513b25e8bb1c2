/** Records what went wrong with the download of each piece until it is stored. Pure. Called by downloader.ts. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Result } from '../results/result.ts'

/** Several peers share a piece of at least this size. */
const SHARED_PIECE_BYTES = 1 << 20
/** A peer that has refused every block of a piece this often is no longer believed to have it. */
const MAX_REFUSALS = 3

/** The history of one task's downloads. */
export class PieceHistory {
  /** number of blocks that each peer refused, by piece */
  readonly #refusals = new WeakMap<TaskPeer, Map<number, number>>()
  /** pieces whose blocks came from several peers and did not match */
  readonly #mixed = new Set<number>()
  /** how often a piece was started anew because its source was slow */
  readonly #switches = new Map<number, number>()

  /** The peer refused a block of a piece with `blocks` blocks. Returns true if the peer does not have the piece. */
  refused (peer: TaskPeer, index: number, blocks: number): boolean {
    const refusals = this.#refusals.get(peer) ?? new Map<number, number>()
    const count = (refusals.get(index) ?? 0) + 1
    this.#refusals.set(peer, refusals.set(index, count))
    if (count < MAX_REFUSALS * blocks) return false
    refusals.delete(index)
    return true
  }

  /** The piece did not match its digest. Returns the peer to blame if there is only one possible. */
  mismatched (index: number, sources: Iterable<TaskPeer>): TaskPeer | undefined {
    const [peer, ...others] = sources
    if (others.length === 0) return peer
    this.#mixed.add(index)
    return undefined
  }

  /** True if several peers may send blocks of the piece: it is large, and this has not failed before. */
  isShared ({ index, result }: { index: number, result: Result }): boolean {
    return result.size >= SHARED_PIECE_BYTES && !this.#mixed.has(index)
  }

  /** The piece was started anew because its source was slow. */
  switched (index: number): void { this.#switches.set(index, (this.#switches.get(index) ?? 0) + 1) }

  /** The number of `hasten` rounds that its source may take. */
  patience (index: number): number { return 1 << (this.#switches.get(index) ?? 0) }

  /** The piece is stored. */
  forget (index: number): void {
    this.#mixed.delete(index)
    this.#switches.delete(index)
  }
}

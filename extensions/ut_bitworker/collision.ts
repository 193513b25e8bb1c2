/**
 * Decides collisions: both sides of a connection claim the same piece (docs/ut_bitworker.md, "Claim collisions"). Pure.
 */
import { compareBytes } from '../../lib/base/digest.ts'

/**
 * Whether our claim wins when both sides of a connection claim a piece. The peer computes the opposite from the same
 * numbers. The side that has worked longer wins; at a tie, the lower peer id wins an even piece, the higher one an odd
 * piece.
 * @param collision the elapsed times are those of each side's first claim for the piece since its last release; peer
 * ids have 20 bytes
 */
export function keepsClaim (collision: {
  index: number
  localElapsedMs: number
  remoteElapsedMs: number
  localPeerId: Uint8Array
  remotePeerId: Uint8Array
}): boolean {
  const { index, localElapsedMs, remoteElapsedMs, localPeerId, remotePeerId } = collision
  if (localElapsedMs !== remoteElapsedMs) return localElapsedMs > remoteElapsedMs
  // Parity distributes ties evenly: a fixed winner would compute all pieces that both peers start at the same time.
  const isLower = compareBytes(localPeerId, remotePeerId) < 0
  return index % 2 === 0 ? isLower : !isLower
}

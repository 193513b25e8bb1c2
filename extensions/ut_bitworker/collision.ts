/** What happens when both sides of a connection claim one piece (docs/ut_bitworker.md, "Claim collisions"). Pure. */
import { compareBytes } from '../../lib/base/digest.ts'

/**
 * Whether our claim stands when both sides of a connection claim one piece; the peer computes the opposite from the
 * same numbers. Longer at it keeps; at a tie the lower peer id keeps an even piece, the higher one an odd piece.
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
  // Parity shares ties out evenly: one fixed winner would compute all pieces that two peers start on together.
  const isLower = compareBytes(localPeerId, remotePeerId) < 0
  return index % 2 === 0 ? isLower : !isLower
}

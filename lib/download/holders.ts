/** Finds the connected peers that a piece can be requested from. Pure. Called by downloader.ts. */
import type { TaskPeer } from '../peers/task-peer.ts'
import type { Download } from './download.ts'

/** True if the peer can be sent a request now. */
function isOpen ({ wire }: TaskPeer): boolean { return !wire.destroyed && !wire.peerChoking }

/** Returns a peer that the piece is expected of, and that can be sent a request. */
export function expectedHolder (
  peers: Iterable<TaskPeer>, index: number, isMeant: (peer: TaskPeer) => boolean = () => true
): TaskPeer | undefined {
  for (const peer of peers) {
    if (peer.holder.expected.has(index) && peer.results.holds(index) && isMeant(peer) && isOpen(peer)) return peer
  }
  return undefined
}

/**
 * Returns a holder of the same result with no pending requests. @param isAwaited something is still to be requested
 * from the peer
 */
export function idleHolder (
  peers: Iterable<TaskPeer>, { index, result }: Download, isAwaited: (peer: TaskPeer) => boolean
): TaskPeer | undefined {
  for (const peer of peers) {
    const isIdle = isOpen(peer) && peer.wire.requests.length === 0 && !isAwaited(peer)
    if (isIdle && peer.results.holdsResult(index, result)) return peer
  }
  return undefined
}

/** True if a connected peer holds the same result. */
export function isHeld (peers: Iterable<TaskPeer>, { index, result }: Download): boolean {
  for (const { wire, results } of peers) if (!wire.destroyed && results.holdsResult(index, result)) return true
  return false
}

/** All holders of the piece; if it is expected of some, only these. */
export function holdersToAsk (peers: Iterable<TaskPeer>, index: number): TaskPeer[] {
  const isExpected = expectedHolder(peers, index) !== undefined
  return Array.from(peers).filter(({ results, holder }) => {
    return results.holds(index) && (!isExpected || holder.expected.has(index))
  })
}

/** Cancels all requests for the piece. */
export function cancelRequests (peers: Iterable<TaskPeer>, index: number): void {
  for (const { wire } of peers) {
    for (const request of wire.requests.filter(({ piece }) => piece === index)) {
      wire.cancel(index, request.offset, request.length)
    }
  }
}

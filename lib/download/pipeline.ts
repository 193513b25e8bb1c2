/** How many requests are kept open with a peer. */
import type { Wire } from '../base/wire.ts'
import { BLOCK_BYTES } from './assembly.ts'

/**
 * Requests kept open with one peer: enough for tiny pieces, which are one request each, to not wait for round trips.
 */
const MIN_PIPELINE = 64
/** Below what common clients accept (libtorrent: 500; BEP 10 `reqq` says otherwise where it does). */
const MAX_PIPELINE = 250

/** As many as keep the line busy, and as the peer takes. */
export function pipelineLength (wire: Wire): number {
  const bySpeed = Math.ceil(wire.downloadSpeed() / BLOCK_BYTES)
  const { reqq } = wire.peerExtendedHandshake
  const allowed = typeof reqq === 'number' && reqq > 0 ? reqq : MAX_PIPELINE
  return Math.min(allowed, MAX_PIPELINE, Math.max(MIN_PIPELINE, bySpeed))
}

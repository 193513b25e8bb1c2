/** The number of open requests to a peer. */
import type { Wire } from '../base/wire.ts'
import { BLOCK_BYTES } from './assembly.ts'

/** At least this many, so that tiny pieces of one request each do not wait for round trips. */
const MIN_PIPELINE = 64
/** Fewer than common clients accept (libtorrent: 500), unless BEP 10's `reqq` says otherwise. */
const MAX_PIPELINE = 250

/** As many as keep the line busy and as the peer accepts. */
export function pipelineLength (wire: Wire): number {
  const bySpeed = Math.ceil(wire.downloadSpeed() / BLOCK_BYTES)
  const { reqq } = wire.peerExtendedHandshake
  const allowed = typeof reqq === 'number' && reqq > 0 ? reqq : MAX_PIPELINE
  return Math.min(allowed, MAX_PIPELINE, Math.max(MIN_PIPELINE, bySpeed))
}

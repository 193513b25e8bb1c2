/** Answers the block requests of peers. Called by neighbours.ts. */
import type { WireEvents } from '../base/wire.ts'
import type { ResultTable } from '../results/result-table.ts'
import type { PieceStore } from '../store/types.ts'
import type { HandOver } from './hand-over.ts'
import type { TaskPeer } from './task-peer.ts'

/** The parts that answers need. */
export interface ServingParts {
  readonly results: ResultTable
  /** has the blocks */
  readonly store: Pick<PieceStore, 'get'>
  readonly handOver: HandOver
}

/** Answers one request. */
export function serve (
  { results, store, handOver }: ServingParts, peer: TaskPeer,
  ...[index, offset, length, respond]: WireEvents['request']
): void {
  const size = results.ownSize(index)
  if (size === undefined) return respond(new Error(`piece ${index} is not stored`))
  // the peer may know another result of the piece
  if (offset < 0 || length <= 0 || offset + length > size) return respond(new Error('the request is outside the piece'))
  store.get(index, { offset, length }, (err, block) => {
    if (err === null && offset + length === size) handOver.sent(peer, index)
    respond(err, block)
  })
}

/**
 * One connected peer of a task, as all parts of a work session see it. What a part alone knows of a peer it keeps
 * itself, in a map that the peer leaves when it is gone.
 */
import type { UtBitworker } from '../../extensions/ut_bitworker/index.ts'
import type { Wire } from '../base/wire.ts'
import type { PeerResults } from '../results/result-table.ts'
import { Holder } from '../scheduling/holder.ts'

/** A wire together with what its peer has announced. */
export class TaskPeer {
  readonly wire: Wire
  readonly ext: UtBitworker
  readonly results: PeerResults
  /** what it announced and we lack, and how it delivers */
  readonly holder = new Holder()
  /** it was sent our bitfield */
  isGreeted = false

  constructor (wire: Wire, ext: UtBitworker, results: PeerResults) {
    this.wire = wire
    this.ext = ext
    this.results = results
  }

  /** hex, 40 digits */
  get id (): string { return this.wire.peerId ?? '' }

  /** it sent at least one piece that matched its digest */
  get hasDelivered (): boolean { return this.holder.delivered > 0 }

  /** As far as either of them has said so. */
  isConnectedTo (other: TaskPeer): boolean {
    return this.ext.state.neighbours.has(other.id) || other.ext.state.neighbours.has(this.id)
  }

  /** For people: the address if there is one, else the peer id. */
  get name (): string {
    const { remoteAddress, remotePort, peerId } = this.wire
    return remoteAddress === undefined ? peerId ?? 'unknown' : `${remoteAddress}:${remotePort}`
  }
}
